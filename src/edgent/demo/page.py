"""What the demo's report shows."""

from __future__ import annotations

import statistics

from edgent.demo.figures import percentile
from edgent.demo.values import KNOBS, METHODS, OURS, RIVAL, DemoResult, Point, Unplugged
from edgent.demo.words import chosen_in_words
from edgent.report import COLOURS, Axis, Line, Page, Section, Span, bars, lines, paragraph, table
from edgent.units import format_bandwidth, format_duration

_COLOUR = dict(zip(METHODS, COLOURS, strict=True))
_DODGE = 1.02  # methods side by side where they agree


def page(result: DemoResult) -> Page:
    """The report of a demo."""
    sections = [_overall(result), _cells(result), _choices(result), _knobs(result)]
    if result.unplugged is not None:
        sections.append(_unplugged(result.unplugged))
    sections += [_other_device(result), _trust(result), _emulation(result)]
    return Page(
        title="Edgent: device and edge, within a deadline",
        lead=(
            f"{result.model} on real images, {len(result.points)} cells of bandwidth x deadline, "
            f"{len(METHODS)} methods, {sum(len(m.totals) for m in result.measured.values())} live inferences "
            f"in {result.seconds:.0f} s."
        ),
        sections=tuple(sections),
    )


def verdict(result: DemoResult) -> str:
    """How Edgent compares, in a sentence."""
    counted = [point for point in result.points if not point.borderline]
    worse = [point for point in counted if point.worse_than]
    lower = [point for point in counted if point.lower_than and not point.worse_than]
    border = len(result.points) - len(counted)
    return (
        f"In {len(counted) - len(worse)} of {len(counted)} cells Edgent is not worse than any other method, the rival "
        f"included: by at most half a point, or within both intervals (as in {len(lower)} of them). {border} of "
        f"{len(result.points)} cells are borderline (a median within 5 % of the deadline) and not counted."
    )


def _overall(result: DemoResult) -> Section:
    rows = [
        (
            name,
            f"{each.accuracy_in_time * 100:.1f}",
            f"{each.low * 100:.1f} .. {each.high * 100:.1f}",
            f"{each.deadlines_met * 100:.1f}",
            f"{each.median * 1e3:.0f}",
            f"{each.high_latency * 1e3:.0f}",
        )
        for name, each in result.overall.items()
    ]
    head = ("method", "accuracy in time, %", "95 % interval", "deadlines met, %", "median, ms", "95th percentile, ms")
    plot = bars(
        [(name, each.accuracy_in_time * 100, _COLOUR[name]) for name, each in result.overall.items()],
        Axis(label="accuracy in time over all cells, % (right and within the deadline)", high=100.0),
    )
    text = (
        "Accuracy in time is the share of requests in time, measured live, times the accuracy of what ran, measured "
        f"on {result.data}. Methods that choose the same configuration share its live runs. The interval is a "
        "bootstrap over the live runs."
    )
    return Section(
        title="All cells together", parts=(paragraph(verdict(result)), plot, table(head, rows), paragraph(text))
    )


def _cells(result: DemoResult) -> Section:
    plots = []
    for bandwidth in dict.fromkeys(point.bandwidth for point in result.points):
        points = sorted((p for p in result.points if p.bandwidth == bandwidth), key=lambda p: p.deadline)
        series = [
            Line(
                name=name,
                colour=_COLOUR[name],
                points=[(p.deadline * 1e3 * _DODGE**index, p.figures[name].accuracy_in_time * 100) for p in points],
                interval=[(p.figures[name].low * 100, p.figures[name].high * 100) for p in points]
                if name in (OURS, RIVAL)
                else (),
            )
            for index, name in enumerate(METHODS)
        ]
        plots.append(
            "<div>"
            + lines(
                series,
                Axis(label="deadline, ms", log=True),
                Axis(label="accuracy in time, %", low=0.0, high=100.0),
                title=format_bandwidth(bandwidth),
            )
            + "</div>"
        )
    text = (
        "Right and within the deadline, by method. Vertical bars: 95 % interval (Wilson, of the share in time) of "
        "edgent and the rival. Points of one deadline are drawn side by side."
    )
    return Section(
        title="By bandwidth and deadline", parts=(paragraph(text), f'<div class="plots">{"".join(plots)}</div>')
    )


