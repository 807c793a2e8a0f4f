"""Whether a request can be in time, before anything is done for it: how long work takes, who is done when. Pure.

A request that will be late costs the edge as much as one that is not, and helps nobody. Under overload those would be
nearly all: each waits until its deadline has almost passed, and is computed for nothing. So who comes is let in only
if the waiting, itself among them, can all be in time by what is known; and who is refused learns it at once, while the
device still has the time to answer by itself.

Three things are known::

    Durations   how long a piece of work takes: by the profile at first, then by the last times that it took
    ends        when each of those who wait is done, if each takes its duration, in their order, on the free slots
    Lateness    by how much such predictions were too early of late: what has to be kept free before a deadline

What is measured ages. An edge that was slow for a while would otherwise refuse all that could show it that it is not
any more.
"""

from __future__ import annotations

import heapq
import math
import statistics
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

_KEPT_WORK = 256  # pieces of work that are remembered; callers may name as many as they like
_TIMES, _ENOUGH = 9, 3  # whose median counts, and from how many on: the first one may have made a session
_FRESH = 2.0  # seconds after which the last time says nothing of how fast the edge is now
_ERRORS = 64  # predictions that are remembered
# Of the predictions that are to be kept. Under overload each of those that are let in has just enough time, so what is
# not kept is computed for nothing; but a margin for all of them would be one for the worst, and refuse what would be in
# time at the loads below. In virtual time, with work of uneven length: at 4 times the load 1 to 4 % more than with 0.9,
# at the capacity itself 2 % more to 6 % less; with 0.97 up to 8 % less.
_SHARE = 0.95


@dataclass(slots=True)
class _Times:
    """The last times of a piece of work, none long after the one before; their median, and when the last one ended."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMES))
    median: float = 0.0
    at: float = -math.inf


class Durations:
    """How long each piece of work takes now."""

    def __init__(self) -> None:
        self._times: OrderedDict[Hashable, _Times] = OrderedDict()

    def took(self, work: Hashable, seconds: float, at: float) -> None:
        """A piece of work was done at a moment, and took so long."""
        times = self._times.setdefault(work, _Times())
        if at - times.at >= _FRESH:
            times.seconds.clear()
        times.seconds.append(seconds)
        # Here and not where it is asked for: each request that comes asks for all that wait.
        times.median, times.at = statistics.median(times.seconds), at
        self._times.move_to_end(work)
        if len(self._times) > _KEPT_WORK:
            self._times.popitem(last=False)

    def expected(self, work: Hashable, profiled: float, at: float) -> float:
        """What it is expected to take: the median of the last times, or what was profiled where there are too few."""
        times = self._times.get(work)
        if times is None or len(times.seconds) < _ENOUGH or at - times.at >= _FRESH:
            return profiled
        return times.median

    def __repr__(self) -> str:
        return f"<Durations of {len(self._times)} pieces of work>"


class Lateness:
    """How much later than predicted requests were done of late."""

    def __init__(self) -> None:
        self._errors: deque[float] = deque(maxlen=_ERRORS)
        self._margin: float | None = 0.0

    def done(self, predicted: float, at: float) -> None:
        """A request was done; when that was predicted for."""
        self._errors.append(at - predicted)
        self._margin = None

    @property
    def margin(self) -> float:
        """Seconds to keep free between a predicted end and the deadline."""
        # Found where it is asked for: where nobody waits, nobody asks.
        if self._margin is None:
            # A quantile and no multiple of a spread: what makes an edge late (other programs, the interpreter's lock)
            # has a long tail on one side.
            self._margin = max(0.0, sorted(self._errors)[math.ceil(_SHARE * len(self._errors)) - 1])
        return self._margin

    def __repr__(self) -> str:
        return f"<Lateness: {self.margin * 1e3:.1f} ms are kept free>"


def ends(free: Iterable[float], seconds: Iterable[float]) -> list[float]:
    """When pieces of work are done that begin in this order, each on the slot that is free first.

    Args:
        free: from when on each slot is free.
        seconds: what each takes.

    >>> ends([0.0, 1.0], [3.0, 1.0, 1.0])
    [3.0, 2.0, 3.0]
    """
    slots = list(free)
    heapq.heapify(slots)
    found = []
    for takes in seconds:
        found.append(slots[0] + takes)
        heapq.heapreplace(slots, found[-1])
    return found


def admitted(free: Sequence[float], waiting: Sequence[tuple[float, float]], place: int, margin: float) -> float | None:
    """When one of those who wait is done, if it can be there without making anybody late, itself included; else None.

    Args:
        free: from when on each slot is free.
        waiting: the newcomer among the others: what each takes, and when it is due.
        place: the newcomer's.
        margin: see `Lateness`.
    """
    among = ends(free, (seconds for seconds, _ in waiting))
    if among[place] > waiting[place][1] - margin:
        return None
    # Who is before it does not notice it, and who is late anyway is no reason to refuse others.
    if others := waiting[place + 1 :]:
        without = ends(free, (seconds for seconds, _ in (*waiting[:place], *others)))
        behind = zip(without[place:], among[place + 1 :], others, strict=True)
        if any(now > due - margin >= before for before, now, (_, due) in behind):
            return None
    return among[place]
