"""What is shown of a device: told by events, asked for as a document. Holds no thread, and opens nothing."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgent.dashboard.plan_words import plan_document
from edgent.dashboard.tallies import Tallies, reason_of
from edgent.events import Event
from edgent.link.change_points import ChangePointDetector
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Plan, milliseconds
from edgent.telemetry import Record

if TYPE_CHECKING:
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower

HISTORY = 600
"""Answers that the page can look back on: a minute at 10 a second."""

_BELIEFS = 600
_BELIEVED_EVERY = 0.5  # seconds between two looks at what is believed of the link
_REMARKS = 30
_MOST_BOXES = 100  # that are drawn
_LARGEST_PICTURE = 4 << 20  # bytes; a larger one is not kept for the page


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPicture:
    """The last picture of a source, and what was answered about it."""

    number: int
    input: str
    jpeg: bytes
    result: dict[str, Any]
    label: str | None


class DeviceView:
    """What is shown of one device; thread-safe. An `EventListener`.

    Args:
        device: is asked what it believes.
        now: tells the time, in seconds since 1970.
    """

    def __init__(self, device: Device | Follower, now: Callable[[], float]) -> None:
        self.device, self._now = device, now
        self.guard = threading.Lock()
        self._number = 0  # of the last event
        self._rows: deque[list[Any]] = deque(maxlen=HISTORY)
        self._beliefs: deque[list[Any]] = deque(maxlen=_BELIEFS)
        self._remarks: deque[list[Any]] = deque(maxlen=_REMARKS)
        self._pictures: dict[str, ShownPicture] = {}
        self._plan: Plan | None = None
        self._believed_at = -math.inf
        # One of its own: who plans asks how often a level is drawn anew, and hears of none that it sees by bounds only.
        self._uplink = ChangePointDetector()
        self.tallies = Tallies(has_edge=device.has_edge)

    def tell(self, event: Event) -> None:
        """See `EventListener.tell`."""
        belief = self._due_belief()
        with self.guard:
            self._number += 1
            source = self.tallies.add(event)
            if event.record is not None:
                self._take_record(event, source, event.record)
            if event.kind == "failed":
                self._remarks.append([self._number, event.captured_at, source, event.error])
            if belief is not None:
                self._take_belief(*belief)

    def document(self, since: int) -> dict[str, Any]:
        """All that is shown, with the part of the history that is newer than event number `since`; 0: all of it."""
        of_device = self._of_device()
        with self.guard:
            return {
                "kind": "device",
                "number": self._number,
                "now": self._now(),
                "stages": list(self.tallies.stages),
                **of_device,
                "plan": None if self._plan is None else plan_document(self._plan),
                "counts": self._counts(),
                "pictures": {name: _shown(picture) for name, picture in self._pictures.items()},
                "rows": _since(self._rows, since),
                "beliefs": _since(self._beliefs, since),
                "remarks": _since(self._remarks, since),
            }

    @property
    def number(self) -> int:
        """Of the last event."""
        with self.guard:
            return self._number

    def picture(self, source: str) -> bytes | None:
        """The last picture of a source, as a JPEG."""
        with self.guard:
            shown = self._pictures.get(source)
        return None if shown is None else shown.jpeg

    def __repr__(self) -> str:
        return f"<DeviceView: {self.number} events, {self.tallies!r}>"

    def _of_device(self) -> dict[str, Any]:
        """What the device itself is asked; not under the lock, for it has locks of its own."""
        device, conditions = self.device, self.device.conditions
        return {
            "model": {"name": device.model.name, "version": device.model.version},
            "deadline_ms": milliseconds(device.deadline),
            "edge": {"connected": device.connected, "problem": device.problem} if device.has_edge else None,
            "traffic": device.traffic,
            "link": None if conditions is None else _link(conditions),
        }

    def _take_record(self, event: Event, source: str, record: Record) -> None:
        self._plan = record.plan or self._plan
        # A refined answer is about a picture that was answered before: it has no place of its own in time.
        if event.kind == "answer":
            self._rows.append([self._number, event.captured_at, source, *_row(record, self.tallies.stages)])
        if not record.deadline_met and event.kind == "answer":
            self._remarks.append([self._number, event.captured_at, source, f"late: {reason_of(record)}"])
        if event.picture is not None and len(event.picture) <= _LARGEST_PICTURE:
            self._pictures[source] = ShownPicture(
                number=self._number,
                input=record.input,
                jpeg=event.picture,
                result=record.result or {},
                label=record.label,
            )

    def _take_belief(self, now: float, up: int | None, down: int | None) -> None:
        is_change = up is not None and self._uplink.update(max(1, up))
        self._beliefs.append([self._number, now, up, down, is_change])

    def _due_belief(self) -> tuple[float, int | None, int | None] | None:
        """When, and what is believed of the link both ways, where that was not noted a moment ago."""
        now = self._now()
        with self.guard:
            if 0 <= now - self._believed_at < _BELIEVED_EVERY:  # below 0: somebody has set the clock back
                return None
            self._believed_at = now
        conditions = self.device.conditions
        if conditions is None:
            return now, None, None
        return now, round(conditions.uplink.bandwidth), round(conditions.downlink.bandwidth)

    def _counts(self) -> dict[str, Any]:
        tallies = self.tallies
        return {
            "sources": {
                name: [tally.in_time, tally.late, tally.refined, tally.replaced, tally.failed]
                for name, tally in tallies.sources.items()
            },
            "by": {side: sum(tally.counts) for side, tally in tallies.latencies.items()},
            "detours": tallies.detours.most_common(),
            "missed": tallies.missed.most_common(),
        }


def _row(record: Record, stages: Iterable[str]) -> list[Any]:
    """An answer in the page's history: total, who answered, whether in time, exit, reason, and the stages."""
    spent = [_brief(getattr(record.stages, stage)) for stage in stages]
    return [_brief(record.total), record.by, record.deadline_met, record.exit, record.why, spent]


def _link(conditions: Conditions) -> dict[str, Any]:
    return {
        "up_bps": round(conditions.uplink.bandwidth),
        "down_bps": round(conditions.downlink.bandwidth),
        "round_trip_ms": _brief(conditions.uplink.round_trip),
        "queue_ms": _brief(conditions.queue),
        "device_factor": round(conditions.device_factor, 3),
        "edge_factor": round(conditions.edge_factor, 3),
    }


def _shown(picture: ShownPicture) -> dict[str, Any]:
    boxes = picture.result.get("boxes", [])
    return {
        "number": picture.number,
        "input": picture.input,
        "label": picture.label,
        "boxes": boxes[:_MOST_BOXES],
        "top": picture.result.get("top", []),
    }


def _since(history: deque[list[Any]], number: int) -> list[list[Any]]:
    return [entry for entry in history if entry[0] > number]


def _brief(seconds: float) -> float:
    """Milliseconds to the hundredth: what a page can show."""
    return round(seconds * 1e3, 2)
