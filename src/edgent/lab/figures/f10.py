"""F10: a device on a moving link: bandwidth, throughput, exit and partition over time, live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgent.lab.figures.links import bus_link
from edgent.lab.figures.machines import setting
from edgent.lab.figures.streams import Course, stream, throughputs
from edgent.lab.processes.live_runs import StreamRequest
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.link.trace import Trace
from edgent.report import Axis, Line, Panel

SECONDS = 90.0
PAPERS_DEADLINE, TODAYS_DEADLINE = 1.0, 0.1
_FOLLOWS = 0.7  # correlation of bandwidth and throughput from which one follows the other
_STAYS = 0.95  # share of the requests


def run(lab: Lab) -> Result:
    """Has the paper's configurator follow the link in the paper's setting, and ours in a setting of today."""
    links = bus_link(lab, SECONDS)
    (trace,) = links.traces
    papers, today = setting(lab, "paper-pi3"), setting(lab, "paper-pi3-resident", coded=True)
    courses = {
        f"{papers.name}, Algorithm 3, 1000 ms": Course(
            setting=papers, environment="paper-dynamic", deadline=PAPERS_DEADLINE, trace=trace
        ),
        f"{today.name}, ours, 100 ms": Course(
            setting=today, environment="dynamic", deadline=TODAYS_DEADLINE, trace=trace
        ),
    }
    requests = {name: stream(lab, course) for name, course in courses.items()}
    return result(requests, trace, (f"Link: {links.words}.", str(papers.device), str(today.device)))


def result(by_course: Mapping[str, Sequence[StreamRequest]], trace: Trace, notes: tuple[str, ...]) -> Result:
    """The figure, from the requests of each stream."""
    return Result(
        orderings=tuple(
            ordering for name, requests in by_course.items() for ordering in _orderings(name, requests, trace)
        ),
        tables=(_table(by_course, trace),),
        panels=(
            _link(trace),
            *(_throughput(by_course),),
            *(_plans(name, requests) for name, requests in by_course.items()),
        ),
        notes=notes,
    )


def follows(requests: Sequence[StreamRequest], trace: Trace) -> float:
    """Correlation of bandwidth and throughput, both in logarithms, at the requests that were answered by the edge."""
    sent = [request for request in requests if request.by == "edge" and trace.at(request.at) > 0]
    if len(sent) < 3:
        return 0.0
    rates = np.log([trace.at(request.at) for request in sent])
    return float(np.corrcoef(rates, np.log(throughputs(sent)))[0, 1])


def _orderings(name: str, requests: Sequence[StreamRequest], trace: Trace) -> tuple[Ordering, Ordering]:
    correlation = follows(requests, trace)
    at_last_exit = [request.configuration is not None and request.configuration.exit == 4 for request in requests]
    last = sum(at_last_exit) / len(requests)
    exits = sorted({request.configuration.exit for request in requests if request.configuration is not None})
    return (
        Ordering(
            reported="the throughput follows the bandwidth",
            ours=f"{name}: correlation {correlation:.2f} of their logarithms",
            reproduced=correlation >= _FOLLOWS,
            why=(
                "the input's transfer is nearly all of the latency"
                if correlation >= _FOLLOWS
                else "what is sent is small, so that much of the latency is no transfer; or the device answers itself"
            ),
        ),
        Ordering(
            reported="the exit stays the last one",
            ours=f"{name}: the last exit in {last:.0%} of the requests; exits {', '.join(map(str, exits))}",
            reproduced=last >= _STAYS,
            why=(
                "wherever the input gets through in time, all of the network does at the edge"
                if last >= _STAYS
                else "the link fades, and then an earlier exit or the device is what is left in time"
            ),
        ),
    )


def _table(by_course: Mapping[str, Sequence[StreamRequest]], trace: Trace) -> Table:
    columns = (
        Column(key="device", title="device"),
        Column(key="requests", title="requests"),
        Column(key="in_time", title="in time", show=_percent),
        Column(key="by_edge", title="by the edge", show=_percent),
        Column(key="throughput_median", title="inferences/s, median", show=lambda value: f"{value:.1f}"),
        Column(key="correlation", title="follows the link", show=lambda value: f"{value:.2f}"),
        Column(key="plans", title="plans"),
    )
    rows = tuple(
        (
            name,
            len(requests),
            sum(request.deadline_met for request in requests) / len(requests),
            sum(request.by == "edge" for request in requests) / len(requests),
            float(np.median(throughputs(requests))),
            follows(requests, trace),
            len({request.configuration for request in requests}),
        )
        for name, requests in by_course.items()
    )
    return Table(title="On the moving link", columns=columns, rows=rows)


def _percent(share: float) -> str:
    return f"{share:.1%}"


_TIME = Axis(label="time, s")


def _link(trace: Trace) -> Panel:
    line = Line(name="bandwidth", x=trace.starts.tolist(), y=(trace.bandwidths / 1e6).tolist(), form="step")
    return Panel(title="the link", x=_TIME, y=Axis(label="bandwidth, Mbit/s"), marks=(line,))


def _throughput(by_course: Mapping[str, Sequence[StreamRequest]]) -> Panel:
    lines = [
        Line(name=name, x=[request.at for request in requests], y=throughputs(requests), form="points")
        for name, requests in by_course.items()
    ]
    return Panel(title="throughput", x=_TIME, y=Axis(label="inferences/s", log=True), marks=lines)


def _plans(name: str, requests: Sequence[StreamRequest]) -> Panel:
    planned = [(request.at, request.configuration) for request in requests if request.configuration is not None]
    at = [when for when, _ in planned]
    exits = Line(name="exit", x=at, y=[plan.exit for _, plan in planned], form="step")
    layers = [plan.download_cut - plan.upload_cut for _, plan in planned]
    return Panel(
        title=name,
        x=_TIME,
        y=Axis(label="exit; layers on the edge", whole=True),
        marks=(exits, Line(name="layers on the edge", x=at, y=layers, form="step")),
    )


FIGURE = Figure(id="F10", title="a device on a moving link, over time", minutes=4, run=run)
