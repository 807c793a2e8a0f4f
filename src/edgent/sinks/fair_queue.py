"""What was told and waits to be written: within a bound that no source fills at the cost of another."""

from __future__ import annotations

from collections import Counter, deque

from edgent.events import Event

MOST_EVENTS = 1000
"""Events that wait: the disk is slow for a moment, or hangs."""

MOST_BYTES = 64 << 20
"""Bytes of their pictures."""


class FairQueue:
    """Events in the order in which they came; of too many, those go that the source with the most of them told first.

    So a source that tells no more than its share loses none, whatever the others do.

    Attributes:
        dropped: events that went.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Adds one behind the others."""
        self._events.append(event)
        self._counts[event.source] += 1
        self._bytes[event.source] += _size(event)
        while len(self._events) > MOST_EVENTS:
            self._drop(self._counts)
        while self._bytes.total() > MOST_BYTES:
            self._drop(self._bytes)

    def take(self) -> list[Event]:
        """All of them; none is left."""
        events = list(self._events)
        self._events.clear()
        self._counts.clear()
        self._bytes.clear()
        return events

    def _drop(self, shares: Counter[str]) -> None:
        source = max(shares, key=shares.__getitem__)
        # Who told most has one near the beginning, so it is not far to look.
        place, event = next((place, event) for place, event in enumerate(self._events) if event.source == source)
        del self._events[place]
        self._counts[source] -= 1
        self._bytes[source] -= _size(event)
        self.dropped += 1


def _size(event: Event) -> int:
    return len(event.picture or b"")
