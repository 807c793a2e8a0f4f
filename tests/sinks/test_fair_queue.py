"""What was told waits within a bound, and a source that tells too many pays for it alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.sinks.fair_queue import MOST_BYTES, MOST_EVENTS, FairQueue
from sinks.telling import event


def test_a_camera_that_tells_thousands_costs_another_one_nothing() -> None:
    queue = FairQueue()
    for number in range(20_000):
        queue.put(event(number, source="mad", kind="replaced"))
        if number % 130 == 0:
            queue.put(event(number // 130, source="door"))
    waiting = queue.take()
    assert [one.number for one in waiting if one.source == "door"] == list(range(154))
    mad = [one.number for one in waiting if one.source == "mad"]
    assert mad == list(range(20_000 - len(mad), 20_000))  # the newest ones
    assert len(waiting) == MOST_EVENTS and queue.dropped == 20_154 - MOST_EVENTS


def test_large_pictures_cost_another_camera_none_of_its_small_ones() -> None:
    queue = FairQueue()
    for number in range(30):
        queue.put(event(number, source="door", picture=bytes(1000)))
        queue.put(event(number, source="large", picture=bytes(MOST_BYTES // 3)))
    sources = Counter(one.source for one in queue.take())
    assert sources == {"door": 30, "large": 2}


def test_a_picture_that_is_larger_than_all_there_may_be_goes_itself() -> None:
    queue = FairQueue()
    queue.put(event(0, source="door", picture=b"jpeg"))
    queue.put(event(1, source="large", picture=bytes(MOST_BYTES + 1)))
    assert [one.source for one in queue.take()] == ["door"] and queue.dropped == 1


@pytest.mark.parametrize("rounds", [1, 3])
def test_what_was_taken_counts_no_more(rounds: int) -> None:
    queue = FairQueue()
    for _ in range(rounds):
        for number in range(MOST_EVENTS):
            queue.put(event(number))
        assert len(queue.take()) == MOST_EVENTS and len(queue) == 0
    assert queue.dropped == 0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 900)), max_size=12))
def test_in_order_within_the_bound_and_no_source_below_its_share_loses_any(bursts: list[tuple[str, int]]) -> None:
    queue, told = FairQueue(), []
    for source, length in bursts:
        for _ in range(length):
            told.append(event(len(told), source=source))
            queue.put(told[-1])
    waiting = queue.take()
    numbers = [one.number for one in waiting]
    assert numbers == sorted(numbers) and len(waiting) == min(MOST_EVENTS, len(told))
    assert queue.dropped == len(told) - len(waiting)
    asked, kept = Counter(one.source for one in told), Counter(one.source for one in waiting)
    for source, count in asked.items():
        assert kept[source] >= min(count, MOST_EVENTS // len(asked))
        # Of each those that were told last.
        assert [one for one in told if one.source == source][count - kept[source] :] == [
            one for one in waiting if one.source == source
        ]
