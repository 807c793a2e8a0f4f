"""F11: the static against the dynamic configurator on moving links: throughput and reward, live and replayed.

The paper's static configurator searches at each request with the bandwidth measured last; its dynamic is Algorithm 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgent.lab.figures.f10 import PAPERS_DEADLINE, SECONDS, TODAYS_DEADLINE
from edgent.lab.figures.links import bus_link, digest, many_links
from edgent.lab.figures.machines import Setting, setting
from edgent.lab.figures.streams import Course, Environment, accuracies, stream
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.link.trace import Trace
from edgent.planning.plan import Configuration
from edgent.planning.reward import FRACTION, LEXICOGRAPHIC
from edgent.replay import ReplaySettings, Report, replay
from edgent.report import Axis, Line, Panel
from edgent.units import Seconds

FRACTION_MAP = "dynamic, reward as printed"
"""Algorithm 3, its map by exp(accuracy) + throughput with a fraction for accuracy; "dynamic": by the prose's order."""

LIVE: dict[str, Environment] = {"static": "static", "dynamic": "paper-dynamic", "ours": "dynamic"}
"""The configurators by the names that the figure has for them; on a live device."""

REPLAYED = {"static": "last-sample", FRACTION_MAP: "paper-dynamic", "ours": "edgent", "regime oracle": "regime"}
"""The same in a replay, its map by the paper's reward; and who knows the link's present distribution."""

