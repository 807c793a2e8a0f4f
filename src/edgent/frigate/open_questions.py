"""Which questions are open, and until when each must be answered: no clock, no threads, no sockets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import count

from edgent.units import Seconds

MOST_OPEN = 16
"""Questions that are worked on at a time: Frigate has one for each of its detectors; each may hold twenty megabytes."""


@dataclass(slots=True, kw_only=True)
class OpenQuestions:
    """Questions by number, each with whom it is from.

    A question that is given up is no longer open, but it keeps its place: its thread works on, and holds its picture.

    Attributes:
        patience: seconds from a question to the moment at which it is answered with nothing.
    """

    patience: Seconds
    _open: dict[int, tuple[bytes, float]] = field(default_factory=dict)
    _places: set[int] = field(default_factory=set)
    _numbers: count[int] = field(default_factory=count)

    def begin(self, asker: bytes, at: Seconds) -> int | None:
        """Notes a question; returns its number, or None where every place is taken."""
        if len(self._places) >= MOST_OPEN:
            return None
        number = next(self._numbers)
        self._places.add(number)
        self._open[number] = asker, at + self.patience
        return number

    def end(self, number: int) -> bytes | None:
        """Frees the place of a question whose work has ended; returns who asked, or None where it was given up."""
        self._places.discard(number)
        asker, _ = self._open.pop(number, (None, 0.0))
        return asker

    def give_up(self, at: Seconds) -> list[bytes]:
        """Closes the questions whose time is over, whose work goes on; returns who asked."""
        # They are noted in the order of their times, as the patience is one for all.
        over = [number for number, (_, until) in self._open.items() if until <= at]
        return [self._open.pop(number)[0] for number in over]

    def left(self, at: Seconds) -> float:
        """Seconds until the next one must be given up; infinite where none is open."""
        return max(0.0, min((until for _, until in self._open.values()), default=math.inf) - at)

    def __len__(self) -> int:
        return len(self._open)
