"""Turns on the device: against all orders, and in virtual time with requests that race their edges."""

from __future__ import annotations

import heapq
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.device.request import Deliver, LocalBranch, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.device.schedule import Schedule
from edgent.planning.conditions import SLICE
from edgent.units import Seconds

MARGIN = 3.0  # milliseconds, as all times here

works = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=1, max_size=5)  # seconds, due


def nobody() -> None:
    """Is called by the schedule."""


def latest_begin(work) -> float:
    """Of all orders the latest moment from which one after another is done in time; -inf for none at all."""
    return max(_latest_in_order(order) for order in itertools.permutations(work))


def _latest_in_order(order) -> float:
    done = itertools.accumulate(seconds for seconds, _ in order)
    return min(due - after for (_, due), after in zip(order, done, strict=True))


@settings(max_examples=200)
@given(work=works)
def test_a_turn_is_given_if_and_only_if_some_order_keeps_all(work):
    schedule, kept = Schedule(), []
    for seconds, due in work:
        turn = schedule.reserve(0.0, [seconds], due, nobody)
        assert (turn is not None) == (latest_begin([*kept, (seconds, due)]) >= 0)
        kept += [(seconds, due)] if turn else []


@settings(max_examples=200)
@given(work=works)
def test_turns_lie_as_late_as_any_order_allows_and_do_not_overlap(work):
    schedule = Schedule()
    found = [schedule.reserve(-1000.0, [seconds], due, nobody) for seconds, due in work]
    assert min(turn.begin_at for turn in found) == latest_begin(work)
    found.sort(key=lambda turn: turn.begin_at)
    for turn, after in itertools.pairwise(found):
        assert turn.begin_at + turn.seconds <= min(turn.due, after.begin_at)


@settings(max_examples=200)
@given(work=works, slots=st.integers(1, 4))
def test_no_more_turns_overlap_than_there_are_slots(work, slots):
    schedule = Schedule(slots)
    found = [turn for seconds, due in work if (turn := schedule.reserve(0.0, [seconds], due, nobody))]
    for moment in range(31):
        assert sum(turn.begin_at <= moment < turn.begin_at + turn.seconds for turn in found) <= slots
    assert all(0 <= turn.begin_at <= turn.due - turn.seconds for turn in found)


@settings(max_examples=200)
@given(work=works, dropped=st.integers(0, 4))
def test_a_dropped_turn_leaves_nothing_behind(work, dropped):
    schedule, other = Schedule(), Schedule()
    found = [schedule.reserve(-1000.0, [seconds], due, nobody) for seconds, due in work]
    gone = min(dropped, len(work) - 1)
    schedule.drop(found.pop(gone))
    fresh = [other.reserve(-1000.0, [seconds], due, nobody) for seconds, due in work[:gone] + work[gone + 1 :]]
    assert sorted(turn.begin_at for turn in found) == sorted(turn.begin_at for turn in fresh)


@settings(max_examples=100)
@given(work=works, slots=st.integers(1, 2))
def test_it_is_idle_where_no_turn_waits_or_runs_and_then_has_no_backlog(work, slots):
    schedule = Schedule(slots)
    assert schedule.idle
    turns = [turn for seconds, due in work if (turn := schedule.reserve(0.0, [seconds], due, nobody))]
    running = [turn for turn in turns[:1] if schedule.begin(turn, 0.0, [turn.seconds], 0.0) is not None]
    assert schedule.idle is not bool(turns)
    for turn in turns:
        assert not schedule.idle
        schedule.drop(turn)
    assert schedule.idle
    assert schedule.backlog(0.0) == 0.0
    assert len(running) <= 1


def test_the_first_turn_is_called_when_a_second_one_moves_it_forward():
    calls = []
    schedule = Schedule()
    first = schedule.reserve(0.0, [30.0], 97.0, lambda: calls.append("first"))
    schedule.reserve(5.0, [30.0], 102.0, lambda: calls.append("second"))
    assert first.begin_at == 42.0
    assert calls == ["first"]


def test_a_turn_that_another_one_follows_begins_earlier_by_the_handover_but_is_refused_no_sooner():
    schedule = Schedule(handover=2.0)
    first = schedule.reserve(0.0, [40.0], 97.0, nobody)
    assert first.begin_at == 57.0
    second = schedule.reserve(0.0, [57.0], 97.0, nobody)
    assert (first.begin_at, second.begin_at) == (-2.0, 40.0)


