"""The standing test: Edgent beside what a user would do instead, in the same lab, cell by cell.

    python benchmarks/rivals.py [--json] [--rounds N] [--seed N]

Every rival is one of Edgent's own plans, since it plans over a bundle of all networks: it can lose only by a wrong
prediction, or by what its transport costs.

    codec         the best image codec into a bare ONNX Runtime loop, in hindsight over its own latencies
    int8          the statically quantised network on the device
    device        the network as it was trained, on the device
    small         a network of half the widths, on the device
    neurosurgeon  the last exit, device first, raw tensors, its cut chosen by the paper's regressions
    cloud         the best codec to the same edge code, 90 ms of round trip away

The device is emulated, each layer type perturbed by a hidden factor; the planner has what profiling through the
emulation found. The link is emulated too. Each distinct configuration that some method chooses is run live, all of a
link state interleaved, the same pictures for all; accuracy in time is the share in time x its accuracy on the 10,000
test images. A cell is borderline where a compared method's median lies within 5 % of the deadline. The margin of a cell
is half a point and half the paired 95 % interval, 5 points at most.

Fails (1) where Edgent is behind `codec` or `int8` by more than the margin, where one of those is best and Edgent's plan
is another, or where more than a quarter of the cells are borderline.

One late request can tip a cell of 30. So a link state with a cell that fails is measured again, at once, with the same
plans and three times the requests; then all of its cells, also those that had passed, are judged by all requests, the
first ones included. About 5 minutes, and 3 more for each link state that is measured again.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.codec import IMAGE_CODECS
from edgent.demo.paper.cells import BANDWIDTHS, MOST_BORDERLINE
from edgent.demo.paper.figures import is_borderline, percentile
from edgent.demo.paper.methods import chosen
from edgent.demo.paper.paired import HALF_A_POINT, Draws, compare, outcomes
from edgent.demo.paper.rivals import Rivals
from edgent.demo.paper.run import test_images
from edgent.demo.paper.values import Chosen
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import LiveRuns, Setup, WorkerSettings
from edgent.lab.processes.server_process import ServerProcess
from edgent.latency import Profile
from edgent.latency.profile import BranchProfile
from edgent.model import Model
from edgent.model.costs import layer_costs
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import RAW
from edgent.planning.planner import Planner, usual_margin
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds, format_bandwidth, format_duration

NETWORK, INT8, SMALL = "b-alexnet", "b-alexnet-int8", "b-alexnet-narrow"
DEVICE = "paper-pi3-resident"
# The demo's bandwidths but the slowest; deadlines of ISO 3's preferred numbers R10 from a round trip on.
RATES = BANDWIDTHS[1:]
DEADLINES = (
    *(0.005, 0.0063, 0.008, 0.010, 0.0125, 0.016),
    *(0.020, 0.025, 0.0315, 0.040, 0.050, 0.063, 0.080, 0.100, 0.125, 0.200),
)
# Below this a millisecond of the machine's decides a cell: those cells are counted in `lost` and fail nothing.
JUDGED_FROM = 0.020
ROUND_TRIP, CLOUD_ROUND_TRIP = Seconds(0.005), Seconds(0.090)
OURS, STANDING = "edgent", ("codec", "int8")
MOST = 0.05  # of a margin
AGAIN = 3  # times the requests, where a cell fails
BUDGET = 10.0  # seconds of profiling
FAST = BitsPerSecond(1e9)  # while warming
PATIENCE = 10.0
_FIRST = "source"  # what a device sends to learn what a call takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One bandwidth and deadline.

    Attributes:
        bandwidth: Bits per second, both ways.
        deadline: Seconds.
        chosen: What each method runs.
        accuracy: In time, of each method.
        medians: Latencies, in seconds.
        margin: By which a figure may be lower and is not worse.
        borderline: Whether chance decides.
    """

    bandwidth: float
    deadline: float
    chosen: Mapping[str, Chosen]
    accuracy: Mapping[str, float]
    medians: Mapping[str, float]
    margin: float
    borderline: bool

    @property
    def worse_than(self) -> tuple[str, ...]:
        """The standing rivals that Edgent is behind."""
        return tuple(name for name in STANDING if self.accuracy[name] - self.accuracy[OURS] > self.margin)

    @property
    def misplanned(self) -> bool:
        """Whether one of the standing rivals is ahead of all others, and Edgent's plan is not that one."""
        ranked = sorted(set(self.accuracy) - {OURS}, key=lambda name: self.accuracy[name])
        best, ahead = ranked[-1], self.accuracy[ranked[-1]] - self.accuracy[ranked[-2]]
        ours_is_better = self.accuracy[OURS] > self.accuracy[best]
        return best in STANDING and ahead > self.margin and not ours_is_better and not self._runs(best)

    def _runs(self, rival: str) -> bool:
        ours, theirs = (self.chosen[name].setup.configuration for name in (OURS, rival))
        if rival == "codec":
            return ours.upload_cut == 0 and not ours.device_only and ours.codec in IMAGE_CODECS
        return ours == theirs

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "bandwidth_bps": self.bandwidth,
            "deadline_ms": round(self.deadline * 1e3, 3),
            "borderline": self.borderline,
            "margin": round(self.margin, 6),
            "methods": {name: round(value, 6) for name, value in self.accuracy.items()},
            "median_ms": {name: round(self.medians[name] * 1e3, 3) for name in (OURS, *STANDING)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A link state: what is run there, and every request so far.

    Attributes:
        bandwidth: Bits per second, both ways.
        plans: By deadline, what each method runs near by, but for the codec that is best in hindsight.
        far: By deadline, what runs far away.
        setups: All that is run near by.
        near: The requests through each of them.
        cloud: Those through what runs far away.
    """

    bandwidth: float
    plans: Mapping[float, Mapping[str, Chosen]]
    far: Mapping[float, Chosen]
    setups: frozenset[Setup]
    near: Mapping[Setup, LiveRuns] = field(default_factory=dict)
    cloud: Mapping[Setup, LiveRuns] = field(default_factory=dict)

    def with_requests(self, near: Mapping[Setup, LiveRuns], cloud: Mapping[Setup, LiveRuns]) -> State:
        """With more of them, as many through each setup."""
        return replace(self, near=_pooled(self.near, near), cloud=_pooled(self.cloud, cloud))

    def cells(self, bare: Rivals) -> list[Cell]:
        """Every deadline, judged by all requests."""
        draws = Draws.of(min(len(one.totals) for one in self.near.values()), seed=0)
        return [self._cell(deadline, bare, draws) for deadline in self.plans]

    def _cell(self, deadline: float, bare: Rivals, draws: Draws) -> Cell:
        best = bare.best(self.near, self.bandwidth, deadline)
        every = {**self.plans[deadline], "codec": best, "cloud": self.far[deadline]}
        ran = {name: (self.cloud if name == "cloud" else self.near)[each.setup] for name, each in every.items()}
        worth = {name: outcomes(each, ran[name], deadline, draws.requests) for name, each in every.items()}
        widths = [compare([worth[OURS]], [worth[name]], [draws]) for name in STANDING]
        medians = {name: percentile(one.totals, 0.5) for name, one in ran.items()}
        return Cell(
            bandwidth=self.bandwidth,
            deadline=deadline,
            chosen=every,
            accuracy={name: float(one.mean()) for name, one in worth.items()},
            medians=medians,
            margin=min(MOST, HALF_A_POINT + max((one.high - one.low) / 2 for one in widths)),
            borderline=is_borderline([medians[name] for name in (OURS, *STANDING)], deadline),
        )


def _pooled(before: Mapping[Setup, LiveRuns], more: Mapping[Setup, LiveRuns]) -> dict[Setup, LiveRuns]:
    none = LiveRuns(totals=())
    return {setup: replace(one, totals=before.get(setup, none).totals + one.totals) for setup, one in more.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """The planners of the methods that plan, and the bare loop's codecs."""

    near: Mapping[str, Planner]
    cloud: Planner
    bare: Rivals

    @classmethod
    def of(cls, model: Model, device: Profile, edge: Profile) -> Methods:
        """Those of a bundle, on what profiling found."""
        calibration = calibration_for(model)
        table = Candidates.build(model, device, edge, calibration, source="image")
        last = {branch.name: branch.exit for branch in model.branches}
        trained, whole = last["exit4"], (table.upload_cut == 0) & (table.download_cut == table.layers)
        alone = table.upload_cut == table.layers
        rows = {
            OURS: np.ones_like(alone),
            "int8": alone & (table.exit == last[f"{INT8}/exit4"]),
            "device": alone & (table.exit == trained),
            "small": alone & (table.exit == last[f"{SMALL}/exit4"]),
        }
        by_regression = (regressed(model, each) for each in (device, edge))
        theirs = Candidates.build(model, *by_regression, calibration, source="image").restricted(
            exits=[trained], direction="device-first", codecs=[RAW]
        )
        return cls(
            near={name: Planner(table.keep(kept)) for name, kept in rows.items()} | {"neurosurgeon": Planner(theirs)},
            cloud=Planner(table.keep(whole)),
            bare=Rivals.of(model, calibration),
        )


def regressed(model: Model, measured: Profile) -> Profile:
    """A profile as the paper's regressions would have it: one line for each layer type, fitted to its own layers."""
    layers = [
        (cost.kind, cost.paper, seconds)
        for branch in model.branches
        for cost, seconds in zip(layer_costs(model, branch), measured.branch(branch.exit).layers, strict=True)
    ]
    lines = {kind: _line([layer for layer in layers if layer[0] == kind]) for kind in {layer[0] for layer in layers}}

    def predicted(one: BranchProfile) -> BranchProfile:
        costs = layer_costs(model, model.branch(one.exit))
        seconds = tuple(max(0.0, float(lines[cost.kind] @ (1.0, *cost.paper))) for cost in costs)
        return replace(one, layers=seconds, whole=one.whole.scaled(sum(seconds) / one.whole.median))

    return replace(measured, branches=tuple(map(predicted, measured.branches)))


def _line(layers: Sequence[tuple[str, Sequence[float], float]]) -> Any:
    rows = np.array([(1.0, *variables) for _, variables, _ in layers])
    size = np.abs(rows).max(axis=0).clip(min=1e-300)
    return np.linalg.lstsq(rows / size, np.array([seconds for *_, seconds in layers]), rcond=None)[0] / size


class Lab:
    """Edge, bare loop, links and the emulated device."""

    def __init__(self, stack: ExitStack, name: str, seed: int) -> None:
        model = load(name)
        pictures = test_images()
        host = profile(model, OnnxRuntimeEngine(), source=pictures[0], budget=BUDGET)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-rivals-")))
        host.save(folder / "host.json")
        device = hidden_device(host, model, find_device(DEVICE), seed=seed)
        print(f"emulated: {device}", file=sys.stderr)
        self.methods = Methods.of(model, device.profile, host)
        edge = stack.enter_context(ServerProcess.edge(name, folder / "host.json"))
        server = stack.enter_context(ServerProcess.rival(name))
        self.near, self.cloud, self.bare = (
            stack.enter_context(ShapedLink(target, uplink=FAST, round_trip=round_trip))
            for target, round_trip in (
                (edge.address, ROUND_TRIP),
                (edge.address, CLOUD_ROUND_TRIP),
                (server.address, ROUND_TRIP),
            )
        )
        calibration = calibration_for(model)
        assert calibration is not None, "both ship"
        settings = WorkerSettings(
            model=name,
            board=device,
            calibration=calibration.to_json(),
            inputs=pictures,
        )
        self.device = stack.enter_context(DeviceProcess(settings))

    def measured(self, state: State, rounds: int) -> State:
        """The state with so many requests more, through every setup."""
        self._connect(self.cloud, state.bandwidth)
        cloud = self._run({each.setup for each in state.far.values()}, rounds)
        self._connect(self.near, state.bandwidth)
        return state.with_requests(self._run(state.setups, rounds), cloud)

    def state(self, rate: float) -> State:
        """What each method runs, planned on what the device measures of the link."""
        far = self._plans(self.cloud, {"cloud": self.methods.cloud}, rate)
        plans = self._plans(self.near, self.methods.near, rate)
        planned = {each.setup for method in plans.values() for each in method.values()}
        return State(
            bandwidth=rate,
            plans=plans,
            far={deadline: each["cloud"] for deadline, each in far.items()},
            setups=frozenset(planned | self._pilot(rate)),
        )

    def _connect(self, link: ShapedLink, rate: float) -> Conditions:
        link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate))
        return self.device.connect(link.address, self.methods.bare.configuration(_FIRST))

    def _plans(self, link: ShapedLink, planners: Mapping[str, Planner], rate: float) -> dict[float, dict[str, Chosen]]:
        conditions = self._connect(link, rate)
        return {
            deadline: {
                name: chosen(planner.plan(conditions, Seconds(deadline), margin=usual_margin(Seconds(deadline))), rate)
                for name, planner in planners.items()
            }
            for deadline in DEADLINES
        }

    def _pilot(self, rate: float) -> set[Setup]:
        """Two runs of each codec into the bare loop: those that are best for some deadline."""
        bare = self.methods.bare
        self.bare.set(uplink=FAST, downlink=FAST)
        self.device.meet_rival(self.bare.address, tuple(bare.accuracies))
        self.bare.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate))
        pilots = self._run(set(bare.setups(rate).values()), 2)
        return {bare.best(pilots, rate, deadline).setup for deadline in DEADLINES}

    def _run(self, setups: Set[Setup], rounds: int) -> dict[Setup, LiveRuns]:
        ordered = sorted(setups, key=repr)
        return dict(zip(ordered, self.device.run(ordered, rounds, [PATIENCE] * len(ordered)), strict=True))


