"""The public fakes keep their promises, so that programs tested with them can rely on these."""

from __future__ import annotations

import doctest
import threading
from functools import partial

import numpy as np
import pytest

import edgent.testing.clock
from edgent.clock import MonotonicClock
from edgent.edge.edge import Edge
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgeError, InputError, RefusedError
from edgent.testing import FakeEngine, FakeLink, ManualClock
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import LateError
from edgent.wire.transport import Unary

DAY = 86_400.0


@pytest.fixture
def link(model, clock):
    return FakeLink(Edge(model, engine=FakeEngine(), clock=clock).service.methods(), clock=clock)


def started(clock, *targets):
    threads = [clock.thread(target, "test") for target in targets]
    for thread in threads:
        thread.start()
    return threads


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(edgent.testing.clock) == (0, 4)


def test_sleepers_wake_in_the_order_of_their_moments_at_just_these(clock):
    woken = []

    def sleeper(seconds):
        return lambda: (clock.sleep(seconds), woken.append(clock.now()))

    threads = started(clock, *(sleeper(seconds) for seconds in (3 * DAY, DAY, 2 * DAY, DAY)))
    for thread in threads:
        thread.join()
    assert woken == [DAY, DAY, 2 * DAY, 3 * DAY]
    assert not any(thread.is_alive() for thread in threads)


def test_a_moment_is_waited_for_exactly_and_one_that_is_over_not_at_all(clock):
    for moment in (5.0, 3.0, 5.0, DAY):
        clock.sleep_until(moment)
    assert clock.now() == DAY


def test_no_time_passes_while_a_thread_has_something_to_do(clock):
    changed, turns, seen = clock.condition(), [], []

    def worker(number):
        with changed:
            for turn in range(50):
                changed.wait_for(lambda turn=turn: len(turns) == 2 * turn + number)
                turns.append(number)
                seen.append(clock.now())
                changed.notify_all()

    threads = started(clock, lambda: worker(0), lambda: worker(1))
    clock.sleep(DAY)
    assert turns == [0, 1] * 50
    assert set(seen) == {0.0}
    for thread in threads:
        thread.join()
    assert clock.now() == DAY


def test_a_wait_ends_by_a_notice_or_by_its_time_and_says_which(clock):
    changed, found = clock.condition(), []

    def waiter(timeout):
        with changed:
            found.append((changed.wait(timeout), clock.now()))

    started(clock, lambda: waiter(1.0), lambda: waiter(9.0), lambda: waiter(None))
    clock.sleep(5.0)
    with changed:
        changed.notify_all()
    clock.sleep(DAY)
    assert found == [(False, 1.0), (True, 5.0), (True, 5.0)]


def test_a_notice_wakes_no_more_than_it_is_for_and_one_that_gave_up_takes_none(clock):
    changed, found = clock.condition(), []

    def waiter(name, timeout):
        with changed:
            found.append((name, changed.wait(timeout)))

    started(clock, lambda: waiter("gave up", 1.0), lambda: waiter("first", None), lambda: waiter("second", None))
    clock.sleep(5.0)
    with changed:
        changed.notify()
    clock.sleep(DAY)
    assert found == [("gave up", False), ("first", True)]


def test_a_threads_course_is_the_same_each_time():
    def course():
        clock, seen = ManualClock(), []
        random = np.random.default_rng(0)

        def walker(name, steps):
            for step in steps:
                clock.sleep(step)
                seen.append((name, clock.now()))

        courses = enumerate(random.choice([0.1, 0.2], (6, 20)))
        for thread in started(clock, *(partial(walker, name, steps) for name, steps in courses)):
            thread.join()
        return seen

    first = course()
    assert len(first) == 120
    assert all(course() == first for _ in range(5))


def test_where_all_wait_for_ever_that_is_said_and_not_waited_for(clock):
    changed = clock.condition()
    started(clock, lambda: changed.__enter__() and changed.wait())
    with changed, pytest.raises(AssertionError, match="all threads wait"):
        changed.wait_for(lambda: False)


def test_a_thread_that_the_clock_did_not_make_may_not_wait_by_it(clock):
    other = MonotonicClock().pool(1, "other")
    with pytest.raises(AssertionError, match="did not make"):
        other.submit(clock.sleep, 1.0).result()
    other.shutdown()


def test_a_join_may_be_given_up(clock):
    (thread,) = started(clock, lambda: clock.sleep(DAY))
    thread.join(1.0)
    assert thread.is_alive() and clock.now() == 1.0
    thread.join()
    assert not thread.is_alive() and clock.now() == DAY


