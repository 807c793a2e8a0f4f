"""Which frame goes next, and when: a pure state machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgent.device.streams.flow import ONE_BY_ONE, Flow
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.events import Frame

Opening = Callable[[Seconds, "Frame", Seconds], Seconds]
"""From when on a frame may begin: asked with the time now, and since when it waits."""


class Intake:
    """The frames that wait, one for each source, and how many are under way.

    Attributes:
        flow: how frames follow one another from now on.
        under_way: frames that have begun and not ended.
    """

    def __init__(self) -> None:
        self.flow: Flow = ONE_BY_ONE
        self.under_way = 0
        self._waiting: dict[str, tuple[Frame, Seconds]] = {}  # and since when
        self._next_at = -math.inf

    @property
    def empty(self) -> bool:
        """Whether no frame waits."""
        return not self._waiting

    def has_place(self, source: str) -> bool:
        """Whether a frame of this source would replace none."""
        return source not in self._waiting

    def offer(self, frame: Frame, at: Seconds) -> Frame | None:
        """Takes a frame in; returns the one that it replaces."""
        # A newer frame inherits its source's place in the line: else a fast camera would always stand behind others.
        replaced, _ = self._waiting.get(frame.source, (None, at))
        self._waiting[frame.source] = frame, at
        return replaced

    def next(self, at: Seconds, opening: Opening) -> Frame | Seconds:
        """The frame that begins now; or until when there is nothing to do unless something happens."""
        if not self._waiting or self.under_way >= self.flow.most:
            return Seconds(math.inf)
        if at < self._next_at and self.under_way:
            return Seconds(self._next_at)
        moments = {source: opening(at, *waiting) for source, waiting in self._waiting.items()}
        # Of those that may begin now, who stands first in the line; else nobody until the first may.
        source = min(moments, key=lambda name: max(moments[name], at))
        if moments[source] > at:
            return moments[source]
        frame, _ = self._waiting.pop(source)
        self.under_way += 1
        self._next_at = at + self.flow.interval
        return frame

    def ended(self) -> None:
        """A frame under way has been answered, and its answer taken."""
        self.under_way -= 1

    def __repr__(self) -> str:
        return f"<Intake: {len(self._waiting)} waiting, {self.under_way} of {self.flow.most} under way>"
