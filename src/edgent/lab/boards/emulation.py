"""Slow devices, emulated: work returns no earlier than a table says it takes on them.

The table is this machine's *profile*, made before, times factors; never the time that the work took now is multiplied:
a host's own speed wanders by 1.1-1.9 times, and a factor of 100 would make that the device's. Where the host needed
longer than promised, that is an *overrun*; they are counted, to be printed.

One constant factor does not make a real board: what is known of its range stands beside it, and is to be printed
wherever such a device is used. `edgent.lab.boards.hidden` makes devices of it whose layers differ, as a board's do.
"""

from __future__ import annotations

import math
import random
import threading
from dataclasses import dataclass

from edgent.clock import Clock, MonotonicClock
from edgent.errors import InputError
from edgent.latency import Profile
from edgent.planning.conditions import SLICE
from edgent.units import Seconds, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedDevice:
    """A device that this machine can stand in for.

    Either `factor` or `whole` says how slow it is.

    Attributes:
        name: What profiles and reports call it.
        description: What it stands for, where its figure is from, and what range that has.
        factor: How many times slower than the profiled machine.
        whole: Seconds that its slowest whole branch takes on it: the last exit's, and in a bundle the largest file's.
        low: The least factor measured for it, by network; None where that is unknown.
        high: The largest.
        spread: Standard deviation of the factor's logarithm between networks; where it is unknown, that of the boards.
        edge: Seconds that this branch takes on the edge that belongs to it, if one does.
    """

    name: str
    description: str
    factor: float | None = None
    whole: Seconds | None = None
    low: float | None = None
    high: float | None = None
    spread: float = 0.18
    edge: Seconds | None = None

    def __post_init__(self) -> None:
        stated = [value for value in (self.factor, self.whole) if value is not None]
        if len(stated) != 1 or not stated[0] > 0:
            raise InputError(f"emulated device {self.name}: expected one of factor and whole, and a positive one")

    def factor_on(self, profile: Profile) -> float:
        """How many times slower than the machine of `profile` it is."""
        if self.factor is not None:
            return self.factor
        assert self.whole is not None
        # A device stated in seconds has these seconds on every host: its factor follows from the host's own profile.
        return self.whole / _slowest(profile)

    def edge_profile(self, profile: Profile) -> Profile:
        """The profile of the edge that belongs to it, out of that of this machine; that itself where none does."""
        if self.edge is None:
            return profile
        return profile.scaled(self.edge / _slowest(profile), f"the edge of {self.name}")

    def __str__(self) -> str:
        return f"{self.name} (emulated): {self.description}"


def _slowest(profile: Profile) -> float:
    return max(branch.whole.median for branch in profile.branches)


_NCNN = (
    "median of what ncnn's published benchmark table gives by network, one thread of it against one of an EPYC 7742; "
    "other networks lie anywhere in the range, and this machine may be no EPYC"
)


def _board(name: str, board: str, factor: float, low: float, high: float, spread: float) -> EmulatedDevice:
    description = f"{board}, {factor:g} times slower than this machine (range {low:g}-{high:g}: {_NCNN})"
    return EmulatedDevice(name=name, description=description, factor=factor, low=low, high=high, spread=spread)


DEVICES: tuple[EmulatedDevice, ...] = (
    EmulatedDevice(
        name="paper-pi3",
        description=(
            "the paper's Raspberry Pi 3 as its first figure has it: the last exit's whole branch takes 2.2 s (printed: "
            "above 2 s, range unknown; it probably loads the model at each request), beside an edge that needs 7.5 ms"
        ),
        whole=Seconds(2.2),
        edge=Seconds(0.0075),
    ),
    EmulatedDevice(
        name="paper-pi3-resident",
        description=(
            "the paper's Raspberry Pi 3 with the model kept in memory: the last exit's whole branch takes 110 ms, "
            "by the per-layer regressions of the paper's first version, recalled and not re-read (range unknown)"
        ),
        whole=Seconds(0.110),
        edge=Seconds(0.0075),
    ),
    _board("pi-3b+", "Raspberry Pi 3B+", 13.0, 8.6, 19.9, 0.16),
    _board("pi-4", "Raspberry Pi 4B", 7.2, 4.4, 11.2, 0.19),
    _board("pi-5", "Raspberry Pi 5", 1.3, 0.8, 2.0, 0.18),
)


