"""The second device of the demo: the plans that it would get, and its own answers, measured live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgent.codec import Calibration
from edgent.demo.paper.methods import planners, promise
from edgent.demo.paper.values import OURS, DemoOptions
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.boards.hidden import HiddenDevice
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import Setup, WorkerSettings
from edgent.latency import Profile
from edgent.model import Model
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import TOLERANCE, Planner, usual_margin
from edgent.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The second device: planned in every cell, its own answer measured.

    Attributes:
        name: of the device, in words.
        alone_suffices: share of cells in which nothing promises a better accuracy in time than the device alone.
        plans: of each cell, by bandwidth and deadline.
        totals: live latencies of the last exit on the device alone.
        account: how well this machine kept the second device's pace.
    """

    name: str
    alone_suffices: float
    plans: Mapping[tuple[float, float], Plan]
    totals: tuple[float, ...]
    account: EmulationReport


def beside(
    board: HiddenDevice,
    model: Model,
    host: Profile,
    calibration: Calibration | None,
    conditions_of: Mapping[float, Conditions],
    options: DemoOptions,
    settings: WorkerSettings,
) -> Beside:
    """Plans for the second device in every cell, and measures what it takes alone.

    Args:
        board: the second one.
        model: what is run.
        host: this machine's profile, and so the edge's.
        calibration: of the model.
        conditions_of: the conditions that the first device measured, by bandwidth.
        options: of the demo.
        settings: of the first device's process.
    """
    table = Candidates.build(model, board.profile, host, calibration, source="image")
    methods = planners(table)
    cells = [(bandwidth, deadline) for bandwidth in options.bandwidths for deadline in options.deadlines]
    plans, alone = (
        {cell: _plan(methods[name], conditions_of[cell[0]], Seconds(cell[1])) for cell in cells}
        for name in (OURS, "device-only")
    )
    # Planned on the conditions of the first device: the link is the same, and measuring it again would take as long.
    totals, account = _alone(model, replace(settings, board=board), options.samples)
    return Beside(
        name=str(board),
        alone_suffices=sum(promise(alone[cell]) >= promise(plans[cell]) - TOLERANCE for cell in cells) / len(cells),
        plans=plans,
        totals=totals,
        account=account,
    )


def _plan(planner: Planner, conditions: Conditions, deadline: Seconds) -> Plan:
    return planner.plan(conditions, deadline, margin=usual_margin(deadline))


def _alone(model: Model, settings: WorkerSettings, samples: int) -> tuple[tuple[float, ...], EmulationReport]:
    """Latencies of the last exit on the device alone, measured live, and how well its pace was kept."""
    last = max(model.branches, key=lambda branch: branch.exit)
    whole = len(last.layers)
    setup = Setup(configuration=Configuration(exit=last.exit, upload_cut=whole, download_cut=whole))
    with DeviceProcess(settings) as process:
        process.connect("", None)
        (live,) = process.run([setup], samples, [1.0])
        return live.totals, process.account()
