"""The values of the demo: its options, what was planned, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgent.demo.paper.cells import BANDWIDTHS, DEADLINES
from edgent.errors import InputError
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup
from edgent.planning.conditions import Conditions
from edgent.units import Seconds

# In the order of tables, plots and colours.
METHODS = ("device-only", "edge-only", "partitioning", "right-sizing", "edgent", "rival")
OURS = "edgent"
RIVAL = "rival"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of the demo.

    Attributes:
        model: shipped name or file.
        unplug: cut the link half-way through a run of requests as well.
        device: the emulated device.
        also: a second one, reported beside it.
        hidden_seed: of both devices' hidden factors.
        bandwidths: bits per second, both directions; each is a link state.
        deadlines: seconds.
        round_trip: of the link.
        samples: live runs of each configuration in each link state, at least.
        live_seconds: what all live runs together may take, the unplugged link included, about.
    """

    model: str = "b-alexnet"
    unplug: bool = False
    device: str = "paper-pi3-resident"
    also: str = "pi-3b+"
    hidden_seed: int = 0
    bandwidths: tuple[float, ...] = BANDWIDTHS
    deadlines: tuple[float, ...] = DEADLINES
    round_trip: Seconds = Seconds(0.005)
    samples: int = 10
    live_seconds: float = 52.0

    def __post_init__(self) -> None:
        if not self.bandwidths or not self.deadlines or self.samples < 1:
            raise InputError("a demo needs a bandwidth, a deadline and a sample at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The choice of a method in a cell.

    Attributes:
        setup: what it runs.
        accuracy: of that configuration, codecs included; nan where unknown.
        predicted: the planner's latency; None where nobody predicted it (the rival).
    """

    setup: Setup
    accuracy: float
    predicted: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A bandwidth and a deadline, planned.

    Attributes:
        bandwidth: that the link is set to.
        deadline: seconds.
        conditions: link and edge as the device measured them; what was planned on.
        chosen: what each planned method would run.
        needed: the knobs without which Edgent would promise less, by a point or more.
    """

    bandwidth: float
    deadline: float
    conditions: Conditions
    chosen: Mapping[str, Chosen]
    needed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """All live runs of the cells.

    Attributes:
        cells: as planned.
        measured: each setup that some method chose.
        decisions: what the device itself decided, by bandwidth and deadline.
    """

    cells: tuple[Cell, ...]
    measured: Mapping[Setup, LiveRuns]
    decisions: Mapping[tuple[float, float], Decision]
