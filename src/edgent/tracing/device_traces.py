"""What a device tells of its requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from secrets import randbits
from typing import TYPE_CHECKING

from edgent.tracing.context import Bits, TraceContext
from edgent.tracing.span_queue import SpanQueue
from edgent.tracing.spans import spans_of_record

if TYPE_CHECKING:
    from edgent.telemetry import Record


class DeviceTraces:
    """Traces the requests of a device; thread-safe.

    Args:
        queue: takes what is known of each.
        now: tells the time, in nanoseconds since 1970.
        bits: random ones.
    """

    def __init__(self, queue: SpanQueue, now: Callable[[], int] = time.time_ns, bits: Bits = randbits) -> None:
        self._queue, self._now, self._bits = queue, now, bits

    def begin(self) -> str:
        """The context of a request that begins, as a `traceparent`."""
        return str(TraceContext.new(self._bits))

    def tell(self, record: Record) -> None:
        """Takes the record of an answer that was just given; returns at once."""
        self._queue.put(partial(spans_of_record, record, self._now(), self._bits))

    def __repr__(self) -> str:
        return f"<DeviceTraces into {self._queue!r}>"
