"""Who is told of records: each of them, after its answer, and no answer the later or worse for it."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from edgent.device.listener import Listener
from edgent.testing import FakeEngine

INPUT = np.zeros((1, 3, 32, 32), np.float32)


def answers(device, count):
    return [device.infer(INPUT, name=str(number)).record for number in range(count)]


def test_a_listener_is_told_of_each_record_once_and_in_order(made):
    told = []
    device = made(channel=None, engine=FakeEngine(), on_record=told.append)
    records = answers(device, 5)
    device.close()
    assert told == records
    assert [record.input for record in told] == list("01234")


def test_an_answer_is_given_before_its_listener_is_done(made, clock):
    ended = []

    def slow(record):
        clock.sleep(60.0)
        ended.append(record)

    device = made(channel=None, engine=FakeEngine(), on_record=slow)
    began = clock.now()
    answers(device, 3)
    assert clock.now() - began < 60.0 and not ended
    device.close()
    assert len(ended) == 3  # whoever closes the device has been told of all


@pytest.mark.parametrize("error", [ValueError("no room"), KeyError("x"), OSError("disk"), SystemExit(3)])
def test_what_a_listener_raises_is_logged_and_fails_no_answer(made, error, caplog):
    def broken(record):
        raise error

    device = made(channel=None, engine=FakeEngine(), on_record=broken)
    assert len(answers(device, 2)) == 2
    device.close()
    logged = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert len(logged) == 2 and all(entry.exc_info[1] is error for entry in logged)


def test_what_waits_for_a_listener_that_never_returns_has_a_bound(clock, caplog):
    told = []
    listener = Listener(lambda record: (clock.sleep(1.0), told.append(record)), clock, most=3)
    for number in range(5):
        listener.tell(number)
    assert sum("dropped" in entry.message for entry in caplog.records) == 2
    listener.close()
    assert sorted(told) == [0, 1, 2]


def test_what_waits_may_be_bounded_by_what_it_holds_and_one_that_is_too_large_is_told_all_the_same(clock):
    told = []
    listener = Listener(lambda held: (clock.sleep(1.0), told.append(held)), clock, most=100, weigh=len)
    for size in (300, 1, 40, 60, 50):
        if size == 40:
            clock.sleep(5.0)  # all that came is told of
        listener.tell(bytes(size))
    assert listener.is_behind
    listener.close()
    assert [len(held) for held in told] == [300, 40, 60]
    assert not listener.is_behind


def test_half_of_the_room_is_for_what_is_under_way(clock):
    listener = Listener(lambda item: clock.sleep(1.0), clock, most=4)
    behind = []
    for number in range(4):
        listener.tell(number)
        behind.append(listener.is_behind)
    assert behind == [False, False, True, True]
    listener.close()


def test_however_much_is_dropped_the_log_has_few_lines_and_the_next_one_counts_the_others(clock, caplog):
    listener = Listener(lambda record: clock.sleep(100.0), clock, most=1)
    listener.tell(0)
    for number in range(4000):
        listener.tell(number)
    lines = [entry.getMessage() for entry in caplog.records]
    assert len(lines) == 20 and all("dropped" in line for line in lines)
    clock.sleep(11.0)
    listener.tell(4000)
    assert "(3980 more were left out)" in caplog.records[-1].getMessage()
    listener.close()


def test_however_often_a_listener_fails_the_log_has_few_lines(clock, caplog):
    def broken(record):
        raise ValueError("no room")

    listener = Listener(broken, clock)
    for number in range(500):
        listener.tell(number)
    listener.close()
    assert len(caplog.records) == 20 and all(entry.exc_info for entry in caplog.records)


def test_a_request_that_fails_has_no_record_to_tell_of(made):
    told = []
    device = made(channel=None, engine=FakeEngine(), on_record=told.append)
    with pytest.raises(ValueError, match="float64"):
        device.infer(INPUT.astype(np.float64))
    device.close()
    assert told == []
