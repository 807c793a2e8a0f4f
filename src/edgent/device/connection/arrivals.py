"""When the next request will come, of requests that come regularly: a camera's, a conveyor belt's."""

from __future__ import annotations

import math

from edgent.units import Seconds

_ALIKE = 0.1  # share by which a gap may differ from the ones before
_REGULAR = 3  # gaps alike, so that it is no chance
_SILENT = 3  # periods after which they seem to have ended
_GAIN = 0.2


class Arrivals:
    """Follows the times of requests; holds no clock.

    >>> arrivals = Arrivals()
    >>> for k in range(5):
    ...     arrivals.came(Seconds(2.0 * k))
    >>> arrivals.next(Seconds(8.5))
    10.0
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._period, self._alike = math.inf, 0

    def came(self, at: Seconds) -> None:
        """A request has come."""
        gap, self._last = at - self._last, at
        if self._period < math.inf and abs(gap - self._period) <= _ALIKE * self._period:
            self._alike += 1
            self._period += _GAIN * (gap - self._period)
        else:
            self._period, self._alike = gap, 1

    @property
    def period(self) -> float:
        """Seconds between requests; infinite where they do not come regularly."""
        return self._period if self._alike >= _REGULAR else math.inf

    def next(self, after: Seconds) -> float:
        """When the first one later than this is expected; infinite where none is."""
        since = after - self._last
        if not since <= _SILENT * self.period < math.inf:
            return math.inf
        return self._last + self.period * max(1, math.floor(since / self.period) + 1)

    def __repr__(self) -> str:
        return f"<Arrivals of {self.period:.3g} s>"