@pytest.mark.parametrize("make", [ManualClock, MonotonicClock])
def test_both_clocks_pools_do_what_is_submitted_and_end_with_it(make):
    clock = make()
    pool, done = clock.pool(2, "test"), []
    futures = [pool.submit(done.append, number) for number in range(4)]
    failed = pool.submit(lambda: 1 // 0)
    pool.shutdown()
    assert sorted(done) == [0, 1, 2, 3] and all(future.done() for future in futures)
    assert isinstance(failed.exception(), ZeroDivisionError)


def test_a_pool_without_a_bound_has_a_thread_for_all_work_that_waits():
    pool, all_there = MonotonicClock().pool(None, "test"), threading.Barrier(201)
    waiting = [pool.submit(all_there.wait, 60.0) for _ in range(200)]
    all_there.wait(60.0)
    pool.shutdown()
    assert len({each.result() for each in waiting}) == 200


def test_looking_again_and_again_gets_on(clock):
    looks = 0
    while clock.now() < 0.001:
        clock.sleep(0)
        looks += 1
    assert 999 <= looks <= 1001


def test_a_moved_clock_wakes_those_late_whose_moment_has_passed(clock):
    woken = []
    started(clock, lambda: (clock.sleep(1.0), woken.append(clock.now())))
    clock.sleep(0.5)
    clock.advance(2.0)
    assert not woken
    clock.sleep(0)
    assert woken == [2.5]


def test_a_cut_link_fails_and_a_mended_one_answers(link):
    link.cut()
    with pytest.raises(EdgeError):
        link.call(m.SERVER_LIVE, b"", 1.0)
    link.mend()
    assert link.call(m.SERVER_LIVE, b"", 1.0).body


def test_a_held_answer_is_late_by_the_callers_own_timeout_and_comes_when_released(link, clock):
    link.hold(m.SERVER_LIVE)
    with pytest.raises(LateError):
        link.call(m.SERVER_LIVE, b"", DAY)
    assert clock.now() == DAY
    assert link.call(m.SERVER_READY, b"", 1.0).body
    started(clock, lambda: (clock.sleep(3.0), link.release()))
    reply = link.call(m.SERVER_LIVE, b"", 5.0)
    assert reply.body and reply.body_at - reply.sent_at == 3.0


def test_an_edge_that_computes_too_long_is_late_at_the_callers_own_timeout(clock):
    slow = Unary(answer=lambda _, call: clock.sleep(DAY) or b"late")
    link = FakeLink({m.SERVER_LIVE: slow}, clock=clock)
    with pytest.raises(LateError):
        link.call(m.SERVER_LIVE, b"", 3.0)
    assert clock.now() == 3.0
    started(clock, lambda: (clock.sleep(1.0), link.cut()))
    with pytest.raises(EdgeError, match="cut"):
        link.call(m.SERVER_LIVE, b"", DAY)
    assert clock.now() == 4.0


def test_a_cut_ends_the_call_under_way_at_once(link, clock):
    link.hold(m.SERVER_LIVE)
    started(clock, lambda: (clock.sleep(3.0), link.cut()))
    with pytest.raises(EdgeError, match="cut"):
        link.call(m.SERVER_LIVE, b"", DAY)
    assert clock.now() == 3.0


def test_messages_take_their_time_on_a_slow_link_and_half_the_round_trip_each_way(link, clock):
    link.bandwidth, link.round_trip = 8_000.0, 0.5
    timed = EdgeClient(link).probe(1_000, 3_000, DAY)
    assert timed.uplink == pytest.approx(0.5 + timed.bytes_up / 1_000)
    assert timed.downlink == pytest.approx(len(timed.body) / 1_000)
    assert clock.now() == timed.body_at
    with pytest.raises(LateError):
        EdgeClient(link).probe(1_000, 3_000, 2.0)


def test_the_edge_is_told_what_the_way_there_has_left_of_the_callers_time(clock):
    told = []
    methods = {m.SERVER_LIVE: Unary(answer=lambda _, call: told.append(call.time_remaining()) or b"yes")}
    FakeLink(methods, clock=clock, round_trip=0.5).call(m.SERVER_LIVE, b"", 2.0)
    assert told == [1.75]


def test_refusals_are_those_of_the_real_wire(link, channel):
    bad = m.ModelInferRequest(model_name="b-alexnet").SerializeToString()
    for either in (link, channel):
        with pytest.raises(RefusedError) as refused:
            either.call(m.MODEL_INFER, bad, 20.0)
        assert "expected image" in str(refused.value)


def test_fake_and_real_engines_make_tensors_of_one_shape_and_type(model, picture):
    given, asked = ["image"], ["exit0", "exit4"]
    fake, real = (engine.session(model, given, asked).run({"image": picture}) for engine in (FakeEngine(), Engine()))
    assert {name: (array.shape, array.dtype) for name, array in fake.items()} == {
        name: (array.shape, array.dtype) for name, array in real.items()
    }


def test_a_fake_session_wants_exactly_its_tensors(model):
    with pytest.raises(InputError):
        FakeEngine().session(model, ["image"], ["exit0"]).run({"other": np.zeros(1)})
