"""Between those who answer and who takes spans: a queue that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Protocol

from edgent.clock import Clock
from edgent.errors import EdgentError
from edgent.tracing.spans import TraceSpan
from edgent.units import Seconds

MOST_WAITING = 2048
"""Requests of which spans are still to be made: half a minute of a busy edge."""

EVERY = Seconds(1.0)  # between two batches
PARTING = Seconds(3.0)  # for what is left to be taken, when all ends
_BATCH = 512  # spans that are sent at once

MakeSpans = Callable[[], Sequence[TraceSpan]]
"""Makes the spans of one request; called beside the requests."""


class SpanExport(Protocol):
    """Who takes spans."""

    def send(self, spans: Sequence[TraceSpan]) -> None:
        """Returns when they have been taken.

        Raises:
            EdgentError: they have not.
        """
        ...

    def close(self) -> None:
        """Gives up what is still being sent."""
        ...


class SpanQueue:
    """Makes spans and sends them, in a thread of its own; what cannot be sent is dropped, and said once in a row.

    Args:
        export: takes them.
        clock: makes the thread.
        say: is told what goes wrong, in one line.
        most: requests that may wait.
    """

    def __init__(
        self, export: SpanExport, clock: Clock, say: Callable[[str], object], most: int = MOST_WAITING
    ) -> None:
        self._export, self._say, self._most = export, say, most
        self._guard = threading.Lock()
        self._changed = clock.condition(self._guard)
        self._waiting: list[MakeSpans] = []
        self._closed = self._failing = False
        self._thread = clock.thread(self._run, "edgent-traces")
        self._thread.start()

    def put(self, make: MakeSpans) -> None:
        """Takes a request in, or drops it; returns at once."""
        with self._guard:
            if len(self._waiting) < self._most:
                self._waiting.append(make)
                return
        self._complain(f"{self._most} requests wait to be sent, and those that come are dropped")

    def close(self) -> None:
        """Sends what is left, for a moment, and ends."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(PARTING)
        self._export.close()

    def __repr__(self) -> str:
        return f"<SpanQueue of {len(self._waiting)} to {self._export!r}>"

    def _run(self) -> None:
        ended = False
        while not ended:
            with self._changed:
                ended = bool(self._changed.wait_for(lambda: self._closed, EVERY))
                requests, self._waiting = self._waiting, []
            for batch in _batches(map(self._made, requests)):
                self._send(batch)

    def _made(self, make: MakeSpans) -> Sequence[TraceSpan]:
        try:
            return make()
        except Exception as error:  # of one request: the thread is that of all
            self._complain(f"{type(error).__name__}: {error}")
            return ()

    def _send(self, batch: Sequence[TraceSpan]) -> None:
        try:
            self._export.send(batch)
        except Exception as error:  # whatever the library throws: the next batch may go well
            self._complain(str(error) if isinstance(error, EdgentError) else f"{type(error).__name__}: {error}")
        else:
            self._failing = False

    def _complain(self, message: str) -> None:
        with self._guard:
            is_known, self._failing = self._failing, True
        if not is_known:
            self._say(f"traces: {message}")


def _batches(requests: Iterator[Sequence[TraceSpan]]) -> Iterator[Sequence[TraceSpan]]:
    spans = chain.from_iterable(requests)
    while batch := list(islice(spans, _BATCH)):
        yield batch