def find_device(name: str) -> EmulatedDevice:
    """The device of that name.

    Raises:
        InputError: there is none.
    """
    for device in DEVICES:
        if device.name == name:
            return device
    raise InputError(f"no emulated device is called {name!r}: expected {', '.join(d.name for d in DEVICES)}")


def emulated_profile(profile: Profile, device: EmulatedDevice) -> Profile:
    """The profile that `device` would have, out of that of this machine.

    Raises:
        InputError: the profile is an emulated one itself.
    """
    # Scaling twice would multiply the factors without a word.
    if profile.emulated is not None:
        raise InputError(f"the profile already stands for {profile.emulated}: expected one of this machine itself")
    return profile.scaled(device.factor_on(profile), device.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """A step of the clock rate, as when a board without a fan is hot.

    Attributes:
        after: Seconds of computing after which it comes.
        factor: How many times slower it is from then on.
    """

    after: Seconds
    factor: float

    def __post_init__(self) -> None:
        if not (0 <= self.after < float("inf") and 0 < self.factor < float("inf")):
            raise InputError(f"throttling by {self.factor!r} after {self.after!r} s: expected positive, finite numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulationReport:
    """How well this machine kept the pace of a slower one.

    Attributes:
        pieces: Number of pieces of work that were held to its pace.
        overran: How many of them took longer here than on the slow machine, and so came too late.
        worst: By how many seconds at most.
    """

    pieces: int = 0
    overran: int = 0
    worst: float = 0.0

    def __add__(self, other: EmulationReport) -> EmulationReport:
        return EmulationReport(
            pieces=self.pieces + other.pieces,
            overran=self.overran + other.overran,
            worst=max(self.worst, other.worst),
        )

    def __str__(self) -> str:
        by = f", by {format_duration(self.worst)} at most" if self.overran else ""
        late = f"this machine finished {self.overran} later than the device would have{by}"
        return f"of {self.pieces} pieces of work {late}"


class Emulated:
    """The pace of a slow device (see `edgent.engine.pace.Pace`); thread-safe.

    Args:
        name: Of the device, for reports.
        jitter: Standard deviation of the logarithm of each piece's time.
        throttle: When and by how much it slows down; None: it does not.
        seed: Of the jitter.
        clock: The device's own.
    """

    def __init__(
        self,
        name: str,
        *,
        jitter: float = 0.0,
        throttle: Throttle | None = None,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= jitter < float("inf"):
            raise InputError(f"jitter {jitter!r} is not a finite number, 0 or more")
        self.name = name
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()
        self._jitter, self._random = jitter, random.Random(seed)
        self._throttle = throttle
        self._computed = 0.0
        self._free_at = -math.inf
        self._account = EmulationReport()

    @property
    def computed(self) -> Seconds:
        """Seconds that all work so far takes on the slow device."""
        return Seconds(self._computed)

    @property
    def account(self) -> EmulationReport:
        """How well this machine stood in for the device so far."""
        return self._account

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """Returns `seconds` after `started_at`, or at once if that is over: an overrun.

        Jitter and throttling come on top. The device computes one thing at a time: work that begins while other work
        still runs ends no earlier than that does, and its own time later. What is shorter than a time slice goes
        between, and delays what begins later.

        Work that takes no time by the table is free on the emulated device too, and not counted.
        """
        if seconds <= 0:
            return
        # Under the lock: requests from several threads share one processor on the slow device.
        with self._lock:
            takes = self._takes(seconds)
            # A short piece does not wait for a long one: the kernel's scheduler would give it its slice in between. Its
            # time is still taken from what comes later, for the processor can do no two things at once.
            until = (started_at if takes < SLICE else max(started_at, self._free_at)) + takes
            self._free_at = max(started_at, self._free_at) + takes
            late = self._clock.now() - until
            self._account += EmulationReport(pieces=1, overran=int(late > 0), worst=max(0.0, late))
        # Outside the lock, so that others can begin meanwhile.
        self._clock.sleep_until(until)

    def _takes(self, seconds: float) -> float:
        if self._jitter:
            # Log-normal of median 1: times vary by a factor, and never become negative.
            seconds *= self._random.lognormvariate(0.0, self._jitter)
        # By time computed and not by time passed: a board grows hot from work.
        if self._throttle is not None and self._computed >= self._throttle.after:
            seconds *= self._throttle.factor
        self._computed += seconds
        return seconds

    def __repr__(self) -> str:
        return f"<Emulated {self.name}: {self._account}>"
