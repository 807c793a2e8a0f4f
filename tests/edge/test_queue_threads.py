"""Threads at the edge's queue, in time that does not really pass."""

from __future__ import annotations

import pytest

from edgent.edge.queue import EdgeQueue, EdgeWork
from edgent.edge.queue_threads import QueueThreads
from edgent.wire.errors import BusyError, LateError

UNKNOWN = (EdgeWork(key="unknown"),)


@pytest.fixture
def visit(clock):
    """Threads that come to a queue_threads and hold their slot for a while: who was let through, and who was not."""
    seen = []

    def come(queue_threads, name, *, at, holds=1.0, expected=None, budget=None, given_up=lambda: False):
        def visitor():
            clock.sleep(at)
            try:
                work = EdgeWork(key=name, profiled=holds if expected is None else expected)
                with queue_threads.turn(budget=budget, choices=(work,), given_up=given_up) as start:
                    seen.append((name, clock.now(), start.waited))
                    clock.sleep(holds)
            except (BusyError, LateError) as error:
                seen.append((name, clock.now(), type(error)))

        thread = clock.thread(visitor, name)
        thread.start()
        return thread

    def all_come(queue_threads, *visitors):
        for thread in [come(queue_threads, **visitor) for visitor in visitors]:
            thread.join()
        return [(name, round(at, 6), round(rest, 6) if isinstance(rest, float) else rest) for name, at, rest in seen]

    return all_come


def at(name, moment, **settings):
    return {"name": name, "at": moment, **settings}


def test_one_slot_lets_one_through_at_a_time_in_the_order_of_coming(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)
    found = visit(queue_threads, at("b", 0.2), at("a", 0.1), at("c", 0.3))
    assert found == [("a", 0.1, 0.0), ("b", 1.1, 0.9), ("c", 2.1, 1.8)]


def test_two_slots_let_two_through(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=2), clock)
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2), at("c", 0.3))
    assert found == [("a", 0.1, 0.0), ("b", 0.2, 0.0), ("c", 1.1, 0.8)]


def test_a_slot_more_lets_one_more_through(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)

    def grow():
        clock.sleep(0.5)
        queue_threads.resize(2)

    clock.thread(grow, "grow").start()
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2), at("c", 0.3))
    assert found == [("a", 0.1, 0.0), ("b", 0.5, 0.3), ("c", 1.1, 0.8)]


def test_whose_budget_runs_out_in_the_queue_leaves_at_that_moment_and_takes_no_turn(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)
    slower_than_expected = at("a", 0.1, expected=0.2)
    found = visit(queue_threads, slower_than_expected, at("b", 0.2, holds=0.3, budget=0.5), at("c", 0.3, budget=2.0))
    assert found == [("a", 0.1, 0.0), ("b", 0.7, LateError), ("c", 1.1, 0.8)]


def test_who_finds_the_queue_full_is_turned_away_at_once(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1, bound=1), clock)
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2), at("c", 0.3))
    assert found == [("a", 0.1, 0.0), ("c", 0.3, BusyError), ("b", 1.1, 0.9)]


def test_who_is_due_first_goes_first_where_that_is_the_order(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1, order="deadline"), clock)
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2, budget=9.0), at("c", 0.3, budget=5.0))
    assert [name for name, *_ in found] == ["a", "c", "b"]


def test_a_turn_that_fails_gives_its_slot_back(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)
    with pytest.raises(ZeroDivisionError), queue_threads.turn(budget=None, choices=UNKNOWN):
        raise ZeroDivisionError
    assert visit(queue_threads, at("a", 0.1)) == [("a", 0.1, 0.0)]


def test_the_wait_is_predicted_by_what_those_before_are_expected_to_take(clock, visit):
    queue_threads, predicted = QueueThreads(EdgeQueue(slots=1), clock), []
    clock.thread(lambda: (clock.sleep(0.5), predicted.append(queue_threads.predicted_wait())), "asks").start()
    visit(queue_threads, at("a", 0.1), at("b", 0.2, holds=2.0))
    assert predicted == pytest.approx([0.6 + 2.0], abs=1e-5)


def test_who_cannot_be_in_time_is_told_so_at_once_and_how_long_the_wait_would_be(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2, budget=1.5), at("c", 0.3, budget=2.0))
    assert found == [("a", 0.1, 0.0), ("b", 0.2, BusyError), ("c", 1.1, 0.8)]


def test_the_refusal_names_the_wait_and_the_budget(clock):
    queue_threads = QueueThreads(EdgeQueue(slots=1), clock)
    with (
        queue_threads.turn(budget=None, choices=(EdgeWork(key="a", profiled=2.0),)),
        pytest.raises(BusyError, match=r"^this request would wait 2 s, and its budget is 1.5 s: try again later"),
        queue_threads.turn(budget=1.5, choices=(EdgeWork(key="b", profiled=0.1),)),
    ):
        pass


def test_whose_caller_has_left_makes_room_for_who_comes(clock, visit):
    queue_threads = QueueThreads(EdgeQueue(slots=1, bound=1), clock)
    found = visit(queue_threads, at("a", 0.1), at("b", 0.2, given_up=lambda: True), at("c", 0.3))
    assert found == [("a", 0.1, 0.0), ("b", 0.3, LateError), ("c", 1.1, 0.8)]


def test_a_turn_that_failed_tells_nothing_of_how_long_the_work_takes(clock):
    queue_threads, work = QueueThreads(EdgeQueue(slots=1), clock), EdgeWork(key="a", profiled=1.0)
    for _ in range(9):
        with pytest.raises(ZeroDivisionError), queue_threads.turn(budget=None, choices=(work,)):
            raise ZeroDivisionError
    with (
        queue_threads.turn(budget=None, choices=(work,)),
        pytest.raises(BusyError),
        queue_threads.turn(budget=1.9, choices=(work,)),
    ):
        pass
