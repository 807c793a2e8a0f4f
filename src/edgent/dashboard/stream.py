"""The stream of a view to the browsers that look: server-sent events (WHATWG HTML, 9.2). Asks the view when it is due.

No browser has a queue. Each remembers up to where it has seen, and asks again once it has taken what it was sent: one
that is slow is sent less often, and more at a time, up to the history that the view keeps. Browsers that keep up are
at the same place, so the bytes are made once for all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

EVERY = 0.5  # seconds between two messages: more often a page only flickers
MOST_VIEWERS = 32
_AGAIN = b"retry: 1000\n\n"  # milliseconds after which a browser tries again


class View(Protocol):
    """What is shown; see `DeviceView`."""

    def document(self, since: int) -> dict[str, Any]:
        """All that is shown, with the part of the history that is newer than a number; 0: all of it.

        Its own number, of the last thing that has happened, is under `number`.
        """
        ...

    def picture(self, source: str) -> bytes | None:
        """The last picture of a source."""
        ...


class Stream:
    """Sends a view's documents to many; used by one event loop.

    Args:
        view: what is shown.
        every: seconds between two messages.
        most: who may look at once.
    """

    def __init__(self, view: View, *, every: float = EVERY, most: int = MOST_VIEWERS) -> None:
        self._view, self._every, self._most = view, every, most
        self._made: tuple[tuple[int, float], tuple[int, bytes]] | None = None
        self.viewers = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more may look."""
        return self.viewers >= self._most

    @contextmanager
    def viewer(self) -> Iterator[None]:
        """One more looks, from entering to leaving."""
        self.viewers += 1
        try:
            yield
        finally:
            self.viewers -= 1

    async def messages(self) -> AsyncIterator[bytes]:
        """What one viewer is sent: all at first, and then what is new, at the same moments for all."""
        yield _AGAIN
        seen, message = self.message(0, 0.0)
        yield message
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._every - clock() % self._every)
            seen, message = self.message(seen, clock() // self._every)
            yield message

    def message(self, since: int, tick: float) -> tuple[int, bytes]:
        """The message of a tick for who has seen up to `since`, and up to where it has seen with it."""
        if self._made is None or self._made[0] != (since, tick) or since == 0:
            document = self._view.document(since)
            self._made = (since, tick), (document["number"], _event(document, "whole" if since == 0 else "news"))
        return self._made[1]

    def __repr__(self) -> str:
        return f"<Stream of {self._view!r} to {self.viewers}>"


def _event(document: dict[str, Any], name: str) -> bytes:
    # JSON has no line ends of its own, so one line of data holds it.
    return f"event: {name}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
