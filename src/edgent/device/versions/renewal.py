"""When a device moves to another version of its model: a pure state machine.

::

                 offered(another one)               next: it
    up to date ----------------------> wanted ------------------------> under way
        ^  ^                            |  ^                             |  |  |
        |  `---- offered(ours again) ---'  `--- RETRY later --- failed --'  |  |
        |                                                                   |  |
        |                     (not wanted again) <--- failed for good ------'  |
        `--------------------------------- moved ------------------------------'

A version is wanted because the name stands for it at the edge, not because it is newer: an edge that goes back to the
one before takes its devices with it.
"""

from __future__ import annotations

import math

from edgent.units import Seconds

RETRY, RARELY = 5.0, 600.0
"""Seconds after which what failed is tried again, at first; each time twice as many, and at the most. A fetch that is
broken off has cost the link as much as one that is not."""


class Renewal:
    """Keeps track of one device's version.

    Args:
        version: of the model that it runs.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self._offered = version
        self._retry_at, self._wait = -math.inf, RETRY
        self._hopeless: set[str] = set()

    def offered(self, version: str) -> None:
        """The name stands for this version at the edge now."""
        if version != self._offered:
            self._offered, self._retry_at, self._wait = version, -math.inf, RETRY

    def next(self, at: Seconds) -> str | Seconds:
        """The version to move to now, or until when there is nothing to do unless something happens."""
        if self._offered == self.version or self._offered in self._hopeless:
            return Seconds(math.inf)
        return self._offered if at >= self._retry_at else Seconds(self._retry_at)

    def moved(self, version: str) -> None:
        """The device runs this version now; which is another one than was offered if that changed meanwhile."""
        self.version = version

    def failed(self, version: str, at: Seconds, *, for_good: bool) -> None:
        """It could not move to this version; `for_good`: nor will it ever."""
        if for_good:
            self._hopeless.add(version)
        if version == self._offered:
            self._retry_at, self._wait = at + self._wait, min(2 * self._wait, RARELY)

    def __repr__(self) -> str:
        wanted = "" if self._offered == self.version else f", offered {self._offered}"
        return f"<Renewal of {self.version}{wanted}>"