def decided(measured: Callable[[State, int], State], state: State, bare: Rivals, rounds: int) -> list[Cell]:
    """The cells of a state after so many requests; after `AGAIN` times as many more where one of them fails."""
    state = measured(state, rounds)
    if failed := failures(state.cells(bare)):
        print(f"measured again, {AGAIN} times as often: {'; '.join(failed)}", file=sys.stderr)
        state = measured(state, AGAIN * rounds)
    return state.cells(bare)


def failures(cells: Sequence[Cell]) -> list[str]:
    """The cells that fail, a line each."""
    found = []
    for cell in cells:
        where = f"{format_bandwidth(BitsPerSecond(cell.bandwidth))}, {format_duration(Seconds(cell.deadline))}"
        if not cell.borderline:
            found += [f"{where}: behind {name}" for name in cell.worse_than]
            found += [f"{where}: a rival is best, and the plan is another"] if cell.misplanned else []
    return found


def problems(cells: Sequence[Cell]) -> list[str]:
    """What fails, a line each."""
    found = failures(cells)
    share = statistics.fmean(cell.borderline for cell in cells)
    if share > MOST_BORDERLINE:
        found.append(f"{share:.0%} of the cells are borderline: no evidence")
    return found


def lost(cells: Sequence[Cell]) -> dict[str, Any]:
    """The cells where the bare loop is ahead by more than the margin, borderline ones included, and by how much.

    The picture is the same and so is the network: what differs are bytes around it, and milliseconds in either program.
    """
    behind = [cell for cell in cells if "codec" in cell.worse_than]
    return {
        "cells": len(cells),
        "bare_loop_ahead": len(behind),
        "of_them_borderline": sum(cell.borderline for cell in behind),
        "rows": [
            {
                "bandwidth_bps": cell.bandwidth,
                "deadline_ms": round(cell.deadline * 1e3, 3),
                "edgent_ms": round(cell.medians[OURS] * 1e3, 3),
                "bare_loop_ms": round(cell.medians["codec"] * 1e3, 3),
                "edgent": round(cell.accuracy[OURS], 4),
                "bare_loop": round(cell.accuracy["codec"], 4),
            }
            for cell in behind
        ],
    }


