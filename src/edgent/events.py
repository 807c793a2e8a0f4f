"""WHAT IS TOLD of a camera's frames: an event for each, for whoever listens (a sink, the live page)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, Protocol

from edgent.telemetry import Record
from edgent.units import format_moment

EventKind = Literal["answer", "refined", "replaced", "failed"]
"""Answered, in time or late; answered again, and better; not asked about, for a newer frame had come; not answered."""


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
    """

    id: str
    source: str
    number: int
    captured_at: float
    kind: EventKind
    record: Record | None = None
    picture: bytes | None = field(default=None, repr=False)
    error: str = ""

    def to_json(self) -> str:
        """One line, without the picture."""
        document = {
            "id": self.id,
            "source": self.source,
            "number": self.number,
            "captured_at": format_moment(self.captured_at),
            "kind": self.kind,
            "record": None if self.record is None else json.loads(self.record.to_json()),
            "error": self.error,
        }
        return json.dumps(document)


class EventListener(Protocol):
    """Who is told of events."""

    def tell(self, event: Event) -> None:
        """Returns at once, whatever becomes of the event: what captures and answers frames never waits for it."""
