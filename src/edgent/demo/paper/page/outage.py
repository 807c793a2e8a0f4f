"""The report's section on the link that was cut."""

from __future__ import annotations

from edgent.demo.paper.figures import percentile
from edgent.demo.paper.outage import PHASES, Unplugged
from edgent.demo.paper.words import unplugged_in_words
from edgent.lab.processes.live_runs import StreamRequest
from edgent.report import COLOURS, Axis, Line, Panel, Section, Span, lines, paragraph, table


def unplugged(run: Unplugged) -> Section:
    """Every request over time, and a table of before, during and after."""
    head = ("the outage", "requests", "answered by the edge, %", "deadlines met, %", "median, ms", "longest, ms")
    rows = [_row(name, requests) for name in PHASES if (requests := run.phase(name))]
    return Section(title="Unplugged", parts=(paragraph(unplugged_in_words(run)), _plot(run), table(head, rows)))


def _row(name: str, requests: tuple[StreamRequest, ...]) -> tuple[str, ...]:
    totals = [request.total for request in requests]
    return (
        name,
        str(len(requests)),
        f"{sum(request.by == 'edge' for request in requests) / len(requests) * 100:.0f}",
        f"{sum(request.deadline_met for request in requests) / len(requests) * 100:.0f}",
        f"{percentile(totals, 0.5) * 1e3:.0f}",
        f"{max(totals) * 1e3:.0f}",
    )


def _plot(run: Unplugged) -> str:
    longest = max(run.deadline, *(request.total for request in run.requests))
    panel = Panel(
        x=Axis(label="time since the start, s", low=0.0),
        y=Axis(label="latency, ms", low=0.0, high=1.25e3 * longest),
        marks=[_answers(run, "edge", COLOURS[4]), _answers(run, "device", COLOURS[5]), _deadline(run)],
        spans=[Span(first=run.cut_at, last=run.restored_at, label="link cut")],
    )
    return lines(panel, width=900)


def _answers(run: Unplugged, by: str, colour: str) -> Line:
    requests = [request for request in run.requests if request.by == by]
    return Line(
        name=f"answered by the {by}",
        colour=colour,
        form="points",
        x=[request.at for request in requests],
        y=[request.total * 1e3 for request in requests],
    )


def _deadline(run: Unplugged) -> Line:
    last = max(request.at for request in run.requests)
    at = run.deadline * 1e3
    return Line(name="deadline", colour="#444", dashed=True, x=[0.0, last], y=[at, at])