def test_where_the_best_branch_no_longer_fits_a_faster_one_is_reserved():
    schedule = Schedule()
    running = schedule.reserve(0.0, [60.0], 97.0, nobody)
    assert schedule.begin(running, 0.0, [60.0], 0.0) == 60.0
    assert schedule.backlog(20.0) == 40.0
    assert schedule.reserve(20.0, [40.0, 30.0], 97.0, nobody).seconds == 30.0
    assert schedule.reserve(20.0, [40.0, 30.0], 97.0, nobody) is None


def test_others_hurry_for_one_that_would_not_fit_otherwise():
    schedule = Schedule()
    first = schedule.reserve(0.0, [60.0, 20.0], 97.0, nobody)
    second = schedule.reserve(0.0, [60.0, 20.0], 97.0, nobody)
    third = schedule.reserve(0.0, [60.0, 20.0], 97.0, nobody, overdue_at=5.0)
    assert (first.seconds, second.seconds, third.seconds) == (60.0, 20.0, 20.0)
    assert third.begin_at == 5.0  # its edge may be overdue as well
    assert schedule.begin(first, 0.0, [60.0, 20.0], 0.0) == 20.0


def test_of_the_branches_that_would_do_the_first_is_begun_that_makes_no_other_late_by_more_than_the_grace():
    for at, grace, begun in ((7.0, 0.0, 30.0), (8.0, 0.0, 10.0), (8.0, 2.0, 30.0), (9.5, 2.0, 10.0)):
        schedule = Schedule()
        turn = schedule.reserve(0.0, [30.0, 10.0], 50.0, nobody)
        schedule.reserve(0.0, [60.0], 97.0, nobody)
        assert schedule.begin(turn, at, [30.0, 10.0], grace) == begun


def running(until: float, slots: int = 1) -> Schedule:
    """A schedule with one turn that runs."""
    schedule = Schedule(slots)
    assert schedule.begin(schedule.reserve(0.0, [until], 1000.0, nobody), 0.0, [until], 0.0) == until
    return schedule


def test_who_comes_now_waits_for_what_runs_on_the_slot_that_is_free_first():
    schedule = running(20.0, slots=2)
    assert schedule.backlog(5.0) == 0.0
    schedule.begin(schedule.reserve(5.0, [40.0], 1000.0, nobody), 5.0, [40.0], 0.0)
    assert schedule.backlog(5.0) == 15.0
    assert schedule.backlog(25.0) == 0.0


@pytest.mark.parametrize(("due", "waits"), [(80.0, 15.0), (79.0, 45.0)])
def test_who_comes_now_waits_for_one_that_he_would_make_late_and_for_no_other(due, waits):
    """What runs ends at 20; a branch of 30 would end at 50, and then the other one's 30 must still fit."""
    schedule = running(20.0)
    schedule.reserve(0.0, [30.0], due, nobody)
    assert schedule.backlog(5.0) == waits


def test_who_comes_now_waits_for_all_that_are_wanted_and_for_none_that_will_be_late_anyway():
    schedule = running(20.0)
    wanted = schedule.reserve(0.0, [30.0], 500.0, nobody)
    assert schedule.begin(wanted, 5.0, [30.0], 0.0) is None  # the only slot is taken
    assert schedule.backlog(5.0) == 45.0
    schedule.reserve_late(70.0, nobody)
    assert schedule.backlog(5.0) == 45.0
    another = schedule.reserve(0.0, [10.0], 500.0, nobody)
    assert schedule.backlog(5.0) == 45.0
    assert schedule.begin(another, 5.0, [10.0], 0.0) is None
    assert schedule.backlog(5.0) == 55.0


def test_who_waits_for_a_slot_is_called_when_one_is_free():
    calls = []
    schedule = Schedule()
    first, second = (schedule.reserve(0.0, [10.0], due, lambda due=due: calls.append(due)) for due in (50.0, 60.0))
    assert schedule.begin(first, 0.0, [10.0], 0.0) == 10.0
    assert schedule.begin(second, 1.0, [10.0], 0.0) is None
    assert repr(schedule) == "<Schedule 1/1 running, 1 waiting>"
    calls.clear()
    schedule.drop(first)
    assert calls == [60.0]
    assert schedule.begin(second, 10.0, [10.0], 0.0) == 10.0
    schedule.drop(second)
    assert repr(schedule) == "<Schedule 0/1 running, 0 waiting>"


