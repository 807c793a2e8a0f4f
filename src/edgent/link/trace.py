"""Bandwidth over time: what a recorded, made or generated link carries, and when a transfer on it ends."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.units import Seconds, format_bandwidth, format_duration

Floats = NDArray[np.float64]

PLAUSIBLE = (10e3, 200e6)
"""Bits per second: a median that is not between is taken for a mix-up of units, and said so."""

_LONG_OUTAGE = 600.0  # seconds
_MIX_UPS = (1e-3, 1e3, 1e-6, 1e6, 1e-9, 1e9)
_SILENT, _SPELLS = 0.25, 5  # of the time, in so many spells: recorded links are rarely out for so long, so often
_SILENCE = 0.5  # seconds
_HARDLY = 0.001  # of the highest bandwidth: a phone that nobody uses still chatters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Trace:
    """Bandwidth over time, constant from each start to the next; 0 is an outage.

    Attributes:
        name: Where it is from.
        starts: Seconds, rising from 0, shape (m,).
        bandwidths: Bits per second, shape (m,).
        duration: Seconds.
        loops: Whether it begins again after its end; else the last value holds.
        downlink: How many times as fast the way down is as the way up, whose bandwidth this is.
    """

    name: str
    starts: Floats
    bandwidths: Floats
    duration: Seconds
    loops: bool = False
    downlink: float = 1.0
    _carried: Floats = field(init=False, repr=False)  # bits before each start, shape (m,)
    _all: float = field(init=False, repr=False)  # bits from the beginning to the end
    # Starts, bandwidths and carried bits once more: what is asked one by one is found sooner so than in numpy's arrays.
    _single: tuple[array[float], array[float], array[float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.starts.size or self.starts.shape != self.bandwidths.shape:
            raise InputError(
                f"{self.name}: found {self.starts.size} starts and {self.bandwidths.size} bandwidths, "
                "expected 1 or more, and as many of both"
            )
        rising = self.starts[0] == 0 and np.all(np.diff(self.starts) > 0)
        if not (rising and self.starts[-1] < self.duration < math.inf):
            raise InputError(f"{self.name}: time runs backwards or stands still, expected rising times")
        if not np.all(np.isfinite(self.bandwidths) & (self.bandwidths >= 0)):
            raise InputError(f"{self.name}: expected finite bandwidths, 0 or more")
        if not 0 < self.downlink < math.inf:
            raise InputError(
                f"{self.name}: found a downlink {self.downlink!r} times as fast, expected a positive number"
            )
        if not self.bandwidths.any():
            raise InputError(f"{self.name}: nothing ever gets through, expected some bandwidth above 0")
        carried = np.concatenate([[0.0], np.cumsum(self._lengths * self.bandwidths)])
        object.__setattr__(self, "_carried", carried[:-1])
        object.__setattr__(self, "_all", float(carried[-1]))
        copies = tuple(array("d", values.tobytes()) for values in (self.starts, self.bandwidths, self._carried))
        object.__setattr__(self, "_single", copies)

    def at(self, time: float) -> float:
        """The bandwidth at a time, bits per second."""
        starts, bandwidths, _ = self._single
        if self.loops:
            time %= self.duration
        return bandwidths[max(bisect_right(starts, time) - 1, 0)]

    def arrival(self, begin: float, bits: float) -> float:
        """When a transfer that begins then has carried its bits, the trace integrated meanwhile; inf if never."""
        if begin == math.inf:
            return math.inf
        if self.loops:
            return float(self.arrivals(np.array([begin]), np.array([bits]))[0])
        starts, bandwidths, carried = self._single
        first = max(bisect_right(starts, begin) - 1, 0)
        # Bits carried since the trace's beginning only rise, so the end of a transfer is looked up and not walked to.
        goal = carried[first] + bandwidths[first] * (begin - starts[first]) + bits
        last = max(bisect_left(carried, goal) - 1, first)
        left = max(goal - carried[last], 0.0)
        if left > 0 and not bandwidths[last]:
            return math.inf
        return max(begin, starts[last] + (left / bandwidths[last] if left else 0.0))

    def arrivals(self, begins: Floats, bits: Floats) -> Floats:
        """`arrival` of many transfers, each alone on the link; infinite where one begins at infinity."""
        lost = np.isinf(begins)
        begins = np.where(lost, 0.0, begins)
        if not self.loops:
            return np.where(lost, np.inf, self._ends(begins, bits))
        # Whole loops are skipped, so a transfer of hours on a loop of a millisecond is found as soon as any other.
        before = np.floor(begins / self.duration) * self.duration
        goal = self._carried_by(begins - before) + bits
        whole = np.maximum(np.ceil(goal / self._all) - 1, 0.0)  # loops that end while it is under way
        within = np.where(whole > 0, 0.0, begins - before)
        last = self._ends(within, np.where(whole > 0, goal - whole * self._all, bits))
        return np.where(lost, np.inf, np.maximum(begins, before + whole * self.duration + last))

    def _ends(self, begins: Floats, bits: Floats) -> Floats:
        """When transfers that begin in the trace end, in it or after its end; infinite if never."""
        first = self._pieces(begins)
        goal = self._carried_by(begins) + bits
        last = np.maximum(np.searchsorted(self._carried, goal, side="left") - 1, first)
        left = np.maximum(goal - self._carried[last], 0.0)
        rate = self.bandwidths[last]
        with np.errstate(divide="ignore", invalid="ignore"):
            end = self.starts[last] + np.where(left > 0, left / rate, 0.0)
        return np.maximum(begins, end)

    def _carried_by(self, times: Floats) -> Floats:
        """Bits from the beginning to some times in the trace."""
        piece = self._pieces(times)
        return self._carried[piece] + self.bandwidths[piece] * (times - self.starts[piece])

    def scaled(self, factor: float) -> Trace:
        """The same trace, `factor` times as fast.

        Raises:
            InputError: the factor is not positive and finite.
        """
        if not 0 < factor < math.inf:
            raise InputError(f"scale {factor!r}: expected a positive, finite number")
        return replace(self, bandwidths=self.bandwidths * factor)

    @property
    def mean(self) -> float:
        """Bits per second, weighted by time."""
        return float(self.bandwidths @ self._lengths) / self.duration

    @property
    def outage(self) -> Seconds:
        """The longest time in which nothing gets through."""
        return Seconds(float(self._silences(0.0).max(initial=0.0)))

    def _silences(self, most: float) -> Floats:
        """Seconds of each spell in which no more than that gets through, bits per second."""
        rounds = 2 if self.loops else 1  # a spell at the end goes on at the beginning
        silent = np.concatenate([[False], np.tile(self.bandwidths <= most, rounds), [False]])
        begins, ends = np.flatnonzero(np.diff(silent)).reshape(-1, 2).T  # where silence begins, and where it ends
        passed = np.concatenate([[0.0], np.cumsum(np.tile(self._lengths, rounds))])
        spells: Floats = passed[ends] - passed[begins]
        return spells

    @property
    def doubts(self) -> tuple[str, ...]:
        """What seems wrong with it, a line each; a trace that is doubted can be used all the same."""
        doubts = []
        if (scale := self._plausible_scale) is not None:
            median, plausible = format_bandwidth(self._median), format_bandwidth(scale * self._median)
            doubts.append(
                f"a median of {median} is {'more' if scale < 1 else 'less'} than such links have: are the units mixed "
                f"up? --scale {scale:g} makes it {plausible}"
            )
        if self.outage > _LONG_OUTAGE:
            doubts.append(f"nothing gets through for {format_duration(self.outage)} on end")
        # Shorter silences are a radio that sleeps; those of people who look at what they have got last for seconds.
        silences = self._silences(_HARDLY * self.bandwidths.max())
        silences = silences[silences >= _SILENCE]
        share = float(silences.sum()) / self.duration
        # Where a line is a packet that may pass, as in what loops, seconds without any are but a slow link.
        if share >= _SILENT and silences.size >= _SPELLS and not self.loops:
            doubts.append(
                f"hardly anything passes in {share:.0%} of the time, in {silences.size} spells: this looks like a log "
                "of traffic, which tells what was sent and not what the link could carry; a replay takes it for outages"
            )
        return tuple(f"{self.name}: {doubt}" for doubt in doubts)

    @property
    def _plausible_scale(self) -> float | None:
        """What makes the median plausible; None where it is so, or where no mix-up of units does."""
        low, high = PLAUSIBLE
        if not self._median or low <= self._median <= high:
            return None
        return next((scale for scale in _MIX_UPS if low <= scale * self._median <= high), None)

    @property
    def _median(self) -> float:
        """Bits per second, weighted by time."""
        order = np.argsort(self.bandwidths)
        half = int(np.searchsorted(np.cumsum(self._lengths[order]), self.duration / 2))
        return float(self.bandwidths[order[min(half, order.size - 1)]])

    def _pieces(self, times: Floats) -> NDArray[np.intp]:
        return np.maximum(np.searchsorted(self.starts, times, side="right") - 1, 0)

    @property
    def _lengths(self) -> Floats:
        return np.diff(self.starts, append=self.duration)

    def __repr__(self) -> str:
        return f"<Trace {self.name}: {format_duration(self.duration)}, {format_bandwidth(self.mean)} on average>"
