"""All sources of a run: started together, listened to, and ended together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.sources.feed import Feed

_LISTENS_EVERY = 1.0  # seconds


class Feeds:
    """Reads sources until they end, or until it is left; a context manager.

    Args:
        feeds: one for each source.
        clock: that of the feeds.
        ended: called once, when all sources have ended by themselves.
    """

    def __init__(self, feeds: Sequence[Feed], clock: Clock, ended: Callable[[], object]) -> None:
        self._feeds, self._clock, self._ended = feeds, clock, ended
        self._changed, self._left = clock.condition(), False
        self._thread = clock.thread(self._listen, "edgent-sources")

    def __enter__(self) -> Self:
        for feed in self._feeds:
            feed.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for feed in self._feeds:
            feed.stop()
        with self._changed:
            self._left = True
            self._changed.notify_all()
        self._thread.join()

    def __repr__(self) -> str:
        return f"<Feeds {list(self._feeds)}>"

    def _listen(self) -> None:
        while not all(feed.ended for feed in self._feeds):
            for feed in self._feeds:
                feed.listen()
            with self._changed:
                if self._changed.wait_for(lambda: self._left, _LISTENS_EVERY):
                    return
        self._ended()
