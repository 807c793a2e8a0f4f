"""FRAMES, and what is told of them: an event for each, for whoever listens (a sink, the live page)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from edgent.address import machine_name
from edgent.telemetry import Record
from edgent.units import Seconds, format_moment

if TYPE_CHECKING:
    from edgent.engine.material import Input

EventKind = Literal["answer", "refined", "replaced", "failed"]
"""Answered, in time or late; answered again, and better; not asked about, for a newer frame had come; not answered."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        read: gives what the model is asked about, and is called only where the frame's turn comes: of one that is
            replaced nothing is converted or read. Raises an EdgentError where that is no picture.
        source: the name of what it comes from.
        number: among the frames of its source, from 0.
        at: when it was captured, on the device's clock; of one that keeps, when its turn came.
        file: the name of the file that it is; empty: of none.
        keeps: whether it is worth as much later on: it waits for its turn, and grows no older by that.
    """

    read: Callable[[], Input] = field(repr=False)
    source: str
    number: int
    at: Seconds
    file: str = ""
    keeps: bool = False

    @property
    def name(self) -> str:
        """As records and messages call it."""
        return f"{self.source}/{self.file}" if self.file else f"{self.source}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What became of one frame.

    Attributes:
        id: unlike that of any other event, of this run or of another one; the same where it is delivered twice.
        source: the name of the camera, file or folder that the frame came from.
        number: of the frame among those of its source, from 0.
        captured_at: seconds since 1970-01-01 UTC.
        kind: what became of it.
        record: of the answer; None where there is none.
        picture: the frame as a JPEG; None where it is not kept.
        error: why there is no answer, in one line; else empty.
        file: the name of the file that the frame is; empty: of none.
    """

    id: str
    source: str
    number: int
    captured_at: float
    kind: EventKind
    record: Record | None = None
    picture: bytes | None = field(default=None, repr=False)
    error: str = ""
    file: str = ""

    def to_json(self) -> str:
        """One line, without the picture."""
        document = {
            "id": self.id,
            "source": self.source,
            "number": self.number,
            **({"file": self.file} if self.file else {}),
            "captured_at": format_moment(self.captured_at),
            "kind": self.kind,
            "record": None if self.record is None else json.loads(self.record.to_json()),
            "error": self.error,
        }
        return json.dumps(document)


def noted(record: Record, *, source: str, model: str, at: float) -> Record:
    """A record that says of what it is: many of them, of many cameras, models and days, are one report."""
    return replace(record, at=at, source=source, model=model, device=machine_name())


class EventListener(Protocol):
    """Who is told of events."""

    def tell(self, event: Event) -> None:
        """Returns at once, whatever becomes of the event: what captures and answers frames never waits for it."""
