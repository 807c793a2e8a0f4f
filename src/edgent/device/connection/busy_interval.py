"""What the uplink carries while several messages have it together.

A message that shares the link takes longer than its own bytes do: behind those before it, or by turns with them. What
all of them had together, over the time for which they kept it busy, tells its rate all the same::

    a  |=====------|               by turns: neither had the link for itself
    b    |------===|
       |<--------->|               but it carried a and b in this time

Of what is still under way nobody knows how much was carried already: short messages come one behind the other, and
long ones take turns. So messages are added up until that is little beside what has arrived.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.units import Seconds

_LITTLE = 0.25  # of what has arrived: a rate within a quarter


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A message that nobody has answered yet: its bytes, and when they were sent."""

    size: int
    began_at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Bytes that the link carried, the seconds for which it was busy with them, and when that began."""

    size: float
    seconds: float
    began_at: Seconds


class BusyInterval:
    """Adds messages up; holds no clock. One that has the link for itself is told as it came.

    Attributes:
        until: When the last byte that has arrived was carried.

    >>> busy, other = BusyInterval(), UnderWay(size=1000, began_at=Seconds(1.0))
    >>> busy.carried(1000, 0.2, Seconds(1.0), [other])
    >>> busy.carried(1000, 0.2, Seconds(1.0))
    Carried(size=2000.0, seconds=0.2, began_at=1.0)
    """

    def __init__(self) -> None:
        self.until = Seconds(-math.inf)
        self._begin(0.0)

    def carried(
        self, size: float, seconds: float, began_at: Seconds, under_way: Sequence[UnderWay] = ()
    ) -> Carried | None:
        """A message has arrived.

        Args:
            size: Its bytes.
            seconds: From its beginning to its end, round trip and calls taken off.
            began_at: When it was sent.
            under_way: The others that were sent and have not arrived.

        Returns:
            What tells the rate; None: not yet.
        """
        if self.until <= min((other.began_at for other in under_way), default=began_at) and self.until <= began_at:
            self._begin(0.0)  # the link was free, and what was before has nothing to do with this
        ended_at = Seconds(began_at + seconds)
        self._spans.append((began_at, ended_at))
        self._bytes += size
        self.until = max(self.until, ended_at)
        beside = _bytes_before(ended_at, under_way)
        if self._beside + beside > _LITTLE * self._bytes:
            return None
        carried = Carried(size=self._bytes, seconds=self._busy(), began_at=max(self._since, min(self._spans)[0]))
        self._begin(beside)
        return carried

    def interrupted(self, until: Seconds, under_way: Sequence[UnderWay] = ()) -> None:
        """Until then the link had bytes of which nobody knows how many."""
        self.until = max(self.until, until)
        self._begin(_bytes_before(until, under_way))

    def _begin(self, beside: float) -> None:
        # Of what is under way a part was carried before, though all of it will be counted once it arrives.
        self._since, self._beside = self.until, beside
        self._bytes = 0.0
        self._spans: list[tuple[Seconds, Seconds]] = []

    def _busy(self) -> float:
        """Seconds in which the link had any of the messages; those between them it was free."""
        busy, reached = 0.0, self._since
        for begin, end in sorted(self._spans):
            if end > reached:
                busy, reached = busy + end - max(begin, reached), end
        return busy

    def __repr__(self) -> str:
        return f"<BusyInterval until {self.until:.3f} s, {self._bytes:.0f} B untold>"


def _bytes_before(ended_at: Seconds, under_way: Sequence[UnderWay]) -> int:
    """Bytes of what was sent before something ended, and may have shared the link with it."""
    return sum(other.size for other in under_way if other.began_at < ended_at)