def _choices(result: DemoResult) -> Section:
    head = ("cell", *METHODS, "edgent runs", "rival runs")
    rows, best = [], []
    for point in result.points:
        values = [point.figures[name].accuracy_in_time for name in METHODS]
        mark = " *" if point.borderline else ""
        rows.append(
            (
                f"{format_bandwidth(point.bandwidth)}, {format_duration(point.deadline)}{mark}",
                *(f"{value * 100:.1f}" for value in values),
                chosen_in_words(point.chosen[OURS].setup.configuration),
                point.chosen[RIVAL].setup.configuration.codec,
            )
        )
        ours = METHODS.index(OURS)
        best.append(ours + 1 if values[ours] > 0 and values[ours] >= max(values) - 0.005 else None)
    note = "Accuracy in time, %. * borderline. Bold: edgent within half a point of the best."
    return Section(
        title="Each cell",
        parts=(table(head, rows, best=best, faint=[p.borderline for p in result.points]), paragraph(note)),
    )


def _knobs(result: DemoResult) -> Section:
    head = ("knob", "needed in, % of the cells", "cells")
    rows = [(knob, f"{share * 100:.0f}", _where(result, knob)) for knob, share in knob_shares(result).items()]
    text = (
        "A knob is needed in a cell when Edgent's best plan without it promises an accuracy in time lower by more "
        "than half a point. Without the cut: everything on the device or everything at the edge; without exits: the "
        "last only; without codecs: raw tensors only, not the image's own bytes either. The race counts where the "
        "edge was late in the live runs (made with the race off) and the device alone would have answered in time; "
        "its use is an outage (edgent demo --unplug)."
    )
    return Section(title="Where each knob was needed", parts=(table(head, rows), paragraph(text)))


def knob_shares(result: DemoResult) -> dict[str, float]:
    """In which share of the cells each knob was needed."""
    return {knob: sum(knob in p.needed for p in result.points) / len(result.points) for knob in KNOBS}


def _where(result: DemoResult, knob: str) -> str:
    found = [_cell(point) for point in result.points if knob in point.needed]
    return "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "") or "none"


def _cell(point: Point) -> str:
    return f"{format_bandwidth(point.bandwidth)}, {format_duration(point.deadline)}"


def _unplugged(run: Unplugged) -> Section:
    rows = []
    for name in ("before", "during", "after"):
        requests = run.phase(name)
        if requests:
            met = sum(r.deadline_met for r in requests) / len(requests)
            edge = sum(r.by == "edge" for r in requests) / len(requests)
            totals = [r.total for r in requests]
            rows.append(
                (
                    name,
                    str(len(requests)),
                    f"{edge * 100:.0f}",
                    f"{met * 100:.0f}",
                    f"{percentile(totals, 0.5) * 1e3:.0f}",
                    f"{max(totals) * 1e3:.0f}",
                )
            )
    head = ("the outage", "requests", "answered by the edge, %", "deadlines met, %", "median, ms", "longest, ms")
    series = [
        Line(
            name=f"answered by the {by}",
            colour=colour,
            joined=False,
            points=[(r.at, r.total * 1e3) for r in run.requests if r.by == by],
        )
        for by, colour in (("edge", COLOURS[4]), ("device", COLOURS[5]))
    ]
    last = max(r.at for r in run.requests)
    series.append(
        Line(
            name="deadline",
            colour="#444",
            dashed=True,
            points=[(0.0, run.deadline * 1e3), (last, run.deadline * 1e3)],
        )
    )
    plot = lines(
        series,
        Axis(label="time since the start, s", low=0.0),
        Axis(label="latency, ms", low=0.0, high=1.25e3 * max(run.deadline, *(r.total for r in run.requests))),
        spans=[Span(first=run.cut_at, last=run.restored_at, label="link cut")],
        width=900,
    )
    return Section(title="Unplugged", parts=(paragraph(unplugged_in_words(run)), plot, table(head, rows)))


