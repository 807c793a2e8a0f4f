"""A log that no caller can fill: of many lines in a short time it takes the first ones, and counts the others."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic


class SparingLog:
    """Writes at most so many lines in so many seconds; the next line after that says how many were left out.

    Args:
        log: where they go.
        most: lines.
        seconds: in which they may come.
        now: the time.
    """

    def __init__(
        self, log: logging.Logger, *, most: int = 20, seconds: float = 10.0, now: Callable[[], float] = monotonic
    ) -> None:
        self._log, self._most, self._seconds, self._now = log, most, seconds, now
        self._guard = threading.Lock()
        self._began_at, self._written, self._left_out = now(), 0, 0

    def shows(self, level: int) -> bool:
        """Whether anybody wants lines of a level."""
        return self._log.isEnabledFor(level)

    def log(self, level: int, line: str, error: BaseException | None = None) -> None:
        """Writes a line, with where an error came from, or counts it."""
        if not self.shows(level):
            return
        with self._guard:
            now = self._now()
            if now - self._began_at >= self._seconds:
                self._began_at, self._written = now, 0
            if self._written >= self._most:
                self._left_out += 1
                return
            self._written += 1
            left_out, self._left_out = self._left_out, 0
        self._log.log(level, "%s%s", f"({left_out} more were left out) " if left_out else "", line, exc_info=error)

    def __repr__(self) -> str:
        return f"<SparingLog of {self._log.name}: {self._left_out} left out>"
