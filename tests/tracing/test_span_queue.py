from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from edgent.errors import EdgeError
from edgent.testing import ManualClock
from edgent.tracing.context import TraceContext
from edgent.tracing.span_queue import EVERY, SpanQueue
from edgent.tracing.spans import TraceSpan


def span(number: int) -> TraceSpan:
    return TraceSpan(name=str(number), context=TraceContext(trace=1, span=1 + number), parent=None, began=0, ended=1)


class Collector:
    """Takes spans, or none, each batch in so many seconds."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.seconds = clock, 0.0
        self.names: list[str] = []
        self.is_there, self.is_closed = True, False
        self.trouble: Exception = EdgeError("nobody is there")

    def send(self, spans: Sequence[TraceSpan]) -> None:
        self.clock.sleep(self.seconds)
        if not self.is_there:
            raise self.trouble
        self.names += [span.name for span in spans]

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def collector(clock: ManualClock) -> Collector:
    return Collector(clock)


@pytest.fixture
def said() -> list[str]:
    return []


Open = Callable[[int], SpanQueue]


@pytest.fixture
def opened(clock: ManualClock, collector: Collector, said: list[str]) -> Iterator[Open]:
    queues: list[SpanQueue] = []

    def open_queue(most: int) -> SpanQueue:
        queues.append(SpanQueue(collector, clock, said.append, most))
        return queues[-1]

    yield open_queue
    for queue in queues:
        queue.close()


def test_what_is_put_comes_in_order_within_a_second(clock, collector, opened: Open) -> None:
    queue = opened(2000)
    for number in range(1500):  # more than a batch
        queue.put(lambda number=number: [span(number)])
    assert not collector.names
    clock.sleep(EVERY + 0.1)

    assert collector.names == [str(number) for number in range(1500)]


def test_spans_are_made_by_another_thread_than_the_requests(clock, opened: Open) -> None:
    made = []
    queue = opened(10)
    queue.put(lambda: made.append("made") or ())
    assert not made
    clock.sleep(EVERY + 0.1)
    assert made


def test_nobody_waits_for_a_collector_that_is_silent_and_what_there_is_no_room_for_is_dropped(
    clock, collector, said, opened: Open
) -> None:
    queue = opened(10)
    collector.seconds = 60.0
    queue.put(lambda: [span(0)])
    clock.sleep(EVERY + 0.1)  # the collector has the first one now
    before = clock.now()
    for number in range(1, 101):
        queue.put(lambda number=number: [span(number)])

    assert clock.now() == before
    assert said == ["traces: 10 requests wait to be sent, and those that come are dropped"]
    clock.sleep(300.0)
    assert collector.names == [str(number) for number in range(11)]


def test_what_cannot_be_sent_is_said_once_until_it_can_be_again(clock, collector, said, opened: Open) -> None:
    queue = opened(10)

    def put(is_there: bool) -> None:
        collector.is_there = is_there
        queue.put(lambda: [span(0)])
        clock.sleep(EVERY + 0.1)

    for is_there in (False, False, False, True, False, False):
        put(is_there)

    assert said == ["traces: nobody is there"] * 2


def test_a_fault_that_nobody_thought_of_ends_nothing(clock, collector, said, opened: Open) -> None:
    queue = opened(10)
    collector.is_there, collector.trouble = False, ZeroDivisionError("a fault")
    queue.put(lambda: [span(0)])
    clock.sleep(EVERY + 0.1)
    collector.is_there = True
    queue.put(lambda: [span(1)])
    clock.sleep(EVERY + 0.1)

    assert said == ["traces: ZeroDivisionError: a fault"]
    assert collector.names == ["1"]


def test_a_request_of_which_no_spans_can_be_made_costs_no_other_its_own(clock, collector, said, opened: Open) -> None:
    queue = opened(10)
    queue.put(lambda: [span(1 // 0)])
    queue.put(lambda: [span(1)])
    clock.sleep(EVERY + 0.1)

    assert said == ["traces: ZeroDivisionError: integer division or modulo by zero"]
    assert collector.names == ["1"]


def test_what_is_left_at_the_end_is_sent(clock, collector, opened: Open) -> None:
    queue = opened(10)
    queue.put(lambda: [span(0)])
    queue.close()

    assert collector.names == ["0"]
    assert collector.is_closed


def test_an_end_waits_a_moment_only_for_a_collector_that_is_silent(clock, collector, opened: Open) -> None:
    queue = opened(10)
    collector.seconds = 3600.0
    queue.put(lambda: [span(0)])
    before = clock.now()
    queue.close()

    assert clock.now() - before < 10.0
    assert collector.is_closed
    clock.sleep(4000.0)  # lets the thread end
