"""Where time comes from, and how threads wait for it.

Whoever waits for another thread or for a moment does so on a condition that a clock made, in a thread that it made. On
the machine's own clock these are the plain ones of `threading`. A test's clock (`edgent.testing.ManualClock`) knows by
them when all threads wait, and only then lets time pass.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol, cast

from edgent.units import Seconds

_DOZE = 1e-3  # a sleep ends up to this much late where something else runs
_SPIN = 50e-6  # and this much where nothing does


class Clock(Protocol):
    """A clock that never goes back. Its zero means nothing; only differences do."""

    def now(self) -> Seconds:
        """The time, in seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Returns when so much time has passed; lets other threads run in any case."""
        ...

    def sleep_until(self, at: float) -> None:
        """Returns at this moment, as exactly as can be."""
        ...

    def condition(self, lock: threading.Lock | None = None) -> threading.Condition:
        """A condition whose waits end by this clock; conditions of one lock are woken apart."""
        ...

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """A daemon thread, not started yet."""
        ...

    def pool(self, threads: int | None, name: str) -> Executor:
        """Threads for what must not block the caller; None: as many as there is work that waits."""
        ...


class MonotonicClock:
    """The machine's own monotonic clock: its time and its conditions are Python's own, for each request asks often."""

    now = staticmethod(cast(Callable[[], Seconds], time.perf_counter))
    condition = staticmethod(threading.Condition)

    def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        time.sleep(seconds)

    def sleep_until(self, at: float) -> None:
        """See `Clock.sleep_until`."""
        while (left := at - self.now()) > 0:
            # Sleep for the most part, halve what is left, then look: a single sleep ends up to a millisecond late, and
            # looking all the time would take the processor from what goes on beside.
            if left > _DOZE:
                self.sleep(left - _DOZE)
            elif left > _SPIN:
                self.sleep(left / 2)
            else:
                self.sleep(0)  # lets other threads run

    def thread(self, target: Callable[[], object], name: str) -> threading.Thread:
        """See `Clock.thread`."""
        return threading.Thread(target=target, name=name, daemon=True)

    def pool(self, threads: int | None, name: str) -> Executor:
        """See `Clock.pool`."""
        # It makes a thread only where none is idle, so the bound is never reached where callers wait for their work.
        return ThreadPoolExecutor(threads or sys.maxsize, thread_name_prefix=name)

    def __repr__(self) -> str:
        return "<MonotonicClock>"
