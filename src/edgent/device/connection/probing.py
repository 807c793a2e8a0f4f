"""Measuring a link: from scratch, and again, by probes that each cost what the one before has proven to be little.

From scratch, before the first request: empty probes for the round trip, then each direction by itself.

Again, beside the requests, the link may be any link: a probe that takes 5 ms of one of 10 Mbit/s blocks one of
100 kbit/s for half a second. So an `Ascent` begins with an empty message. Nothing arrives early, so a message of n bits
that took t seconds longer than the way does, timed within e, has proven at least n / (t + e); the next one may have as
many bytes as the rest of the allowance carries at that rate. Each step is some five times as long as the one before.
The ascent ends where one took its time, which tells the bandwidth, or where enough is proven. What took longer than its
bytes can take on a link that has proven what it has was late by chance, as threads are that wake beside a full load: it
is sent once more.

How long the way is, is believed, and may be wrong after trouble, as the bandwidth that was taken off it. So only the
empty message is held against what is believed; the longer ones are held against the empty one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from edgent.device.connection.link_direction import wire_bits
from edgent.device.connection.link_follower import PROBE_SIZES, TELLING
from edgent.link.transfer import CALL_BYTES, TIMING_ERROR
from edgent.wire.edge_client import TimedReply

_SMALL_PROBES = 3
_AROUND = 2 * CALL_BYTES  # bytes of an empty call, both ways together
_FIRST = 100  # bytes of a first step at the least
_GROWS = 1.5  # times the longest so far
_CHANCES = 3  # messages of an ascent that may be late by chance: so many hardly ever are
_SURELY = 2.0  # times what matters: a round trip is not known to the millisecond
_ON_LINK = attrgetter("on_link")

Probe = Callable[[int, int], TimedReply]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedLink:
    """An empty exchange, and one in each direction that took its time; the empty one where that was not asked for."""

    small: TimedReply
    up: TimedReply
    down: TimedReply


class Ascent:
    """Decides the size of one probe after the other; holds no clock.

    Args:
        allowance: Seconds for which all of them together may occupy the link.
        believed: Bits per second of the link as it seems now, which bounds the first step; None: nothing is known.

    >>> ascent = Ascent(allowance=0.03)
    >>> ascent.began(took=0.011, beyond=0.001)
    >>> ascent.next(enough=1e6)
    533
    >>> ascent.passed(533, took=0.011)
    >>> ascent.next(enough=1e6)
    2562
    """

    def __init__(self, *, allowance: float, believed: float | None = None) -> None:
        self._allowance, self._believed = allowance, believed or math.inf
        self._steps: list[tuple[float, float]] = []  # bits on the wire, and seconds beyond the way
        self._empty = self._way = self._proven = 0.0
        self._longest, self._told = 0, False
        self._late = 0  # bytes of the last one, if it took its time for the first time, or by chance
        self._chances = _CHANCES

    @property
    def proven(self) -> float:
        """Bits per second that the link has at the least."""
        return self._proven

    @property
    def occupied(self) -> float:
        """Seconds for which they have occupied the link, at the most."""
        # A thread that wakes late makes a probe seem long; a longer one that was quick disproves that.
        return sum(min(seconds, bits / self._proven) for bits, seconds in self._steps)

    @property
    def cost(self) -> float:
        """Seconds of the link to reckon with before the next ascent."""
        if self._longest:
            return self.occupied
        # Of an empty message by itself nobody knows whether the link was slow, or a thread late: and that must not put
        # off the next look at a link that is well again. Where it is as slow as believed, its bytes tell the cost.
        bits, _ = self._steps[0]
        return min(self.occupied, bits / self._believed)

    def proven_bytes(self, seconds: float) -> int:
        """Bytes that the link is proven to carry in so many seconds."""
        return max(0, self._affordable(self._proven, seconds))

    def began(self, *, took: float, beyond: float) -> None:
        """An empty probe has come back.

        Args:
            took: Seconds.
            beyond: As far as the way's length does not account for them.
        """
        self._empty, self._way = took, took - beyond
        self._step(0, beyond)

    def next(self, enough: float, most: float = math.inf) -> int | None:
        """Bytes of the next probe.

        Args:
            enough: Bits per second that matter: who has proven twice as many needs no more.
            most: Bytes that it may have.

        Returns:
            None: the bandwidth is known so far, or would cost too much to know.
        """
        if self._told or self._proven >= _SURELY * enough:
            return None
        # Chance makes one of them late, and hardly ever the next one too. So one that took its time is made once more,
        # before a link that is well is taken for a slow one.
        if self._late:
            return self._late if self._late <= most else None
        left = self._allowance - self.occupied
        size = self._affordable(self._proven, left)
        # The way's length is not known so well that an empty message could prove much. One that was quick proves enough
        # for one of about its own size, and that costs little even on a link that is still as slow as it seems.
        if not self._longest and left >= self._allowance / 2:
            size = min(max(size, _AROUND), max(self._affordable(self._believed, left), _FIRST))
        # One that is hardly longer would tell hardly more.
        size = int(min(size, most))
        return size if size > _GROWS * max(1, self._longest) else None

    def passed(self, size: int, *, took: float) -> None:
        """A longer one has come back, after so many seconds."""
        # Quicker than the empty one: that was late itself, and the way is as believed; or the way has become shorter
        # meanwhile, and nobody knows how long it is: then all of its time is held against this one.
        shorter = took + TIMING_ERROR < self._way
        if took + TIMING_ERROR < self._empty:
            self._empty = took if shorter else self._way
        beyond, proven = took if shorter else max(0.0, took - self._empty), self._proven
        self._step(size, beyond)
        if shorter:
            self._way = took
        took_its_time = beyond >= TELLING
        by_chance = took_its_time and self._chances > 0 and beyond > self._steps[-1][0] / proven + TIMING_ERROR
        self._chances -= by_chance
        self._told = took_its_time and self._late == size and not by_chance
        self._late = size if took_its_time else 0

    def __repr__(self) -> str:
        return f"<Ascent: {self._longest} B so far, {self.occupied * 1e3:.1f} ms of {self._allowance * 1e3:.1f} ms>"

    @staticmethod
    def _affordable(bandwidth: float, seconds: float) -> int:
        """Bytes of a message that occupies such a link for no longer."""
        return int(min(bandwidth / wire_bits(1) * seconds - _AROUND, PROBE_SIZES[-1]))

    def _step(self, size: int, beyond: float) -> None:
        bits = wire_bits(size + _AROUND)
        self._steps.append((bits, beyond))
        self._proven = max(self._proven, bits / (beyond + TIMING_ERROR))
        self._longest = max(self._longest, size)


def probe_link(probe: Probe, sizes: Sequence[int] = PROBE_SIZES) -> ProbedLink:
    """Probes with bytes up and down.

    Args:
        probe: sends and gets that many bytes.
        sizes: tried in turn until one takes long enough; none: only the empty probes.
    """
    # Whatever disturbs a message makes it later and never earlier, so the quickest of some is the nearest to the truth.
    small = min((probe(0, 0) for _ in range(_SMALL_PROBES)), key=_ON_LINK)
    # One direction at a time: both together would say only how long both took.
    up = _telling(lambda size: probe(size, 0), sizes, small)
    down = _telling(lambda size: probe(0, size), sizes, small)
    return ProbedLink(small=small, up=up, down=down)


def _telling(probe: Callable[[int], TimedReply], sizes: Sequence[int], small: TimedReply) -> TimedReply:
    """Each size twice: delays are only ever added to the truth, and the first one widens TCP's window."""
    quickest = small
    for size in sizes:
        quickest = min(probe(size), probe(size), key=_ON_LINK)
        # Enough once it lasts so much longer than an empty one that the timing error is a small part of the difference.
        # A larger one would tell no more, and on a slow link take seconds.
        if quickest.on_link - small.on_link >= TELLING:
            break
    return quickest
