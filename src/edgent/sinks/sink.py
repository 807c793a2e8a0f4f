"""What a sink is: it takes events, one after the other, and says of each that it has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgent.sinks.lines import EventLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That a sink is done with an event.

    Attributes:
        event: which.
        refusal: why it will never be taken, in one line: it is given up; empty: it was delivered.
    """

    event: EventLine
    refusal: str = ""


class Sink(Protocol):
    """Where events are delivered; one thread uses it.

    Attributes:
        name: what it is called in messages: never with a password.
        with_pictures: whether it takes the frames too.
    """

    name: str
    with_pictures: bool

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        """Delivers in this order; each is given back when it is known to be there.

        Raises:
            EdgentError: those that were not given back are not there, or it is not known; they are delivered again.
        """

    def close(self) -> None:
        """Ends what is open; it may be used again."""
