"""What the demo is asked, and what it found: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgent.errors import InputError
from edgent.planning.plan import Configuration, Stages
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.report import Page

METHODS = ("device-only", "edge-only", "partitioning", "right-sizing", "edgent", "rival")
OURS = "edgent"
RIVAL = "rival"
KNOBS = ("cut", "exit", "codec", "race")
HALF_A_POINT = 0.005

BANDWIDTHS = (50e3, 500e3, 5e6, 20e6)
# A picture to the edge takes about 10, 15 and 60 ms at the upper three bandwidths and 110, 142, 170 ms and more at the
# lowest; the default device by itself 95 to 103 ms (exit 0) or 120 to 140: the deadlines lie between these.
DEADLINES = (0.020, 0.030, 0.085, 0.155, 0.300, 0.600, 1.000)
ROUND_TRIP = Seconds(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to do.

    Attributes:
        model: shipped name or file.
        unplug: cut the link half-way through a run of requests as well.
        device: the emulated device.
        also: a second one, reported beside it.
        bandwidths: bits per second, both directions; each is a link state.
        deadlines: seconds.
        round_trip: of the link.
        samples: live runs of each configuration in each link state, at least.
        live_seconds: what the live runs of all cells together may take, about.
    """

    model: str = "b-alexnet"
    unplug: bool = False
    device: str = "paper-pi3-resident"
    also: str = "pi-3b+"
    bandwidths: tuple[float, ...] = BANDWIDTHS
    deadlines: tuple[float, ...] = DEADLINES
    round_trip: Seconds = ROUND_TRIP
    samples: int = 10
    live_seconds: float = 36.0

    def __post_init__(self) -> None:
        if not self.bandwidths or not self.deadlines or self.samples < 1:
            raise InputError("a demo needs a bandwidth, a deadline and a sample at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is run live: a configuration in a link state; the rival is `bare`.

    What uses no link has no link state, so it is measured once for all.
    """

    configuration: Configuration
    bandwidth: BitsPerSecond | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a method does in a cell.

    Attributes:
        setup: what it runs.
        accuracy: of that configuration, codecs included; nan where unknown.
        predicted: the planner's latency; None where nobody predicted it (the rival).
    """

    setup: Setup
    accuracy: float
    predicted: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A method's result in a cell, or over all; shares as fractions, seconds.

    Attributes:
        deadlines_met: share of the requests in time.
        accuracy_in_time: share of the requests right and in time.
        low, high: 95 % interval of the accuracy in time.
        median, high_latency: 50th and 95th percentile of the latency.
    """

    deadlines_met: float
    accuracy_in_time: float
    low: float
    high: float
    median: float
    high_latency: float

    def document(self) -> dict[str, float]:
        """The four numbers of the JSON form."""
        return {
            "deadlines_met": round(self.deadlines_met, 6),
            "accuracy_in_time": round(self.accuracy_in_time, 6),
            "p50_ms": round(self.median * 1e3, 3),
            "p95_ms": round(self.high_latency * 1e3, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One cell: a bandwidth and a deadline.

    Attributes:
        bandwidth: bits per second.
        deadline: seconds.
        borderline: whether some method's median lies within 5 % of the deadline.
        chosen: what each method runs.
        figures: how that went.
        needed: the knobs without which Edgent's own prediction would be worse by more than half a point.
    """

    bandwidth: BitsPerSecond
    deadline: Seconds
    borderline: bool
    chosen: Mapping[str, Chosen]
    figures: Mapping[str, Figures]
    needed: frozenset[str]

    @property
    def worse_than(self) -> tuple[str, ...]:
        """The methods that Edgent is worse than: by more than half a point, beyond both intervals."""
        ours = self.figures[OURS]
        return tuple(
            name
            for name, theirs in self.figures.items()
            if theirs.accuracy_in_time > ours.accuracy_in_time + HALF_A_POINT and theirs.low > ours.high
        )

    @property
    def lower_than(self) -> tuple[str, ...]:
        """The methods whose figure is more than half a point above Edgent's, be it by chance."""
        ours = self.figures[OURS].accuracy_in_time
        return tuple(name for name, each in self.figures.items() if each.accuracy_in_time > ours + HALF_A_POINT)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "bandwidth_bps": self.bandwidth,
            "deadline_ms": round(self.deadline * 1e3, 6),
            "borderline": self.borderline,
            "methods": {name: figures.document() for name, figures in self.figures.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Live runs of one setup.

    Attributes:
        totals: latency of each, seconds; infinite where nobody answered.
        stages: medians; None for the rival.
    """

    totals: tuple[float, ...]
    stages: Stages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the run with the unplugged link; `at` is seconds after its start."""

    at: float
    total: float
    by: str
    exit: int | None
    deadline_met: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplugged:
    """The run in which the link was cut."""

    bandwidth: BitsPerSecond
    deadline: Seconds
    cut_at: float
    restored_at: float
    requests: tuple[Request, ...]

    @property
    def back_after(self) -> float | None:
        """Seconds from the link's return to the edge's first answer; None if there was none."""
        for request in self.requests:
            if request.by == "edge" and request.at + request.total > self.restored_at:
                return max(0.0, request.at + request.total - self.restored_at)
        return None

    def phase(self, name: str) -> tuple[Request, ...]:
        """The requests "before", "during" or "after" the outage, by their start."""
        bounds = {
            "before": (0.0, self.cut_at),
            "during": (self.cut_at, self.restored_at),
            "after": (self.restored_at, float("inf")),
        }
        first, last = bounds[name]
        return tuple(request for request in self.requests if first <= request.at < last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The second device: planned in every cell, its own answer measured.

    Attributes:
        name: of the device.
        alone_suffices: share of cells in which nothing promises a better accuracy in time than the device alone.
        plans: of each cell: bandwidth, deadline, what is planned in words, predicted latency, whether in time.
        totals: live latencies of the last exit on the device alone.
    """

    name: str
    alone_suffices: float
    plans: tuple[tuple[float, float, str, float, bool], ...]
    totals: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What it ran on, and how well that stood in for a slower device.

    Attributes:
        machine: in words.
        engine: what ran the graphs.
        device: the emulated device in words.
        pieces: pieces of work that were held to the device's pace.
        overruns: those that took the host longer than the device should need.
        worst_overrun: seconds.
        commands: that repeat what is shown.
    """

    machine: str
    engine: str
    device: str
    pieces: int
    overruns: int
    worst_overrun: float
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Everything the demo found."""

    options: DemoOptions
    model: str
    digest: str
    data: str
    host: Host
    points: tuple[Point, ...]
    overall: Mapping[str, Figures]
    measured: Mapping[Setup, Measured]
    beside: Beside | None = None
    unplugged: Unplugged | None = None
    seconds: float = 0.0
    transport: tuple[tuple[BitsPerSecond, str, float], ...] = field(default=())
    """Bandwidth, codec, seconds that our transport takes longer than the bare socket (medians)."""

    def to_json(self) -> dict[str, Any]:
        """The document of `edgent demo --json`."""
        return {
            "methods": {name: figures.document() for name, figures in self.overall.items()},
            "points": [point.document() for point in self.points],
        }

    def page(self) -> Page:
        """The report."""
        from edgent.demo.page import page

        return page(self)

    @property
    def prediction_errors(self) -> tuple[float, ...]:
        """Of each setup that a planner chose: |predicted - measured median| / measured median."""
        found: dict[Setup, float] = {}
        for chosen in (c for point in self.points for c in point.chosen.values()):
            if chosen.predicted is not None and chosen.setup in self.measured:
                median = sorted(totals := self.measured[chosen.setup].totals)[len(totals) // 2]
                found[chosen.setup] = abs(chosen.predicted - median) / median
        return tuple(found.values())
