"""How fast the device computes: at its own pace, or at that of a slower machine it stands in for."""

from __future__ import annotations

import os
from typing import Protocol

from edgent.units import Seconds


class Pace(Protocol):
    """Called after every piece of work of the device: image decoding, codecs, segments."""

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """Returns no earlier than a slower device would.

        Args:
            started_at: when the work began, on the device's clock.
            seconds: what the work takes by a *table* made before (see `Device`'s `host_profile`), so that the host's
                own wandering speed is not that of the device.
        """
        ...


class OwnPace:
    """A real device: work takes the time it takes."""

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """Returns at once."""

    def __repr__(self) -> str:
        return "<OwnPace>"


def slots(pace: Pace | None, threads: int) -> int:
    """How many branches the device computes at once, each on so many threads.

    As many as there are cores for: two at once on two cores, one thread each, take as long as one alone (0.84 and
    0.83 ms). A machine that stands in for a slower one stands in for one core of it.
    """
    # Of an emulated board only the speed of one core is known, not how it shares its memory among several.
    return 1 if pace is not None else max(1, (os.cpu_count() or 1) // threads)