def _print(cells: Sequence[Cell]) -> None:
    names = list(cells[0].accuracy)
    print("Accuracy in time, % (* borderline); in brackets the median latency, ms")
    print(f"{'':10} {'':>9} {'margin':>6} " + " ".join(f"{name[:12]:>12}" for name in names) + "  edgent runs")
    for cell in cells:
        values = " ".join(f"{cell.accuracy[n] * 100:5.1f} ({cell.medians[n] * 1e3:4.0f})" for n in names)
        configuration = cell.chosen[OURS].setup.configuration
        where = "device" if configuration.device_only else configuration.codec
        print(
            f"{format_bandwidth(BitsPerSecond(cell.bandwidth)):>10} {cell.deadline * 1e3:6.1f} ms"
            f"{'*' if cell.borderline else ' '} {cell.margin * 100:5.1f} {values}  {configuration.exit} {where}"
        )
    found = lost(cells)
    print(f"the bare loop is ahead in {found['bare_loop_ahead']} of {found['cells']} cells")


def main() -> int:
    """Measures, prints, judges."""
    parser = command.options(__doc__)
    parser.add_argument(
        "--rounds", type=command.at_least(10), default=30, help="requests through each configuration of a link state"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the device's hidden factors")
    options = parser.parse_args()
    cells: list[Cell] = []
    with ExitStack() as stack:
        lab = Lab(stack, f"{NETWORK}+{INT8}+{SMALL}", options.seed)
        for rate in RATES:
            cells += decided(lab.measured, lab.state(rate), lab.methods.bare, options.rounds)
            print(f"{format_bandwidth(BitsPerSecond(rate))} done", file=sys.stderr)
        print(f"emulated: {lab.device.account()}", file=sys.stderr)
    command.show(options, {"cells": [cell.document() for cell in cells], "lost": lost(cells)}, lambda: _print(cells))
    failed = problems([cell for cell in cells if cell.deadline >= JUDGED_FROM])
    for problem in failed:
        print(problem, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    command.run(main)
