from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.edge.queue import Drop, EdgeQueue, EdgeWork, Reject, Start
from edgent.units import Seconds


def at(seconds: float) -> Seconds:
    return Seconds(seconds)


def takes(*seconds: float) -> tuple[EdgeWork, ...]:
    """Pieces of work that take so long by the profile; none is like another."""
    return tuple(EdgeWork(key=object(), profiled=each) for each in seconds)


def test_a_request_that_finds_a_free_slot_starts_at_once():
    assert EdgeQueue().arrive(7, at(1.0)) == (Start(7, at(0.0)),)


def test_the_next_one_starts_when_the_first_is_done_and_knows_how_long_it_waited():
    queue = EdgeQueue()
    queue.arrive(1, at(0.0))
    assert queue.arrive(2, at(0.25)) == ()
    assert queue.done(1, at(1.0)) == (Start(2, at(0.75)),)


def test_a_full_queue_rejects_and_keeps_those_who_wait():
    queue = EdgeQueue(bound=1)
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0))
    assert queue.arrive(3, at(0.0)) == (Reject(3),)
    assert queue.done(1, at(1.0)) == (Start(2, at(1.0)),)


def test_an_edge_that_lets_nobody_wait_still_computes():
    queue = EdgeQueue(bound=0)
    assert queue.arrive(1, at(0.0)) == (Start(1, at(0.0)),)
    assert queue.arrive(2, at(0.0)) == (Reject(2),)


def test_an_expired_request_is_dropped_and_never_started():
    queue = EdgeQueue()
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0), budget=at(0.5))
    assert queue.done(1, at(0.5)) == (Drop(2),)


def test_an_expired_request_makes_room_for_the_one_that_comes():
    queue = EdgeQueue(bound=1)
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0), budget=at(0.5))
    assert queue.arrive(3, at(1.0)) == (Drop(2),)


def test_the_earliest_deadline_goes_first_where_that_is_the_order():
    queue = EdgeQueue(order="deadline")
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0))
    queue.arrive(3, at(0.1), budget=at(9.0))
    queue.arrive(4, at(0.2), budget=at(5.0))
    assert queue.done(1, at(1.0)) == (Start(4, at(0.8)),)
    assert queue.done(4, at(1.0)) == (Start(3, at(0.9)),)
    assert queue.done(3, at(1.0)) == (Start(2, at(1.0)),)


def test_one_that_expires_is_dropped_at_whatever_happens_next():
    def waiting(expiring: int) -> EdgeQueue:
        queue = EdgeQueue()
        queue.arrive(1, at(0.0))
        queue.arrive(2, at(0.0))
        queue.arrive(expiring, at(0.0), budget=at(0.5))
        return queue

    assert waiting(3).tick(at(0.4)) == ()
    assert waiting(3).tick(at(0.5)) == (Drop(3),)
    assert waiting(3).done(1, at(0.6)) == (Drop(3), Start(2, at(0.6)))
    assert waiting(3).arrive(4, at(0.6)) == (Drop(3),)


def test_32_requests_may_wait_unless_another_bound_is_set():
    queue = EdgeQueue()
    assert repr(queue) == "<EdgeQueue 0/1 running, 0/32 waiting, deadline>"
    decisions = [queue.arrive(number, at(0.0)) for number in range(34)]
    assert decisions == [(Start(0, at(0.0)),), *[()] * 32, (Reject(33),)]
    assert repr(queue) == "<EdgeQueue 1/1 running, 32/32 waiting, deadline>"


def test_a_request_of_which_nothing_is_known_is_expected_to_take_no_time():
    queue = EdgeQueue()
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0))
    assert queue.predicted_wait(at(0.0)) == 0.0


def test_the_predicted_wait_is_what_is_left_of_those_ahead():
    queue = EdgeQueue(slots=2)
    queue.arrive(1, at(0.0), choices=takes(1.0))
    assert queue.predicted_wait(at(0.5)) == 0.0
    queue.arrive(2, at(0.0), choices=takes(3.0))
    assert queue.predicted_wait(at(0.5)) == 0.5
    queue.arrive(3, at(0.5), choices=takes(1.5))
    assert queue.predicted_wait(at(0.5)) == pytest.approx(2.0)


def test_a_queue_without_slots_is_a_mistake():
    with pytest.raises(ValueError, match=r"^a queue needs at least one slot and a bound of 0 or more, not 0 and 32$"):
        EdgeQueue(slots=0)
    with pytest.raises(ValueError, match="a bound of 0 or more, not 1 and -1"):
        EdgeQueue(bound=-1)


def test_more_slots_start_who_waits():
    queue = EdgeQueue()
    for number in (1, 2, 3):
        queue.arrive(number, at(0.0), choices=takes(1.0))
    assert queue.resize(2, at(0.5)) == (Start(2, at(0.5)),)
    assert queue.resize(9, at(0.6)) == (Start(3, at(0.6)),)


def test_fewer_slots_end_nobody_and_start_nobody_until_enough_have_ended():
    queue = EdgeQueue(slots=3)
    for number in (1, 2, 3, 4):
        queue.arrive(number, at(0.0), choices=takes(1.0))
    assert queue.resize(1, at(0.1)) == ()
    assert queue.done(1, at(1.0)) == queue.done(2, at(1.1)) == ()
    assert queue.done(3, at(1.2)) == (Start(4, at(1.2)),)


