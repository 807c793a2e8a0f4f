"""The report's figures: all cells together, each by bandwidth and deadline, and what was needed where."""

from __future__ import annotations

from edgent.demo.paper.cells import RULE
from edgent.demo.paper.paired import HALF_A_POINT
from edgent.demo.paper.result import CellOutcome, DemoResult
from edgent.demo.paper.values import METHODS, OURS, RIVAL
from edgent.demo.paper.words import ahead_in_words, cell_in_words, chosen_in_words, confirmation, verdict
from edgent.planning.knobs import KNOBS
from edgent.report import COLOURS, Axis, Line, Panel, Section, bars, legend, paragraph, plot, table
from edgent.units import format_bandwidth

_COLOUR = dict(zip(METHODS, COLOURS, strict=False))
_DODGE = 1.02  # factor on the deadline from method to method, so that equal points lie side by side
_SHOWN = 6  # cells named in a row of a table


def overall(result: DemoResult) -> Section:
    """The section on all cells together, with the verdict."""
    head = (
        "method",
        "accuracy in time, %",
        "95 % interval",
        "edgent ahead by, points",
        "deadlines met, %",
        "median, ms",
        "95th percentile, ms",
    )
    text = (
        "Accuracy in time is the share of requests in time, measured live, times the accuracy of what ran, measured "
        f"on {result.data}. Methods that choose the same configuration share its live runs. Intervals are of a "
        "bootstrap over the requests; the difference to Edgent is paired: the same requests, drawn once, for both."
    )
    return Section(
        title="All cells together",
        parts=(
            paragraph(verdict(result)),
            bars_of_methods(result),
            table(head, _overall_rows(result)),
            paragraph(text),
            paragraph(confirmation(result)),
        ),
    )


def bars_of_methods(result: DemoResult) -> str:
    """Each method's accuracy in time over all cells."""
    return bars(
        [(name, figures.accuracy_in_time * 100, _COLOUR[name]) for name, figures in result.overall.items()],
        Axis(label="accuracy in time over all cells, %", high=100.0),
    )


def _overall_rows(result: DemoResult) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, figures in result.overall.items():
        rows.append(
            (
                name,
                f"{figures.accuracy_in_time * 100:.1f}",
                f"{figures.low * 100:.1f} .. {figures.high * 100:.1f}",
                ahead_in_words(result.compared.get(name)),
                f"{figures.deadlines_met * 100:.1f}",
                f"{figures.median * 1e3:.0f}",
                f"{figures.high_latency * 1e3:.0f}",
            )
        )
    return rows


def cells(result: DemoResult) -> Section:
    """The section with a plot for each bandwidth."""
    text = (
        "Right and within the deadline, by method. Vertical bars: 95 % interval (Wilson, of the share in time) of "
        "edgent and the rival. Points of one deadline are drawn side by side."
    )
    plots = "".join(f"<div>{drawn}</div>" for drawn in plots_by_bandwidth(result))
    key = legend([Line(name=name, colour=_COLOUR[name]) for name in METHODS])
    return Section(
        title="By bandwidth and deadline",
        parts=(paragraph(RULE), paragraph(text), key, f'<div class="plots">{plots}</div>'),
    )


def plots_by_bandwidth(result: DemoResult) -> list[str]:
    """Accuracy in time over the deadline, a plot for each bandwidth."""
    bandwidths = dict.fromkeys(point.cell.bandwidth for point in result.points)
    return [_plot([p for p in result.points if p.cell.bandwidth == bandwidth], bandwidth) for bandwidth in bandwidths]


def _plot(points: list[CellOutcome], bandwidth: float) -> str:
    points = sorted(points, key=lambda point: point.cell.deadline)
    return plot(
        Panel(
            title=format_bandwidth(bandwidth),
            x=Axis(label="deadline, ms", log=True),
            y=Axis(label="accuracy in time, %", low=0.0, high=100.0),
            marks=[_line(points, name, _DODGE**index) for index, name in enumerate(METHODS)],
        )
    )


def _line(points: list[CellOutcome], name: str, dodge: float) -> Line:
    drawn = [point.figures[name] for point in points]
    return Line(
        name=name,
        colour=_COLOUR[name],
        x=[point.cell.deadline * 1e3 * dodge for point in points],
        y=[figures.accuracy_in_time * 100 for figures in drawn],
        low=[figures.low * 100 for figures in drawn] if name in (OURS, RIVAL) else (),
        high=[figures.high * 100 for figures in drawn] if name in (OURS, RIVAL) else (),
    )


def choices(result: DemoResult) -> Section:
    """A table of every cell."""
    head = ("cell", *METHODS, "requests", "beside edgent", "edgent runs", "rival runs")
    note = (
        "Accuracy in time, %. * borderline: chance decides, not compared. Bold: edgent within half a point of the "
        "best. Beside edgent: who is ahead of it by more than half a point, and whether beyond the paired interval."
    )
    rows = [_choice(point) for point in result.points]
    best = [METHODS.index(OURS) + 1 if _among_best(point) else None for point in result.points]
    faint = [point.borderline for point in result.points]
    body = table(head, rows, best=best, faint=faint, words=range(len(METHODS) + 2, len(head)))
    return Section(title="Each cell", parts=(body, paragraph(note)))


def _choice(point: CellOutcome) -> tuple[str, ...]:
    return (
        cell_in_words(point) + (" *" if point.borderline else ""),
        *(f"{point.figures[name].accuracy_in_time * 100:.1f}" for name in METHODS),
        str(point.requests),
        _beside(point),
        chosen_in_words(point.chosen[OURS].setup.configuration),
        point.chosen[RIVAL].setup.configuration.codec,
    )


def _beside(point: CellOutcome) -> str:
    if point.borderline:
        return ""
    if point.worse_than:
        return "WORSE than " + ", ".join(point.worse_than)
    return "by chance: " + ", ".join(point.lower_than) if point.lower_than else "not worse"


def _among_best(point: CellOutcome) -> bool:
    values = {name: figures.accuracy_in_time for name, figures in point.figures.items()}
    return 0 < values[OURS] >= max(values.values()) - HALF_A_POINT


def where_needed(result: DemoResult) -> Section:
    """The section on the share of the cells in which each knob (setting of a plan) was needed."""
    rows = [(knob, f"{share * 100:.0f}", KNOBS[knob], _where(result, knob)) for knob, share in result.knobs.items()]
    text = (
        "A knob is needed in a cell when the best plan without it promises an accuracy in time lower by a "
        "point or more. The file as it came is no work of ours, so it has a row of its own beside the codecs. The race "
        "counts where the edge was late in the live runs (made with the race off) and the device alone would have "
        "answered in time; its use is an outage (edgent demo --unplug)."
    )
    head = ("knob", "needed in, % of the cells", "left without it", "cells")
    return Section(title="Where each knob was needed", parts=(table(head, rows, words=(2, 3)), paragraph(text)))


def _where(result: DemoResult, knob: str) -> str:
    places = [cell_in_words(p) for p in result.points if (p.race if knob == "race" else knob in p.cell.needed)]
    more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    return "; ".join(places[:_SHOWN]) + more or "none"
