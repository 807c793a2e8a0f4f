"""Outcomes of frames as events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgent.events import Event, noted
from edgent.sources.crop import as_jpeg

if TYPE_CHECKING:
    from edgent.device.streams.outcomes import FrameOutcome
    from edgent.events import Frame


class EventMaker:
    """Makes an event of each outcome.

    Args:
        run: unlike that of any other run, for the events' ids.
        epoch: seconds since 1970 at a moment of the device's clock, which knows differences only.
        model: the name of what answers.
    """

    def __init__(self, run: str, epoch: Callable[[float], float], model: str) -> None:
        self._run, self._epoch, self._model = run, epoch, model

    def event(self, outcome: FrameOutcome) -> Event:
        """The event of an outcome; its picture is what was asked about."""
        frame, answer = outcome.frame, outcome.answer
        captured_at = self._epoch(frame.at)
        return Event(
            id=self._id(frame, again=outcome.kind == "refined"),
            source=frame.source,
            number=frame.number,
            captured_at=captured_at,
            kind=outcome.kind,
            record=None
            if answer is None
            else noted(answer.kept(), source=frame.source, model=self._model, at=captured_at),
            picture=None if answer is None else as_jpeg(answer.source),
            error="" if outcome.error is None else _named(frame, str(outcome.error)),
            file=frame.file,
        )

    def _id(self, frame: Frame, *, again: bool) -> str:
        return f"{self._run}-{frame.source}-{frame.number}{'-refined' if again else ''}"


def _named(frame: Frame, error: str) -> str:
    """An error that says which file it is about."""
    return error if not frame.file or frame.file in error else f"{frame.name}: {error}"
