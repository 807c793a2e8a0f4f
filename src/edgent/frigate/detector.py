"""A device as Frigate's detector: a picture in, rows out, and an event for whoever listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from edgent.codec import encode_image
from edgent.errors import InputError
from edgent.events import Event, EventListener
from edgent.frigate.messages import DetectRequest, picture_of, rows_of, write_rows

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.model import Model

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


class InfersPictures(Protocol):
    """A `Device`, or a `Follower`."""

    @property
    def model(self) -> Model:
        """What it runs."""

    def infer(self, data: bytes, *, name: str = "") -> Answer:
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
    """Answers pictures by a device.

    Args:
        device: its model finds boxes in pictures.
        listeners: are told of each answer.
        with_pictures: whether they are given the pictures.
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
        now: Callable[[], float] = time.time,
    ) -> None:
        check_detector(device.model)
        self._device, self._listeners, self._now = device, tuple(listeners), now
        self._with_pictures = with_pictures
        self._run, self._numbers = uuid4().hex[:12], count()

    def __call__(self, request: DetectRequest) -> list[bytes]:
        """The reply to a picture.

        Raises:
            EdgentError: the device failed.
        """
        number, came_at = next(self._numbers), self._now()
        answer = self._device.infer(picture_of(request.pixels), name=f"frigate {number}")
        if self._listeners:
            event = self._event(request, answer, number, came_at)
            for listener in self._listeners:
                listener.tell(event)
        return write_rows(rows_of(answer.boxes, *request.pixels.shape[:2]))

    def _event(self, request: DetectRequest, answer: Answer, number: int, came_at: float) -> Event:
        # Frigate does not say which camera a picture is of.
        return Event(
            id=f"{self._run}-{number}",
            source="frigate",
            number=number,
            captured_at=came_at,
            kind="answer",
            record=answer.kept(),
            picture=encode_image(PICTURE_CODEC, request.pixels) if self._with_pictures else None,
        )
