"""Who is told of things one after the other, beside what they are told by."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from edgent.clock import Clock
from edgent.wire.serving.sparing_log import SparingLog

Item = TypeVar("Item")

_log = logging.getLogger("edgent.device")

MOST_WAITING = 1000
"""That wait to be told; where that many do, the listener has fallen behind for good, and memory has an end."""


class Listener(Generic[Item]):
    """Tells a callable of one thing after the other in a thread of its own: it neither delays nor fails an answer.

    Args:
        callback: is told; what it raises is logged, sparingly.
        clock: makes the thread.
        name: of the callback, in the log.
        most: that may wait.
    """

    def __init__(
        self, callback: Callable[[Item], object], clock: Clock, name: str = "on_record", most: int = MOST_WAITING
    ) -> None:
        self._callback, self._name, self._most = callback, name, most
        self._log = SparingLog(_log, now=clock.now)
        self._pool = clock.pool(1, "edgent-listener")
        self._room = threading.Semaphore(most)

    def tell(self, item: Item) -> None:
        """Returns at once; what there is no room for is dropped, and that is logged, sparingly."""
        if self._room.acquire(blocking=False):
            self._pool.submit(self._callback, item).add_done_callback(self._done)
        else:
            self._log.log(logging.WARNING, f"{self._name} is behind by {self._most}: one was dropped")

    def close(self) -> None:
        """Waits until it was told of all that came."""
        self._pool.shutdown(wait=True)

    def _done(self, outcome: Future[object]) -> None:
        self._room.release()
        if (error := outcome.exception()) is not None:
            self._log.log(logging.ERROR, f"{self._name} failed: the answer was given all the same", error)
