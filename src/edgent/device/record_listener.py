"""Who is told of each record, beside the requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from edgent.clock import Clock
from edgent.telemetry import Record

_log = logging.getLogger("edgent.device")

MOST_WAITING = 1000
"""Records that wait to be told; where that many do, the listener has fallen behind for good, and memory has an end."""


class RecordListener:
    """Tells a callable of records, one after the other in a thread of its own: it neither delays nor fails an answer.

    Args:
        on_record: is told; what it raises is logged.
        clock: makes the thread.
        most: records that may wait.
    """

    def __init__(self, on_record: Callable[[Record], object], clock: Clock, most: int = MOST_WAITING) -> None:
        self._on_record, self._most = on_record, most
        self._pool = clock.pool(1, "edgent-records")
        self._room = threading.Semaphore(most)

    def tell(self, record: Record) -> None:
        """Returns at once; a record for which there is no room is dropped, and that is logged."""
        if self._room.acquire(blocking=False):
            self._pool.submit(self._on_record, record).add_done_callback(self._done)
        else:
            _log.warning("on_record is behind by %d records: one was dropped", self._most)

    def close(self) -> None:
        """Waits until it was told of all that came."""
        self._pool.shutdown(wait=True)

    def _done(self, outcome: Future[object]) -> None:
        self._room.release()
        if (error := outcome.exception()) is not None:
            _log.error("on_record failed: the answer was given all the same", exc_info=error)
