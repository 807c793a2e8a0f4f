"""Refining: the device's answer was in time, and a better one of the edge follows when it comes.

It is a request of its own, after the first has been answered, that has until a stated age of the frame. It must cost
the frames that come nothing: there is one at a time, of the newest frame that could do with it, and where frames go to
the edge themselves it waits for a moment without any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from edgent.device.streams.outcomes import FrameOutcome
from edgent.errors import EdgentError
from edgent.planning.planner import TOLERANCE
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.device.answer import Answer
    from edgent.device.request import LocalBranch
    from edgent.engine.material import Input
    from edgent.events import Frame
    from edgent.planning.plan import Plan


class Refines(Protocol):
    """What has better answers."""

    def refine(self, data: Input, answer: Answer, within: float) -> Answer | None:
        """See `Device.refine`."""


def is_better(plan: Plan, exit: int | None, branches: Sequence[LocalBranch]) -> bool:
    """Whether the edge's answer by this plan would be better than the device's own at an exit.

    Args:
        plan: what could be done.
        exit: that has answered.
        branches: what the device can answer with by itself, with their accuracies.
    """
    if plan.configuration.device_only or not plan.meets_deadline or exit is None:
        return False
    own = next((branch.accuracy for branch in branches if branch.exit == exit), None)
    if own is None or plan.accuracy is None:
        return plan.configuration.exit > exit  # later exits of one network are trained to be better
    return plan.accuracy > own + TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Wish:
    frame: Frame
    data: Input
    answer: Answer


class Refiner:
    """Asks again, one frame at a time.

    Args:
        device: is asked.
        within: seconds from a frame's capture after which no other answer is wanted.
        tell: called with what is better.
        clock: times it.
        pool: runs it.
    """

    def __init__(
        self, device: Refines, within: Seconds, tell: Callable[[FrameOutcome], None], clock: Clock, pool: Executor
    ) -> None:
        self._device, self._within, self._tell, self._clock, self._pool = device, within, tell, clock, pool
        self._lock = threading.Lock()
        self._next: _Wish | None = None
        self._busy = False

    def answered(self, frame: Frame, data: Input, answer: Answer, *, idle: bool) -> None:
        """A frame was answered. It is asked about again if that may help, and costs nobody anything.

        Args:
            frame: which one.
            data: that was asked about.
            answer: that was given.
            idle: whether no other frame waits or is under way.
        """
        plan = answer.record.plan
        free = idle or (plan is not None and plan.configuration.device_only)
        if answer.record.by == "edge" or not free:
            return
        with self._lock:
            self._next = _Wish(frame=frame, data=data, answer=answer)
            if self._busy:
                return
            self._busy = True
        self._pool.submit(self._work)

    def _work(self) -> None:
        while (wish := self._taken()) is not None:
            if (better := self._better(wish)) is not None:
                self._tell(FrameOutcome(frame=wish.frame, kind="refined", answer=better))

    def _taken(self) -> _Wish | None:
        """The newest wish; None, and nobody works any more, where there is none."""
        with self._lock:
            wish, self._next = self._next, None
            self._busy = wish is not None
            return wish

    def _better(self, wish: _Wish) -> Answer | None:
        left = wish.frame.at + self._within - self._clock.now()
        if left <= 0:
            return None
        try:
            better = self._device.refine(wish.data, wish.answer, left)
        except EdgentError:  # there is an answer already, and no request of anybody's has failed
            return None
        # By the same clock as everything else: what came a moment too late is as late as what never came.
        if better is None or self._clock.now() > wish.frame.at + self._within:
            return None
        return replace(better, record=replace(better.record, refined=True))