def unplugged_in_words(run: Unplugged) -> str:
    """What happened while the link was cut."""
    back = run.back_after
    returned = (
        "the edge did not answer again" if back is None else f"the edge answered again {back:.2f} s after its return"
    )
    gone = run.phase("during")
    met = sum(r.deadline_met for r in gone)
    return (
        f"At {format_bandwidth(run.bandwidth)} and a deadline of {format_duration(run.deadline)} the link was cut for "
        f"{run.restored_at - run.cut_at:g} s: every byte stopped. Meanwhile the device answered "
        f"{sum(r.by == 'device' for r in gone)} of {len(gone)} requests by itself, {met} in time; {returned}."
    )


def _other_device(result: DemoResult) -> Section:
    beside = result.beside
    if beside is None:
        return Section(title="Another device", parts=(paragraph("Not looked at."),))
    bandwidths = list(dict.fromkeys(b for b, *_ in beside.plans))
    deadlines = list(dict.fromkeys(d for _, d, *_ in beside.plans))
    plans = {
        (b, d): f"{what} ({total * 1e3:.0f} ms{'' if met else ', late'})" for b, d, what, total, met in beside.plans
    }
    rows = [(format_duration(d), *(plans[b, d] for b in bandwidths)) for d in deadlines]
    text = (
        f"{beside.name}. Alone it takes {statistics.median(beside.totals) * 1e3:.1f} ms (live, median of "
        f"{len(beside.totals)}; the deadlines begin at {format_duration(min(deadlines))}). In "
        f"{beside.alone_suffices * 100:.0f} % of the cells no plan promises a better accuracy in time than the device "
        "alone; a plan with the edge is only faster there."
    )
    head = ("deadline", *(format_bandwidth(b) for b in bandwidths))
    return Section(title=f"A faster device: {result.options.also}", parts=(paragraph(text), table(head, rows)))


def _trust(result: DemoResult) -> Section:
    errors = result.prediction_errors
    parts = []
    if errors:
        parts.append(
            paragraph(
                f"Prediction: over {len(errors)} live configurations the planned latency was off by "
                f"{statistics.median(errors) * 100:.1f} % in the median and {max(errors) * 100:.1f} % at the most "
                "(right by construction in the emulated device's own parts)."
            )
        )
    if result.transport:
        rows = [(format_bandwidth(b), codec, f"{seconds * 1e3:+.1f}") for b, codec, seconds in result.transport]
        parts.append(
            paragraph(
                "Cost of the transport: the same configuration over gRPC with the Open Inference Protocol, less over "
                "the rival's bare socket; difference of the medians. At low bandwidths these are the bytes of "
                "headers and messages."
            )
        )
        parts.append(table(("bandwidth", "codec", "ours minus bare socket, ms"), rows))
    return Section(title="Prediction and transport", parts=tuple(parts) or (paragraph("Nothing to compare."),))


def _emulation(result: DemoResult) -> Section:
    host, options = result.host, result.options
    counts = [len(m.totals) for m in result.measured.values()]
    return Section(
        title="What is real and what is emulated",
        parts=(
            paragraph(
                "Real: the network and its measured accuracy, the images, the edge process, the device process, gRPC "
                "and TCP between them, every inference."
            ),
            paragraph(
                f"Emulated device: {host.device}. Everything it computes (image decoding, codecs, layers) returns no "
                "earlier than that factor times what this machine's profile says. One constant factor does not make a "
                "real board: between networks the true factor differs by two and more."
            ),
            paragraph(
                f"Overruns: {host.overruns} of {host.pieces} pieces of work took the host longer than the emulated "
                f"device should need, by {host.worst_overrun * 1e3:.1f} ms at the most."
            ),
            paragraph(
                f"Emulated link: a proxy in user space, the same rate in both directions, packet headers counted, "
                f"{format_duration(options.round_trip)} round trip. It ends TCP on both sides, so slow start after "
                "idling, loss and retransmission do not show. The planner is told bandwidth and round trip."
            ),
            paragraph(
                f"Live runs: {min(counts)} to {max(counts)} of each configuration in each link state, interleaved. "
                "The rival picks, in hindsight, its best codec for each cell; its encoding is slowed like "
                "everything on the device, its network runs in a bare ONNX Runtime loop behind a plain socket."
            ),
            paragraph(f"Machine: {host.machine}; {host.engine}. Model {result.model} {result.digest[:12]}."),
            paragraph("Commands:", code=host.commands),
        ),
    )
