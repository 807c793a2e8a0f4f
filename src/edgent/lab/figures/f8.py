"""The common part of F8a, F8b and F8c: the choice of every method at each bandwidth or deadline, run live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from edgent.lab.figures.choosing import (
    ALGORITHM_1,
    MethodChoice,
    both_machines,
    chains,
    our_choice,
    paper_choice,
    predicted_host,
)
from edgent.lab.figures.live import live_runs, measured_conditions
from edgent.lab.figures.machines import Setting, branch_works, swept_machine
from edgent.lab.figures.rig import Rig
from edgent.lab.processes.live_runs import LiveRuns
from edgent.lab.reproduction.figure import Column, Lab, Table
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration
from edgent.planning.planner import Planner
from edgent.report import Axis, Line, Panel

BANDWIDTHS = (50e3, 100e3, 150e3, 200e3, 250e3, 300e3, 400e3, 500e3, 750e3, 1e6, 1.25e6, 1.5e6)
DEADLINE = 1.0
OURS = "two cuts"
_ROUNDS = 3
_FAR = 0.5  # share by which a prediction must be off to be what decides
_NONE = -1  # where there is no plan, on the plot

Choose = Callable[[Conditions, float], MethodChoice]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPoint:
    """The choice of one method at one bandwidth and deadline, with its measured latency.

    Attributes:
        setting: The setting's name.
        method: The method's name.
        bandwidth: Of the link, bit/s.
        deadline: Seconds.
        choice: What it chose.
        latency: Live median, seconds; None where nothing was run.
    """

    setting: str
    method: str
    bandwidth: float
    deadline: float
    choice: MethodChoice
    latency: float | None


def choosers(lab: Lab, chosen: Setting) -> dict[str, Choose]:
    """The methods of a setting: the paper's algorithm with its regressions where float32 crosses, and our planner."""
    planner = Planner(chosen.candidates)

    def ours(conditions: Conditions, deadline: float) -> MethodChoice:
        return our_choice(planner, conditions, deadline)

    if chosen.coded:
        return {OURS: ours}
    works = branch_works(chosen.model)
    regressed = predicted_host(chosen, swept_machine(lab).fit.paper, works)
    branches = chains(chosen.model, *both_machines(chosen, regressed))

    def papers(device_first: bool) -> Choose:
        return lambda conditions, deadline: paper_choice(
            branches, conditions.uplink.bandwidth, deadline, device_first=device_first
        )

    return {name: papers(device_first) for name, device_first in ALGORITHM_1.items()} | {OURS: ours}


def chosen_and_run(lab: Lab, rig: Rig, cells: Iterable[tuple[float, float]]) -> list[ChosenPoint]:
    """Has every method choose at every bandwidth and deadline, and runs the choices live."""
    choosing, points = choosers(lab, rig.setting), []
    for bandwidth, deadline in cells:
        conditions = measured_conditions(lab, rig, bandwidth)
        chosen = {name: choose(conditions, deadline) for name, choose in choosing.items()}
        latency = _latencies(lab, rig, bandwidth, chosen.values())
        points += [
            ChosenPoint(
                setting=rig.setting.name,
                method=name,
                bandwidth=bandwidth,
                deadline=deadline,
                choice=choice,
                latency=None if choice.configuration is None else latency[choice.configuration],
            )
            for name, choice in chosen.items()
        ]
    return points


def _latencies(lab: Lab, rig: Rig, bandwidth: float, chosen: Iterable[MethodChoice]) -> dict[Configuration, float]:
    plans = dict.fromkeys(choice.configuration for choice in chosen if choice.configuration is not None)
    measured: dict[Configuration, LiveRuns] = {}
    for alone in (False, True):
        for plan in (known for known in plans if known.device_only == alone):
            measured |= live_runs(lab, rig, None if alone else bandwidth, [plan], _ROUNDS)
    return {plan: median(runs.totals) for plan, runs in measured.items()}


