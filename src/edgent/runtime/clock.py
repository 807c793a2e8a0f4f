"""Where the runtime takes the time from."""

from __future__ import annotations

import time
from typing import Protocol

from edgent.units import Seconds


class Clock(Protocol):
    """A clock that never goes back. Its zero means nothing; only differences do."""

    def now(self) -> Seconds:
        """The time, in seconds."""
        ...


class MonotonicClock:
    """The machine's own monotonic clock."""

    def now(self) -> Seconds:
        """Seconds since some fixed moment."""
        return Seconds(time.perf_counter())

    def __repr__(self) -> str:
        return "<MonotonicClock>"
