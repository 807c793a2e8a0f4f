"""When the next frame may begin, so that it is answered in time whoever answers: pure, under its owner's lock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.device.request import LocalBranch
    from edgent.device.schedule import Schedule


class Like(NamedTuple):
    """What is known of a request before it runs.

    `branches`: which the device may answer it with. `ahead`: seconds of the device before an edge is asked.
    """

    branches: Sequence[LocalBranch]
    ahead: float
    asks_edge: bool


class Openings:
    """Knows what the device would have to do for one more frame, and what it has promised already.

    Args:
        schedule: the turns on the device.

    Attributes:
        like: the last request that was planned; the next one will be like it.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.like = Like((), 0.0, asks_edge=True)

    def opening(self, at: Seconds, left: float, waited: float) -> Seconds:
        """See `Device.opening`; `left`: without what is kept free for handing the answer over."""
        branches, ahead, asks_edge = self.like
        own = min((branch.seconds for branch in branches), default=0.0)
        opening = self._opening(at, left, waited, own + ahead if asks_edge else own)
        if opening <= at:
            # It is read and its head computed before it has a turn: what will be late anyway must not take its time.
            self._schedule.expect(own, at + left)
        return Seconds(opening)

    def _opening(self, at: float, left: float, waited: float, by_itself: float) -> float:
        # An edge that is in time has as many in hand as pay, far more than the device could stand in for.
        if self.like.asks_edge and not self._schedule.stands_in:
            return at
        if left < by_itself <= left + waited:
            return math.inf
        # What can never be in time begins where the device is free, and is late.
        return self._schedule.opening(at, by_itself, max(left, by_itself))

    def __repr__(self) -> str:
        return f"<Openings of {self._schedule!r}>"
