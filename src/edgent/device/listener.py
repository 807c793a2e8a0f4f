"""Who is told of things one after the other, beside what they are told by."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
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
        most: of their weight that may wait.
        weigh: of one: 1, or the bytes that it holds.
    """

    def __init__(
        self,
        callback: Callable[[Item], object],
        clock: Clock,
        name: str = "on_record",
        most: int = MOST_WAITING,
        weigh: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._callback, self._name, self._most, self._weigh = callback, name, most, weigh
        self._log = SparingLog(_log, now=clock.now)
        self._pool = clock.pool(1, "edgent-listener")
        self._waiting, self._changing = 0, threading.Lock()

    @property
    def is_behind(self) -> bool:
        """Whether half of the room is taken; the other half is for what is under way."""
        return self._waiting > self._most // 2

    def tell(self, item: Item) -> None:
        """Returns at once; what there is no room for is dropped, and that is logged, sparingly."""
        if self._has_taken(weight := self._weigh(item)):
            self._pool.submit(self._callback, item).add_done_callback(partial(self._done, weight))
        else:
            self._log.log(logging.WARNING, f"{self._name} is behind: one was dropped")

    def close(self) -> None:
        """Waits until it was told of all that came."""
        self._pool.shutdown(wait=True)

    def _has_taken(self, weight: int) -> bool:
        with self._changing:
            # One that is too heavy by itself is told all the same, where nothing waits.
            has_room = not self._waiting or self._waiting + weight <= self._most
            self._waiting += weight if has_room else 0
        return has_room

    def _done(self, weight: int, outcome: Future[object]) -> None:
        with self._changing:
            self._waiting -= weight
        if (error := outcome.exception()) is not None:
            self._log.log(logging.ERROR, f"{self._name} failed: the answer was given all the same", error)
