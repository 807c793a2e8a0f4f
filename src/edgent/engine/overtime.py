"""Runs that never end are ended: a graph may loop for ever on what it is given, and no shape tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from edgent.errors import EdgentError

MOST_RUN_SECONDS = 60.0
"""Of one run of a segment. An engine checks up between two nodes only, so a single slow node is not cut short."""


class OvertimeError(EdgentError):
    """A run took too long, and was ended."""


class Run(Protocol):
    """What an engine is told about one run; it ends the run when `terminate` is set."""

    terminate: bool


class Overtime:
    """Watches the runs under way. One thread watches them all, so that a run pays a microsecond.

    Args:
        limit: seconds that a run may take.
        checks: how often the thread looks at them in that time.
        now: the time.
    """

    def __init__(
        self, limit: float = MOST_RUN_SECONDS, checks: int = 4, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self._now = now
        # A run is ended between one limit and a pause more after it began; four checks make that a quarter too late at
        # most.
        self._pause = limit / checks
        # By identity: runs have no name. Each operation on a dict is one step of the interpreter, so no run pays for a
        # lock.
        self._runs: dict[int, tuple[float, Run]] = {}
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, run: Run) -> None:
        """A run begins: it will be ended when it has taken too long."""
        if self._thread is None:
            self._start()
        self._runs[id(run)] = self._now(), run

    def end(self, run: Run) -> None:
        """Notes that the run has come to its end."""
        del self._runs[id(run)]

    def check(self) -> None:
        """Ends every run that has taken too long by now."""
        now = self._now()
        # A copy, for runs begin and end while it is looked through.
        for started_at, run in list(self._runs.values()):
            if now - started_at > self.limit:
                run.terminate = True

    def _start(self) -> None:
        # Only with the first run, and once: a program that never runs a segment has no thread of it.
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="edgent-overtime", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        # An event that nobody sets is a sleep that ends with the process: the thread is a daemon.
        never = threading.Event()
        while not never.wait(self._pause):
            self.check()
