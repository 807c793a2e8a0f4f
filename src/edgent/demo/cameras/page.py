"""The demo's page: one HTML file that opens from disk."""

from __future__ import annotations

from edgent.demo.cameras.result import Standing, StreetResult
from edgent.demo.cameras.stage import Outage, Show
from edgent.demo.cameras.words import lead_in_words, outage_in_words, verdict
from edgent.lab.cameras.plans import CASCADE, JPEG, LIVE, ORACLE, OURS, RACED, SMALL
from edgent.report import COLOURS, Axis, Line, Page, Panel, Section, Span, legend, lines, paragraph, plot, table

_COLOUR = {
    OURS: COLOURS[5],
    RACED: COLOURS[4],
    CASCADE: COLOURS[2],
    JPEG: COLOURS[1],
    SMALL: COLOURS[0],
    ORACLE: "#444",
}
_BESIDE = (CASCADE, JPEG, SMALL, ORACLE)


def street_page(result: StreetResult, show: Show) -> Page:
    """The report of a demo."""
    answers = sum(len(meter.answers) for meter in show.meters)
    return Page(
        title="Many cameras, one edge core",
        lead=(
            f"{answers:,} pictures, answered live by {result.cameras[0]} to {result.cameras[-1]} cameras and one edge "
            f"core in {result.seconds:.0f} s. Boards and link are emulated."
        ),
        sections=(
            Section(title="Right and in time", parts=(paragraph(verdict(result)), *_curves(result))),
            Section(title="What it costs", parts=(_meters(show),)),
            Section(title="Unplugged", parts=tuple(part for outage in result.outages for part in _outage(outage))),
            Section(title="Every method", parts=_tables(result)),
            Section(title="What is real and what is emulated", parts=tuple(map(paragraph, result.words))),
        ),
    )


def _curves(result: StreetResult) -> tuple[str, ...]:
    live = [_band(result, result.of(method, live=True)) for method in LIVE]
    beside = [_band(result, result.of(method, live=False)) for method in _BESIDE]
    panel = Panel(
        x=Axis(label="cameras on one edge core"),
        y=Axis(label="right and in time, %", low=0.0, high=100.0),
        marks=[*live, *beside],
    )
    return (
        legend([*live, *beside]),
        lines(panel, width=900),
        paragraph("Whole lines were run live, with 95 % intervals; dashed ones are simulated on the same streets."),
    )


def _band(result: StreetResult, standing: Standing) -> Line:
    return Line(
        name=standing.method,
        colour=_COLOUR[standing.method],
        x=list(result.cameras),
        y=[each.value * 100 for each in standing.by_cameras],
        low=[each.low * 100 for each in standing.by_cameras] if standing.live else (),
        high=[each.high * 100 for each in standing.by_cameras] if standing.live else (),
        dashed=not standing.live,
    )


def _meters(show: Show) -> str:
    plots = (
        _meter_plot(show, "share of the edge core, %", lambda meter: meter.edge * 100),
        _meter_plot(show, "kB a picture over the link", lambda meter: meter.nbytes / len(meter.answers) / 1e3),
    )
    return f'<div class="plots">{"".join(f"<div>{drawn}</div>" for drawn in plots)}</div>'


def _meter_plot(show: Show, label: str, value) -> str:  # type: ignore[no-untyped-def]
    marks = []
    for method in LIVE:
        meters = [meter for meter in show.meters if meter.method == method]
        x, y = [meter.cameras for meter in meters], [value(meter) for meter in meters]
        marks.append(Line(name=method, colour=_COLOUR[method], x=x, y=y))
    return plot(Panel(title=label, x=Axis(label="cameras"), y=Axis(label=label, low=0.0), marks=marks))


def _outage(outage: Outage) -> tuple[str, str]:
    answers, deadline = outage.meter.answers, 300.0
    last = max((answer.at for answer in answers), default=1.0)
    marks = [
        Line(
            name=f"answered by the {by}",
            colour=colour,
            form="points",
            x=[answer.at for answer in answers if answer.by == by],
            y=[answer.total * 1e3 for answer in answers if answer.by == by],
        )
        for by, colour in (("edge", COLOURS[4]), ("device", COLOURS[5]))
    ]
    line = Line(name="deadline", colour="#444", dashed=True, x=[0.0, last], y=[deadline, deadline])
    panel = Panel(
        title=outage.meter.method,
        x=Axis(label="seconds", low=0.0),
        y=Axis(label="latency, ms", low=0.0),
        marks=[*marks, line],
        spans=[Span(first=outage.cut_at, last=outage.restored_at, label="link unplugged")],
    )
    return paragraph(outage_in_words(outage)), lines(panel, width=900)


def _tables(result: StreetResult) -> tuple[str, ...]:
    head = ("cameras:", *map(str, result.cameras), "all, %", "Edgent ahead by, points", "kB a picture", "edge ms")
    drawn = []
    for title, live in (("Run live.", True), ("Simulated on the same streets, from what was measured.", False)):
        standings = [standing for standing in result.standings if standing.live == live]
        ahead = len(result.cameras) + 2
        drawn += [
            paragraph(title),
            table(
                head,
                [_row(standing) for standing in standings],
                faint=[standing.method == ORACLE for standing in standings],
                lost=[{ahead} if standing.is_ahead and standing.method != ORACLE else () for standing in standings],
            ),
        ]
    note = "Red: Edgent is behind. The clairvoyant knows all answers beforehand; nobody can. Accuracy in time, %."
    return (*drawn, paragraph(note))


def _row(standing: Standing) -> tuple[str, ...]:
    return (
        standing.method,
        *(f"{each.value * 100:.0f}" for each in standing.by_cameras),
        f"{standing.pooled * 100:.1f}",
        lead_in_words(standing),
        f"{standing.kilobytes:.1f}",
        f"{standing.edge_ms:.1f}",
    )