def table(title: str, points: Sequence[ChosenPoint]) -> Table:
    """The choices in numbers."""
    columns = (
        Column(key="setting", title="setting"),
        Column(key="method", title="method"),
        Column(key="bandwidth_bps", title="kbit/s", show=lambda rate: f"{rate / 1e3:g}"),
        Column(key="deadline_ms", title="deadline", show=lambda ms: f"{ms:g}"),
        Column(key="exit", title="exit"),
        Column(key="upload_cut", title="up"),
        Column(key="download_cut", title="down"),
        Column(key="codec", title="codec"),
        Column(key="predicted_ms", title="predicted", show=lambda ms: f"{ms:.0f} ms"),
        Column(key="measured_ms", title="measured", show=lambda ms: f"{ms:.0f} ms"),
    )
    return Table(title=title, columns=columns, rows=tuple(map(_row, points)))


def _row(point: ChosenPoint) -> tuple[str | float | None, ...]:
    plan = point.choice.configuration
    cuts = (None,) * 4 if plan is None else (plan.exit, plan.upload_cut, plan.download_cut, _codec(plan))
    times = (None if seconds is None else 1e3 * seconds for seconds in (point.choice.predicted, point.latency))
    return (point.setting, point.method, point.bandwidth, 1e3 * point.deadline, *cuts, *times)


def _codec(plan: Configuration) -> str | None:
    return None if plan.device_only else plan.codec


def panels(points: Sequence[ChosenPoint], x: Axis, at: Callable[[ChosenPoint], float]) -> tuple[Panel, ...]:
    """Exit and partition over the bandwidth or the deadline."""
    return tuple(
        panel
        for kind in ("float32", "all codecs")
        for panel in _two_panels(kind, [point for point in points if point.setting.endswith(kind)], x, at)
    )


def _two_panels(
    kind: str, points: Sequence[ChosenPoint], x: Axis, at: Callable[[ChosenPoint], float]
) -> tuple[Panel, ...]:
    by_method: dict[str, list[ChosenPoint]] = {}
    for point in points:
        device = point.setting.removesuffix(f", {kind}")
        by_method.setdefault(f"{device}: {point.method}", []).append(point)

    def lines(value: Callable[[MethodChoice], int | None]) -> tuple[Line, ...]:
        return tuple(
            Line(name=name, x=[at(one) for one in line], y=[_drawn(value(one.choice)) for one in line])
            for name, line in by_method.items()
        )

    return (
        Panel(
            title=f"{kind}: exit", x=x, y=Axis(label="exit (0 = earliest; -1: no plan)", whole=True), marks=lines(_exit)
        ),
        Panel(title=f"{kind}: partition", x=x, y=Axis(label="layers on the edge (-1: no plan)"), marks=lines(_on_edge)),
    )


def interior(points: Sequence[ChosenPoint]) -> int:
    """The number of choices that give work to both machines."""
    return sum(point.choice.on_edge not in (None, 0, point.choice.layers) for point in points)


def mispredicted(points: Sequence[ChosenPoint], setting: str, method: str) -> ChosenPoint | None:
    """The point with the worst prediction of a method, if that is off by more than a half."""

    def error(point: ChosenPoint) -> float:
        assert point.latency is not None and point.choice.predicted is not None
        return abs(point.choice.predicted / point.latency - 1)

    run = [p for p in points if (p.setting, p.method) == (setting, method) and p.latency is not None]
    worst = max(run, key=error, default=None)
    return worst if worst is not None and error(worst) > _FAR else None


def exits(points: Sequence[ChosenPoint], setting: str, method: str) -> list[int]:
    """The exits that a method chose, in the order of its points; -1 where it chose none."""
    return [_drawn(point.choice.exit) for point in points if (point.setting, point.method) == (setting, method)]


def _drawn(value: int | None) -> int:
    return _NONE if value is None else value


def _exit(choice: MethodChoice) -> int | None:
    return choice.exit


def _on_edge(choice: MethodChoice) -> int | None:
    return choice.on_edge