TODAYS_DEADLINES = (0.05, 0.1, 0.15, 0.2, 0.3)
_INTERVAL = Seconds(2.0)  # between the requests of a replay
_AHEAD = 0.02  # by which one must be ahead of the other not to count as equal
_AT = 0.6  # of the distribution: where the paper reads its curves
_STEPS = 40  # of a drawn distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One configurator: a throughput and a reward for each request (live) or each trace (replayed).

    Attributes:
        setting: The setting's name.
        method: The configurator's name.
        deadline: Seconds.
        live: Whether on a live device.
        throughput: Inferences per second.
        reward: The paper's, with the accuracy as a fraction; empty where the replay did not count it.
        accuracy_in_time: On average over all requests, 0..1.
        in_time: Share of all requests.
        plans: What was planned for each request, live.
    """

    setting: str
    method: str
    deadline: float
    live: bool
    throughput: Sequence[float]
    reward: Sequence[float]
    accuracy_in_time: float
    in_time: float
    plans: tuple[Configuration | None, ...] = ()


def run(lab: Lab) -> Result:
    """Runs live on the excerpt of F10, and replays many links."""
    papers, today = setting(lab, "paper-pi3"), setting(lab, "paper-pi3-resident", coded=True)
    excerpt, many = bus_link(lab, SECONDS), many_links(lab)
    curves = [
        *_live(lab, papers, PAPERS_DEADLINE, excerpt.traces[0]),
        *_live(lab, today, TODAYS_DEADLINE, excerpt.traces[0]),
        *_replayed(lab, papers, PAPERS_DEADLINE, many.traces),
        *(curve for deadline in TODAYS_DEADLINES for curve in _replayed(lab, today, deadline, many.traces)),
    ]
    notes = (f"Live: {excerpt.words}.", f"Replayed: {many.words}.", str(papers.device), str(today.device))
    return result(curves, notes)


def _live(lab: Lab, chosen: Setting, deadline: float, trace: Trace) -> list[Curve]:
    curves = []
    for name, environment in LIVE.items():
        course = Course(setting=chosen, environment=environment, deadline=deadline, trace=trace)
        requests = stream(lab, course)
        pairs = list(zip(accuracies(chosen, requests), (request.total for request in requests), strict=True))
        curves.append(
            Curve(
                setting=chosen.name,
                method=name,
                deadline=deadline,
                live=True,
                throughput=tuple(1 / total for _, total in pairs),
                reward=tuple(FRACTION.value(value, total, deadline) for value, total in pairs),
                accuracy_in_time=float(np.mean([value * (total <= deadline) for value, total in pairs])),
                in_time=float(np.mean([total <= deadline for _, total in pairs])),
                plans=tuple(request.configuration for request in requests),
            )
        )
    return curves


def _replayed(lab: Lab, chosen: Setting, deadline: float, traces: Sequence[Trace]) -> list[Curve]:
    def report(done: int) -> None:
        lab.progress(f"replaying {chosen.name}, {deadline * 1e3:g} ms", done, len(traces))

    def run() -> dict[str, Any]:
        printed = replay(request, traces, done=report)
        prose = replay(replace(request, reward=LEXICOGRAPHIC), traces, done=report)
        dynamic = {**_shown(prose, "paper-dynamic"), "reward": []}  # that replay counts another reward
        return {"dynamic": dynamic, **{name: _shown(printed, method) for name, method in REPLAYED.items()}}

    table = chosen.candidates if chosen.coded else chosen.candidates.restricted(direction="edge-first")
    request = ReplaySettings(
        candidates=table,
        device=chosen.profile,
        edge=chosen.edge,
        deadline=Seconds(deadline),
        interval=_INTERVAL,
        seed=lab.seed,
        race=False,
        reward=FRACTION,
    )
    depends = {**chosen.document(), "deadline": deadline, "interval": _INTERVAL, "traces": digest(traces)}
    part = lab.parts.part("replay", depends, run)
    names = dict.fromkeys((*LIVE, *part))  # the same order, and so the same colours, as live
    return [Curve(setting=chosen.name, method=name, deadline=deadline, live=False, **part[name]) for name in names]


def _shown(report: Report, method: str) -> dict[str, Any]:
    """The values of a curve for one method: means over each trace, and over all requests."""
    sums = [totals[method] for totals in report.per_trace]
    return {
        "throughput": [totals.throughput / totals.requests for totals in sums],
        "reward": [totals.reward / totals.requests for totals in sums],
        "accuracy_in_time": report.mean(method, "accuracy"),
        "in_time": 1 - report.mean(method, "missed"),
    }


def result(curves: Sequence[Curve], notes: tuple[str, ...]) -> Result:
    """The figure."""
    groups: dict[tuple[str, float, bool], dict[str, Curve]] = {}
    for curve in curves:
        groups.setdefault((curve.setting, curve.deadline, curve.live), {})[curve.method] = curve
    shown = [group for (_, deadline, _), group in groups.items() if deadline in (PAPERS_DEADLINE, TODAYS_DEADLINE)]
    return Result(
        orderings=tuple(
            _ordering(group["static"], group[name])
            for group in groups.values()
            for name in ("dynamic", FRACTION_MAP)
            if name in group
        ),
        tables=(_table(curves),),
        panels=tuple(panel for group in shown for panel in _panels(group)),
        notes=notes,
    )


def _ordering(static: Curve, dynamic: Curve) -> Ordering:
    before, after = (float(np.quantile(curve.throughput, _AT)) for curve in (static, dynamic))
    how = "live" if static.live else "replayed"
    return Ordering(
        reported="the dynamic configurator's throughput is above the static one's, at 0.6 of the CDF and at its lowest",
        ours=(
            f"{static.setting}, {static.deadline * 1e3:g} ms, {how}: {dynamic.method} {after:.1f}, static {before:.1f} "
            f"inferences/s at {_AT:g}; lowest {min(dynamic.throughput):.2g} and {min(static.throughput):.2g}"
        ),
        reproduced=after > before * (1 + _AHEAD),
        why=_why(static, dynamic),
    )


def _why(static: Curve, dynamic: Curve) -> str:
    points = 100 * (dynamic.accuracy_in_time - static.accuracy_in_time)
    if dynamic.method == FRACTION_MAP:
        return (
            "with the accuracy as a fraction throughput decides, so its map takes the earliest exit: its accuracy in "
            f"time is {points:+.1f} points from the static one's"
        )
    if static.plans and dynamic.plans:
        same = np.mean([one == other for one, other in zip(static.plans, dynamic.plans, strict=False)])
        return (
            f"both plan the same for {same:.0%} of the requests: with the bandwidth measured at every request, little "
            f"is left for change points to find; accuracy in time {points:+.1f} points from the static one's"
        )
    return (
        f"both want the most accurate plan in time, which is mostly the same one; a state's mean lags behind the last "
        f"sample: accuracy in time {points:+.1f} points from the static one's"
    )


def _table(curves: Sequence[Curve]) -> Table:
    columns = (
        Column(key="setting", title="setting"),
        Column(key="deadline_ms", title="deadline", show=lambda ms: f"{ms:g} ms"),
        Column(key="how", title="how"),
        Column(key="method", title="configurator"),
        Column(key="accuracy_in_time", title="in time and right", show=lambda share: f"{share:.1%}"),
        Column(key="miss_rate", title="missed", show=lambda share: f"{share:.1%}"),
        Column(key="throughput_at_60", title="inf./s at .6", show=lambda value: f"{value:.1f}"),
        Column(key="throughput_lowest", title="lowest", show=lambda value: f"{value:.2g}"),
        Column(key="reward_mean", title="reward", show=lambda value: f"{value:.1f}"),
    )
    rows = tuple(
        (
            curve.setting,
            1e3 * curve.deadline,
            "live" if curve.live else "replay",
            curve.method,
            curve.accuracy_in_time,
            1 - curve.in_time,
            float(np.quantile(curve.throughput, _AT)),
            min(curve.throughput),
            float(np.mean(curve.reward)) if curve.reward else None,
        )
        for curve in curves
    )
    return Table(title="Configurators", columns=columns, rows=rows)


def _panels(group: Mapping[str, Curve]) -> tuple[Panel, Panel]:
    one = next(iter(group.values()))
    what = "requests, live" if one.live else "traces, replayed"
    title = f"{one.setting}, {one.deadline * 1e3:g} ms ({what})"
    share = Axis(label="share below")
    throughput = [_cdf(name, curve.throughput) for name, curve in group.items()]
    reward = [_cdf(name, curve.reward) for name, curve in group.items() if curve.reward]
    return (
        Panel(title=title, x=Axis(label="throughput, inferences/s"), y=share, marks=throughput),
        Panel(title=title, x=Axis(label="reward: exp(accuracy) + throughput, 0 if late"), y=share, marks=reward),
    )


def _cdf(name: str, values: Sequence[float]) -> Line:
    shares = np.linspace(0, 1, min(_STEPS, len(values)) + 1)
    return Line(name=name, x=np.quantile(values, shares).tolist(), y=shares.tolist(), form="step")


FIGURE = Figure(id="F11", title="static against dynamic configurator on moving links", minutes=12, run=run)
