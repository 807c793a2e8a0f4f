"""What became of a frame, and outcomes in the order in which their frames began."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.errors import EdgentError
    from edgent.events import EventKind, Frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameOutcome:
    """What became of a frame.

    Attributes:
        frame: which one.
        kind: see `edgent.events.EventKind`.
        turn: counts the frames that began, from 0; None: it never began, or this refines what was told before.
        answer: None where there is none.
        error: why there is none.
        ended_at: when that was known, on the device's clock.
    """

    frame: Frame
    kind: EventKind
    turn: int | None = None
    answer: Answer | None = None
    error: EdgentError | None = None
    ended_at: Seconds = Seconds(math.nan)


class InOrder:
    """Holds back what overtook others. Each frame has a deadline, so nothing is held for long."""

    def __init__(self) -> None:
        self._next = 0
        self._early: dict[int, FrameOutcome] = {}

    def add(self, outcome: FrameOutcome) -> list[FrameOutcome]:
        """What can be told now, in order."""
        assert outcome.turn is not None, "only what began has a place in the order"
        self._early[outcome.turn] = outcome
        ready = []
        while self._next in self._early:
            ready.append(self._early.pop(self._next))
            self._next += 1
        return ready
