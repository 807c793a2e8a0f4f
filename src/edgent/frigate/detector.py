"""A device as Frigate's detector: a picture in, rows out, and an event for whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol, Self
from uuid import uuid4

from edgent.codec import encode_image
from edgent.device.listener import Listener
from edgent.errors import InputError
from edgent.events import Event, EventListener, noted
from edgent.frigate.messages import DetectRequest, picture_of, rows_of, write_rows
from edgent.units import Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgent.clock import Clock
    from edgent.device.answer import Answer
    from edgent.model import Model

SOURCE = "frigate"
"""The name of what Frigate asks about, among a device's sources: which camera a picture is of it does not say."""

PICTURE_CODEC = "jpeg-90"  # of the pictures that listeners are given

DEADLINE = 0.120
"""Seconds that the device has for an answer, unless said otherwise.

Frigate waits 200 ms. Where the edge is silent, the board begins as late as it can and answers just before its deadline;
with one of 150 ms a full machine made some of them 50 ms late, and Frigate had given up. So two fifths of the time
are kept for what is not planned: the tensor's way here (1.2 MB of floats take 10 ms on a Gigabit link), threads that
wake late, a branch that takes longer than its profile says.
"""

PATIENCE = 1.5
"""Times the deadline, after which a question that is open is answered with zeros: 180 ms of Frigate's 200."""

_LEAST = 0.001  # seconds that are left of a deadline for a question that came to its thread too late
# Answers of which events are still to be made, each with its picture and tensors.
_MOST_BYTES, _MOST_TOLD = 64 << 20, 100


class InfersPictures(Protocol):
    """A `Device`, or a `Follower`."""

    @property
    def model(self) -> Model:
        """What it runs."""

    @property
    def deadline(self) -> Seconds:
        """That it has for an answer, unless said otherwise."""

    def infer(self, data: bytes, *, name: str = "", deadline: float | None = None) -> Answer:
        """Answers a picture."""


def check_detector(model: Model) -> None:
    """Makes sure that a model finds boxes in pictures.

    Raises:
        InputError: it does something else.
    """
    task = model.metadata.task
    if task != "detection" or model.metadata.preprocessing is None:
        raise InputError(
            f"{model.name} finds no boxes in pictures (its task is {task or 'unknown'}); Frigate needs a detector, and "
            "docs/own-models.md says how one is configured"
        )


class FrigateDetector:
    """Answers pictures by a device; a context manager that tells of all of them before it ends.

    Args:
        device: its model finds boxes in pictures.
        listeners: are told of each answer, beside the questions: what an event takes to make is not Frigate's time.
        with_pictures: whether they are given the pictures.
        clock: makes the thread for that.
        now: seconds since 1970-01-01 UTC.

    Raises:
        InputError: the model finds no boxes, or takes no pictures.
    """

    def __init__(
        self,
        device: InfersPictures,
        listeners: Sequence[EventListener] = (),
        *,
        with_pictures: bool = False,
        clock: Clock,
        now: Callable[[], float] = time.time,
    ) -> None:
        check_detector(device.model)
        self._device, self._listeners, self._now = device, tuple(listeners), now
        self._with_pictures = with_pictures
        self._run, self._numbers = uuid4().hex[:12], count()
        self._telling: Listener[_Answered] = Listener(
            self._tell, clock, "who listens to Frigate's answers", _MOST_BYTES, _weight
        )

    def __call__(self, request: DetectRequest, waited: Seconds = Seconds(0.0)) -> list[bytes]:
        """The reply to a picture.

        Args:
            request: the picture.
            waited: seconds since it came, which are no longer there for an answer.

        Raises:
            EdgentError: the device failed.
        """
        number, came_at = next(self._numbers), self._now() - waited
        # Whole milliseconds: most have waited for none, and plans are looked up by the deadline.
        left = max(_LEAST, self._device.deadline - round(waited, 3))
        answer = self._device.infer(picture_of(request.pixels), name=f"frigate {number}", deadline=left)
        if self._listeners:
            self._telling.tell(_Answered(pixels=request.pixels, answer=answer, number=number, came_at=came_at))
        return write_rows(rows_of(answer.boxes, *request.pixels.shape[:2]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._telling.close()

    def _tell(self, answered: _Answered) -> None:
        event = self._event(answered)
        for listener in self._listeners:
            listener.tell(event)

    def _event(self, answered: _Answered) -> Event:
        return Event(
            id=f"{self._run}-{answered.number}",
            source=SOURCE,
            number=answered.number,
            captured_at=answered.came_at,
            kind="answer",
            record=noted(answered.answer.kept(), source=SOURCE, model=self._device.model.name, at=answered.came_at),
            picture=encode_image(PICTURE_CODEC, answered.pixels) if self._with_pictures else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answered:
    """What an event is made of."""

    pixels: NDArray[np.uint8]
    answer: Answer
    number: int
    came_at: float


def _weight(answered: _Answered) -> int:
    return max(_MOST_BYTES // _MOST_TOLD, answered.pixels.nbytes + answered.answer.nbytes)
