"""When the next frame may begin, so that it is answered in time whoever answers: pure, under its owner's lock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.device.request import LocalBranch
    from edgent.device.schedule import Schedule


class Openings:
    """Knows what the device would have to do for one more frame, and what it has promised already.

    Args:
        schedule: the turns on the device.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._own, self._by_itself, self._asks_edge = 0.0, 0.0, True

    def planned(self, branches: Sequence[LocalBranch], ahead: float, *, asks_edge: bool) -> None:
        """A request has been planned: the next one will be like it.

        Args:
            branches: that it may be answered with by the device.
            ahead: seconds of the device before an edge is asked.
            asks_edge: whether one is.
        """
        self._own = min(branch.seconds for branch in branches)
        self._by_itself, self._asks_edge = self._own + (ahead if asks_edge else 0.0), asks_edge

    def opening(self, at: Seconds, left: float, waited: float) -> Seconds:
        """See `Device.opening`; `left`: without what is kept free for handing the answer over."""
        opening = self._opening(at, left, waited)
        if opening <= at:
            # It is read and its head computed before it has a turn: what will be late anyway must not take its time.
            self._schedule.expect(self._own, at + left)
        return Seconds(opening)

    def _opening(self, at: float, left: float, waited: float) -> float:
        # An edge that is in time has as many in hand as pay, far more than the device could stand in for.
        if self._asks_edge and not self._schedule.stands_in:
            return at
        if left < self._by_itself <= left + waited:
            return math.inf
        # What can never be in time begins where the device is free, and is late.
        return self._schedule.opening(at, self._by_itself, max(left, self._by_itself))

    def __repr__(self) -> str:
        return f"<Openings: {self._by_itself:.4f} s by itself, {self._schedule!r}>"