def test_who_is_due_first_begins_first_though_another_one_is_quicker_to_come():
    """There is time for both, as long as neither takes longer than expected."""
    schedule = Schedule()
    before, first, second = (schedule.reserve(0.0, [30.0], due, nobody) for due in (50.0, 100.0, 200.0))
    assert schedule.begin(before, 0.0, [30.0], 0.0) == 30.0
    assert schedule.begin(first, 10.0, [30.0], 0.0) is None
    schedule.drop(before)
    assert schedule.begin(second, 30.0, [30.0], 0.0) is None
    assert schedule.begin(first, 31.0, [30.0], 0.0) == 30.0


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_of_those_that_wait_only_as_many_are_called_as_can_begin_and_those_that_will_be_late(slots):
    calls, schedule = [], Schedule(slots)

    def turn(due):
        return schedule.reserve(0.0, [10.0], due, lambda: calls.append(due))

    busy = [turn(20.0) for _ in range(slots)]
    assert all(schedule.begin(each, 0.0, [10.0], 0.0) for each in busy)
    waiting = [turn(due) for due in (50.0, 60.0, 70.0, 80.0)]
    waiting += [schedule.reserve_late(10.0, lambda: calls.append(math.inf), yields_until=100.0)]
    assert not any(schedule.begin(each, 1.0, [10.0], 0.0) for each in waiting)
    calls.clear()
    for number in range(slots):
        schedule.drop(busy[number])
        assert calls == [*(50.0, 60.0, 70.0)[: number + 1], math.inf]
        calls.clear()


@pytest.mark.parametrize(("at", "begins"), [(99.0, None), (100.0, 10.0)])
def test_who_will_be_late_lets_the_others_go_first_but_not_for_ever(at, begins):
    """A device that is never idle: whenever it could begin, another is due for which there would be no time left."""
    schedule = Schedule()
    late = schedule.reserve_late(10.0, nobody, yields_until=100.0)
    schedule.reserve(at, [10.0], at + 15.0, nobody)
    assert schedule.begin(late, at, [10.0], 0.0) == begins


class Played:
    """Requests that share a device, in virtual time; edges answer, fail or are silent. Milliseconds."""

    def __init__(self, slots: int = 1) -> None:
        self.schedule = Schedule(slots)
        self.now, self.order = 0.0, itertools.count()
        self.events: list = []
        self.delivered: dict[int, tuple[float, str]] = {}
        self.promised: dict[int, float] = {}
        self.begun: dict[int, float] = {}
        self.computing = self.most = 0

    def add(
        self, number, at, branches, *, edge=("silent", 0.0), deadline=100.0, head=0.0, expected=math.inf, alone=False
    ):
        made = Request(
            started_at=Seconds(at),
            exit=len(branches) - 1,
            uses_edge=not alone,
            deadline=Seconds(deadline),
            margin=Seconds(MARGIN),
            branches=[LocalBranch(exit=exit, seconds=Seconds(took)) for exit, took in enumerate(branches)],
            schedule=self.schedule,
            call=lambda: self.later(self.now, number, made, made.tick),
            head=Seconds(head),
            expected=Seconds(expected),
            patience=Seconds(10_000.0),
        )
        made.edge = edge
        self.later(at, number, made, made.planned)

    def later(self, at, number, made, event) -> None:
        heapq.heappush(self.events, (max(at, self.now), next(self.order), number, made, event))

    def run(self) -> None:
        while self.events:
            self.now, _, number, made, event = heapq.heappop(self.events)
            for action in event(Seconds(self.now)):
                self.act(number, made, action)

    def act(self, number, made, action) -> None:
        if isinstance(action, StartHead):
            self.compute(number, made, made.head, made.head_done)
        elif isinstance(action, Send):
            self.send(number, made, action)
        elif isinstance(action, StartLocal):
            took, self.begun[number] = made.branches[action.exit].seconds, self.now
            self.compute(number, made, took, lambda at: made.local_done(at, action.exit))
        elif isinstance(action, WaitUntil) and math.isfinite(action.at):
            self.later(action.at, number, made, made.tick)
        elif isinstance(action, Deliver):
            assert number not in self.delivered, "delivered twice"
            self.delivered[number] = self.now, action.by

    def send(self, number, made, send) -> None:
        kind, after = made.edge
        if send.binding:
            self.promised[number] = self.now + send.budget
        if kind == "answers" and after < send.budget:
            self.later(self.now + after, number, made, made.edge_answered)
        else:
            failed = min(after, send.budget) if kind == "fails" else send.budget
            self.later(self.now + failed, number, made, lambda at: made.edge_failed(at, "edge lost"))
        for action in send.meanwhile:
            self.act(number, made, action)

    def compute(self, number, made, took, done) -> None:
        self.computing += took > SLICE
        self.most = max(self.most, self.computing)

        def end(at):
            self.computing -= took > SLICE
            return done(at)

        self.later(self.now + took, number, made, end)


