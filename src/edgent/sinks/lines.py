"""An event as one line that any reader, terminal or page can take: printable, short, and with a bound."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from edgent.events import Event
from edgent.text import brief

MOST_TEXT = 200
"""Characters of a text in a line: names of cameras and labels come from anybody."""

MOST_LINE = 1 << 16
"""Bytes of a line; a record with a hundred boxes has 15,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """An event as sinks deliver it.

    Attributes:
        place: in its outbox: what comes later has a larger one; 0: it is in none.
        id: the event's.
        source: the name of its camera, printable and short.
        line: JSON, without an end of line.
        picture: the frame as a JPEG; None where it is not kept.
    """

    id: str
    source: str
    line: str
    picture: bytes | None = field(default=None, repr=False)
    place: int = 0

    @property
    def size(self) -> int:
        """Bytes that it takes where it waits."""
        return len(self.line) + len(self.picture or b"")

    @classmethod
    def of_event(cls, event: Event) -> EventLine:
        """What is delivered of an event."""
        document = _printable(json.loads(event.to_json()))
        line = json.dumps(document)
        if len(line) > MOST_LINE and document["record"] is not None:
            # Everything else has a bound; what a network answers has none.
            document["record"]["result"] = {"left_out": f"{len(line)} bytes"}
            line = json.dumps(document)
        return cls(id=document["id"], source=document["source"], line=line, picture=event.picture)


def _printable(value: Any) -> Any:
    """Texts and keys without what would move a cursor or turn a line around, each cut to a length."""
    if isinstance(value, str):
        return brief(value, MOST_TEXT)
    if isinstance(value, dict):
        return {brief(key, MOST_TEXT): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value
