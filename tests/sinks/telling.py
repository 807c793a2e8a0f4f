"""Events to tell, and sinks that take what a test lets them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgent.errors import EdgentError
from edgent.events import Event, EventKind
from edgent.planning.plan import Stages
from edgent.sinks.lines import EventLine
from edgent.sinks.sink import Receipt
from edgent.telemetry import Record
from edgent.units import Seconds


def event(number: int = 0, *, kind: EventKind = "answer", source: str = "door", **changed: Any) -> Event:
    """One of a camera's, an answer in time unless said otherwise."""
    given = {
        "id": f"run-{source}-{number}",
        "captured_at": 1_800_000_000.25 + number,
        "record": record() if kind in ("answer", "refined") else None,
    }
    return Event(source=source, number=number, kind=kind, **(given | changed))


def record(*, label: str | None = "cat", in_time: bool = True, result: dict[str, Any] | None = None) -> Record:
    """Of an answer of the edge in 20 ms."""
    return Record(
        input="frame",
        label=label,
        exit=1,
        by="edge",
        deadline_met=in_time,
        total=Seconds(0.02),
        stages=Stages(head=Seconds(0.02)),
        plan=None,
        result=result,
    )


def lines(*numbers: int, picture: bytes | None = None) -> list[EventLine]:
    """Events as sinks are given them."""
    return [EventLine.of_event(event(number, picture=picture)) for number in numbers]


def numbers_of(events: Sequence[EventLine]) -> list[int]:
    """Which ones they are."""
    return [json.loads(line.line)["number"] for line in events]


@dataclass(slots=True, kw_only=True)
class FakeSink:
    """Takes events, or fails at every event from one on, as `failing_from` says."""

    name: str = "fake"
    with_pictures: bool = False
    failing_from: int | None = None
    refusing: frozenset[int] = frozenset()
    taken: list[EventLine] = field(default_factory=list)
    tries: int = 0
    is_closed: bool = False

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        self.tries += 1
        for line, number in zip(events, numbers_of(events), strict=True):
            if self.failing_from is not None and number >= self.failing_from:
                raise EdgentError("nobody is there")
            if number not in self.refusing:
                self.taken.append(line)
            yield Receipt(event=line, refusal="not of my kind" if number in self.refusing else "")

    def close(self) -> None:
        self.is_closed = True

    @property
    def numbers(self) -> list[int]:
        return numbers_of(self.taken)