def test_a_wait_is_predicted_by_the_slots_that_there_are():
    queue = EdgeQueue(slots=3)
    for number, work in enumerate(takes(1.0, 2.0, 3.0)):
        queue.arrive(number, at(0.0), choices=(work,))
    assert queue.predicted_wait(at(0.0)) == 1.0
    queue.resize(1, at(0.0))
    assert queue.predicted_wait(at(0.0)) == 3.0
    queue.resize(4, at(0.0))
    assert queue.predicted_wait(at(0.0)) == 0.0


arrivals = st.lists(
    st.tuples(
        st.floats(0, 2),  # seconds after the one before
        st.one_of(st.none(), st.floats(0.01, 3)),  # budget
        st.floats(0.01, 2),  # what computing it takes
    ),
    max_size=25,
)


def simulate(queue: EdgeQueue, requests, predicted: dict[int, float] | None = None) -> dict[int, tuple[str, float]]:
    """Plays requests against a queue in virtual time; what became of each, and when."""
    fate: dict[int, tuple[str, float]] = {}
    running: dict[int, float] = {}
    clock = 0.0
    come = []
    for number, (gap, budget, seconds) in enumerate(requests):
        clock += gap
        come.append((clock, number, budget, seconds))

    def take(decisions, now):
        for each in decisions:
            assert each.request not in fate
            fate[each.request] = (type(each).__name__, now)
            if isinstance(each, Start):
                running[each.request] = now + requests[each.request][2]

    while come or running:
        ends = min(running.items(), key=lambda item: item[1], default=(None, math.inf))
        if come and come[0][0] < ends[1]:
            now, number, budget, seconds = come.pop(0)
            if predicted is not None:
                predicted[number] = queue.predicted_wait(at(now))
            take(
                queue.arrive(number, at(now), budget=None if budget is None else at(budget), choices=takes(seconds)),
                now,
            )
        else:
            number, now = ends
            del running[number]
            take(queue.done(number, at(now)), now)
        assert len(running) <= queue.slots
        assert len(queue) <= queue.bound
    return fate


@settings(max_examples=300)
@given(arrivals, st.integers(1, 3), st.integers(0, 4), st.sampled_from(["fifo", "deadline"]))
def test_every_request_meets_exactly_one_fate_and_none_starts_after_its_budget(requests, slots, bound, order):
    queue = EdgeQueue(slots=slots, bound=bound, order=order)
    fate = simulate(queue, requests)
    waiting = len(queue)
    assert len(fate) + waiting == len(requests)
    assert waiting == 0
    clock = 0.0
    for number, (gap, budget, _) in enumerate(requests):
        clock += gap
        kind, when = fate[number]
        if kind == "Start" and budget is not None:
            assert when < clock + budget or when == clock
        if kind == "Drop":
            assert budget is not None
            assert when >= clock + budget


@settings(max_examples=200)
@given(arrivals)
def test_fifo_starts_in_the_order_of_arrival(requests):
    fate = simulate(EdgeQueue(bound=99, order="fifo"), requests)
    started = [number for number in sorted(fate) if fate[number][0] == "Start"]
    assert [fate[number][1] for number in started] == sorted(fate[number][1] for number in started)


@settings(max_examples=200)
@given(arrivals, st.integers(1, 3))
def test_the_predicted_wait_comes_true_in_a_fifo_queue_where_nobody_gives_up(requests, slots):
    patient = [(gap, None, seconds) for gap, _, seconds in requests]
    predicted: dict[int, float] = {}
    fate = simulate(EdgeQueue(slots=slots, bound=99, order="fifo"), patient, predicted)
    clock = 0.0
    for number, (gap, _, _) in enumerate(patient):
        clock += gap
        assert fate[number][1] - clock == pytest.approx(predicted[number], abs=1e-9)


def test_the_first_choice_that_can_be_in_time_is_started():
    assert EdgeQueue().arrive(1, at(0.0), budget=at(1.5), choices=takes(3.0, 2.0, 1.0, 0.5)) == (Start(1, at(0.0), 2),)


def test_who_would_wait_longer_than_it_wants_to_gets_less_at_first_and_everything_late_before_nothing():
    def choice(wanted: float) -> int:
        queue = EdgeQueue()
        (started,) = queue.arrive(1, at(0.0), budget=at(10.0), choices=takes(3.0, 2.0), wanted=at(wanted))
        return started.choice

    assert [choice(wanted) for wanted in (4.0, 2.5, 1.0)] == [0, 1, 0]


def test_a_caller_who_has_left_is_dropped_only_where_it_waits():
    queue = EdgeQueue()
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0))
    assert queue.leave(2, at(0.5)) == (Drop(2),)
    assert queue.leave(1, at(0.5)) == ()
    assert queue.done(1, at(1.0)) == ()


def test_requests_without_a_budget_are_not_passed_for_ever():
    queue = EdgeQueue()
    queue.arrive(1, at(0.0))
    queue.arrive(2, at(0.0))
    queue.arrive(3, at(9.9), budget=at(1.0))
    assert queue.done(1, at(10.0)) == (Start(2, at(10.0)),)
