"""One sink's events: each delivered, in order, however often the sink fails, and said once."""

from __future__ import annotations

import logging

import pytest

from edgent.sinks.delivery import SinkDelivery
from edgent.sinks.outbox import Outbox
from sinks.telling import FakeSink, lines


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.name == "edgent.sinks"]


def test_events_are_delivered_as_they_come(delivery_of, clock) -> None:
    sink = FakeSink()
    delivery = delivery_of(sink)
    delivery.put(lines(0, 1))
    clock.sleep(0)
    assert sink.numbers == [0, 1]
    delivery.put(lines(2))
    clock.sleep(0)
    assert sink.numbers == [0, 1, 2]
    assert (delivery.state.waiting, delivery.state.delivered) == (0, 3)
    delivery.close()
    assert sink.is_closed


def test_what_a_sink_did_not_take_is_delivered_when_it_takes_again_and_nothing_twice(delivery_of, clock) -> None:
    sink = FakeSink(failing_from=2)
    delivery = delivery_of(sink)
    delivery.put(lines(0, 1, 2, 3))
    clock.sleep(30)
    assert sink.numbers == [0, 1] and delivery.state.waiting == 2
    sink.failing_from = None
    clock.sleep(60)
    assert sink.numbers == [0, 1, 2, 3] and delivery.state.waiting == 0
    delivery.close()


def test_a_sink_that_fails_is_tried_less_and_less_often(delivery_of, clock) -> None:
    sink = FakeSink(failing_from=0)
    delivery = delivery_of(sink)
    delivery.put(lines(0))
    clock.sleep(0.5)
    tries = []
    for _ in range(6):
        tries.append(sink.tries)
        clock.sleep(60)
    # After 1, 2, 4, 8, 16 and 32 s, and from then on once a minute.
    assert tries == [1, 6, 7, 8, 9, 10]
    delivery.close()


def test_events_that_come_during_a_pause_do_not_shorten_it(delivery_of, clock) -> None:
    sink = FakeSink(failing_from=0)
    delivery = delivery_of(sink)
    for number in range(10):
        delivery.put(lines(number))
        clock.sleep(0.05)
    assert sink.tries == 1 and delivery.state.waiting == 10
    delivery.close()


def test_trouble_is_said_once_and_so_is_its_end(delivery_of, clock, caplog) -> None:
    sink = FakeSink(failing_from=0)
    delivery = delivery_of(sink)
    delivery.put(lines(0))
    clock.sleep(100)
    assert len(told(caplog)) == 1 and "nobody is there" in told(caplog)[0]
    assert delivery.state.problem == "nobody is there"
    sink.failing_from = None
    clock.sleep(100)
    assert len(told(caplog)) == 2 and "takes events again" in told(caplog)[1]
    assert delivery.state.problem == ""
    delivery.close()


def test_an_event_that_will_never_be_taken_holds_up_no_other_one(delivery_of, clock, caplog) -> None:
    sink = FakeSink(refusing=frozenset({1}))
    delivery = delivery_of(sink)
    delivery.put(lines(0, 1, 2))
    clock.sleep(0)
    assert sink.numbers == [0, 2]
    assert (delivery.state.delivered, delivery.state.dropped, delivery.state.waiting) == (2, 1, 0)
    assert "not of my kind" in told(caplog)[0]
    delivery.close()


def test_refusals_cannot_fill_a_log(delivery_of, clock, caplog) -> None:
    sink = FakeSink(refusing=frozenset(range(200)))
    delivery = delivery_of(sink)
    delivery.put(lines(*range(200)))
    clock.sleep(0)
    assert delivery.state.dropped == 200 and len(told(caplog)) < 50
    delivery.close()


def test_what_is_left_at_the_end_waits_for_the_next_start(delivery_of, clock, caplog) -> None:
    broken = FakeSink(failing_from=1)
    delivery = delivery_of(broken)
    delivery.put(lines(0, 1, 2))
    clock.sleep(0)
    delivery.close()
    assert broken.numbers == [0] and broken.is_closed
    assert "2 events wait for the next start" in told(caplog)[-1]
    whole = FakeSink()
    delivery = delivery_of(whole)
    clock.sleep(0)
    assert whole.numbers == [1, 2]
    delivery.close()


def test_at_the_end_what_waits_is_delivered_if_the_sink_takes_it(delivery_of, clock, caplog) -> None:
    caplog.set_level(logging.WARNING)
    sink = FakeSink()
    delivery = delivery_of(sink)
    delivery.put(lines(*range(250)))
    delivery.close()
    assert sink.numbers == list(range(250)) and not told(caplog)


@pytest.mark.parametrize(
    "fault", [UnicodeEncodeError("utf-8", "geheim\udcff", 6, 7, "no text"), ValueError("geheim"), MemoryError()]
)
def test_a_fault_that_nobody_thought_of_is_a_problem_that_may_pass(delivery_of, clock, caplog, fault) -> None:
    class Faulty(FakeSink):
        is_faulty = True

        def deliver(self, events):
            self.tries += 1
            if self.is_faulty:
                raise fault
            yield from super().deliver(events)

    sink = Faulty()
    delivery = delivery_of(sink)
    delivery.put(lines(0))
    clock.sleep(40)
    assert type(fault).__name__ in delivery.state.problem and "geheim" not in caplog.text
    assert 5 <= sink.tries <= 7 and len(told(caplog)) == 1
    sink.is_faulty = False
    clock.sleep(60)
    assert sink.numbers == [0] and delivery.state.problem == ""
    delivery.close()


def test_a_disk_that_takes_nothing_is_said_once_and_events_are_delivered(clock, tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("")
    sink = FakeSink()
    delivery = SinkDelivery(sink, Outbox(tmp_path / "file" / "outbox"), clock)
    for number in range(3):
        delivery.put(lines(number))
    delivery.close()
    assert sink.numbers == [0, 1, 2]
    (line,) = told(caplog)
    assert "events wait in memory" in line


def test_a_disk_that_cannot_be_read_for_a_while_is_not_asked_without_end(clock, tmp_path) -> None:
    class Unreadable(Outbox):
        asked, broken = 0, True

        def oldest(self, most):
            self.asked += 1
            return [] if self.broken else super().oldest(most)

    sink, outbox = FakeSink(), Unreadable(tmp_path / "outbox")
    delivery = SinkDelivery(sink, outbox, clock)
    delivery.put(lines(0))
    clock.sleep(10)
    assert 5 <= outbox.asked <= 12 and not sink.taken
    assert "cannot be read" in delivery.state.problem
    outbox.broken = False
    clock.sleep(2)
    assert sink.numbers == [0] and not delivery.state.problem
    delivery.close()


def test_an_end_in_the_midst_of_a_pause_does_not_wait_for_it(delivery_of, clock) -> None:
    sink = FakeSink(failing_from=0)
    delivery = delivery_of(sink)
    delivery.put(lines(0))
    clock.sleep(40)  # the pause is 32 s by now
    began = clock.now()
    delivery.close()
    assert clock.now() - began < 1
    assert "fake" in repr(delivery)