def test_two_requests_whose_latest_starts_would_collide_are_both_in_time():
    played = Played()
    played.add(0, 0.0, [30.0])
    played.add(1, 5.0, [30.0])
    played.run()
    assert played.delivered == {0: (97.0, "device"), 1: (102.0, "device")}
    assert played.most == 1
    latest_of_the_first_by_itself = 97.0 - 30.0
    assert latest_of_the_first_by_itself + 30.0 + 30.0 > 105.0, "one of them would be late"


def test_a_local_branch_starts_no_earlier_than_by_itself_once_the_other_edge_has_answered():
    played = Played()
    played.add(0, 0.0, [30.0], edge=("answers", 66.0))
    played.add(1, 5.0, [30.0], edge=("answers", 20.0))
    played.run()
    assert played.delivered == {0: (66.0, "edge"), 1: (25.0, "edge")}
    assert played.most == 0


def test_an_idle_device_begins_with_an_overdue_request_where_another_one_waits_but_not_for_one_alone():
    alone, together = Played(), Played()
    alone.add(0, 0.0, [30.0], expected=10.0)
    together.add(0, 0.0, [30.0], expected=10.0)
    together.add(1, 40.0, [30.0], expected=10.0)
    alone.run()
    together.run()
    assert alone.begun == {0: 67.0}
    assert together.begun == {0: 40.0, 1: 70.0}


def test_requests_of_a_device_alone_wait_for_each_other():
    played = Played()
    for number in range(3):
        played.add(number, float(number), [30.0], alone=True)
    played.run()
    assert [played.delivered[number][0] for number in range(3)] == [30.0, 60.0, 90.0]


def test_a_device_alone_does_not_hold_up_a_race_that_is_due_first():
    played = Played()
    played.add(0, 0.0, [30.0])  # must start at 67
    played.add(1, 60.0, [30.0], alone=True)
    played.run()
    assert played.delivered == {0: (97.0, "device"), 1: (127.0, "device")}


def test_one_that_is_late_anyway_goes_after_those_that_can_be_in_time():
    played = Played()
    played.add(0, 0.0, [90.0], alone=True)
    played.add(1, 1.0, [30.0], alone=True)  # cannot be done by 98
    played.add(2, 20.0, [20.0], alone=True)  # can, by 117
    played.run()
    assert played.delivered[2][0] == pytest.approx(110.0)
    assert played.delivered[1][0] == pytest.approx(140.0)


branches = st.lists(st.integers(1, 60).map(float), min_size=1, max_size=3).map(sorted)
requests = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 200),
            "branches": branches,
            "edge": st.tuples(st.sampled_from(["answers", "fails", "silent"]), st.integers(1, 150)),
            "deadline": st.integers(20, 150),
            "head": st.sampled_from([0.0, 0.0, 10.0]),
            "expected": st.sampled_from([math.inf, 5.0, 20.0]),
            "alone": st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200)
@given(requests=requests, slots=st.integers(1, 3))
def test_every_request_is_answered_and_no_more_is_computed_at_once_than_there_are_slots(requests, slots):
    played = Played(slots)
    for number, each in enumerate(requests):
        played.add(number, **each)
    played.run()
    assert len(played.delivered) == len(requests)
    assert played.most <= slots


@settings(max_examples=200)
@given(requests=requests)
def test_who_was_given_a_turn_is_in_time_whatever_comes_after(requests):
    played = Played()
    for number, each in enumerate(requests):
        played.add(number, **each)
    played.run()
    for number, by in played.promised.items():  # a branch may end later by half the margin, for threads that wake late
        assert played.delivered[number][0] <= by + MARGIN / 2 + 1e-6
