"""When a source that broke is tried again: pure."""

from __future__ import annotations

from edgent.units import Seconds

FIRST, RARELY = 1.0, 60.0
"""Seconds: a camera that restarts is back within some; one that was taken away is looked for once a minute."""


class Retry:
    """Waits that double, until a picture has come."""

    def __init__(self) -> None:
        self._wait = FIRST

    def worked(self) -> None:
        """A picture has come."""
        self._wait = FIRST

    def broke(self) -> Seconds:
        """How long to wait now."""
        wait, self._wait = self._wait, min(2 * self._wait, RARELY)
        return Seconds(wait)
