"""When the next frame may begin: against turns that a test reserves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.playing import DEADLINE, MARGIN, branch, play, request
from edgent.device.schedule import Schedule
from edgent.device.streams.openings import Like, Openings
from edgent.units import Seconds

NOW = Seconds(10.0)
BRANCHES = [branch(0, 0.05), branch(1, 0.08)]


def nobody() -> None:
    """Is called by the schedule."""


@pytest.fixture
def schedule():
    """One slot, taken until 0.2 s from now."""
    schedule = Schedule()
    schedule.begin(schedule.reserve(NOW, [0.2], NOW + 1.0, nobody), NOW, [0.2], 0.0)
    return schedule


@pytest.fixture
def openings(schedule):
    openings = Openings(schedule)
    openings.like = Like(BRANCHES, 0.01, asks_edge=True)
    return openings


def test_while_the_edge_is_in_time_frames_begin_whatever_the_device_has_to_do(openings):
    assert openings.opening(NOW, 0.1, 0.0) == NOW


def test_where_the_device_stands_in_one_begins_when_head_and_fastest_branch_can_be_promised(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.1, 0.0) == pytest.approx(NOW + 0.2 + 0.06 - 0.1)
    assert openings.opening(NOW, 0.26, 0.0) == NOW


def test_a_device_that_plans_for_itself_has_no_head_to_count(openings):
    openings.like = Like(BRANCHES, 0.01, asks_edge=False)
    assert openings.opening(NOW, 0.1, 0.0) == pytest.approx(NOW + 0.2 + 0.05 - 0.1)


def test_one_that_has_waited_too_long_leaves_the_device_to_a_newer_one(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.05, 0.02) == math.inf
    assert openings.opening(NOW, 0.07, 0.02) < math.inf


def test_what_could_never_be_in_time_begins_when_the_device_is_free(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.04, 0.01) == pytest.approx(NOW + 0.2)


def test_a_late_edge_has_the_device_stand_in_until_one_is_in_time_again():
    schedule = Schedule()
    for edge, stands_in in ((None, True), (("answers", 0.2), True), (("answers", 0.03), False)):
        play(request([branch(1, 0.05)], schedule=schedule), edge=edge)
        assert schedule.stands_in is stands_in


@pytest.mark.parametrize(("seconds", "stands_in"), [(0.05, True), (0.3, False)])
def test_a_late_answer_of_the_edge_is_one_in_time_only_where_the_device_would_be_later_still(seconds, stands_in):
    schedule = Schedule()
    # The head leaves too little time for either branch, so it begins at the deadline, and the edge comes before it.
    played = play(request([branch(1, seconds)], schedule=schedule), head=0.06, edge=("answers", 0.08))
    assert (played.delivered.by, played.at) == ("edge", pytest.approx(0.14))
    assert schedule.stands_in is stands_in


@pytest.mark.parametrize(("answers", "stands_in"), [(DEADLINE * 2, True), (DEADLINE / 2, False)])
def test_an_edge_in_time_for_a_request_that_has_longer_is_so_for_others_only_within_their_deadline(answers, stands_in):
    schedule = Schedule(usual_deadline=DEADLINE)
    schedule.stands_in = True
    played = play(request([branch(1, 0.05)], schedule=schedule, deadline=10 * DEADLINE), edge=("answers", answers))
    assert played.delivered.by == "edge"
    assert schedule.stands_in is stands_in


def test_a_device_that_stands_in_already_does_not_wait_where_no_branch_fits():
    schedule = Schedule()
    first = play(request([branch(1, 0.2)], schedule=schedule))
    assert first.local_started_at == pytest.approx(DEADLINE - MARGIN)
    assert play(request([branch(1, 0.2)], schedule=schedule)).local_started_at == 0.0


def test_a_plan_of_the_device_alone_stands_in_for_nobody():
    schedule = Schedule()
    play(request([branch(1, 0.05)], schedule=schedule, uses_edge=False))
    assert not schedule.stands_in


def test_a_head_tells_what_its_request_will_want_afterwards():
    schedule = Schedule()
    ahead = request([branch(1, 0.05), branch(2, 0.07)], schedule=schedule, head=Seconds(0.02))
    ahead.planned(Seconds(0.0))
    assert schedule.opening(0.0, 0.05, 0.1) == pytest.approx(0.02 + 0.05 + 0.05 - 0.1)


works = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=1, max_size=5)  # seconds, due


@settings(max_examples=100)
@given(work=works, seconds=st.integers(1, 12), spare=st.integers(0, 30))
def test_work_opens_when_it_fits_behind_all_that_is_promised(work, seconds, spare):
    schedule = Schedule()
    kept = [needed for needed, due in work if schedule.reserve(0.0, [needed], due, nobody)]
    assert schedule.opening(0.0, seconds, seconds + spare) == max(0.0, sum(kept) - spare)


def test_behind_what_takes_longer_than_expected_nothing_is_promised():
    schedule = Schedule()
    turn = schedule.reserve(0.0, [0.05], 0.1, nobody)
    schedule.begin(turn, 0.0, [0.05], 0.0)
    assert schedule.opening(0.04, 0.02, 0.05) == 0.04
    assert schedule.opening(0.04, 0.05, 0.05) == pytest.approx(0.05)
    assert schedule.opening(0.08, 0.02, 0.05) == pytest.approx(0.11)
    schedule.drop(turn)
    assert schedule.opening(0.09, 0.02, 0.05) == 0.09


def test_what_will_be_late_anyway_keeps_nobody_from_beginning():
    schedule = Schedule()
    schedule.reserve_late(5.0, nobody)
    assert schedule.opening(1.0, 0.02, 0.05) == 1.0


def test_what_will_be_late_leaves_its_time_to_a_frame_that_has_begun_and_has_no_turn_yet():
    schedule = Schedule()
    openings = Openings(schedule)
    openings.like = Like(BRANCHES, 0.01, asks_edge=True)
    assert openings.opening(Seconds(0.0), 0.1, 0.0) == 0.0  # its branch begins at 0.05 at the latest
    quick = schedule.reserve_late(0.04, nobody)
    assert schedule.begin(quick, 0.0, [0.04], 0.0) == 0.04
    schedule.drop(quick)
    late = schedule.reserve_late(0.06, nobody)
    assert schedule.begin(late, 0.04, [0.06], 0.0) is None
    assert schedule.begin(late, 0.05, [0.06], 0.0) == 0.06


def test_one_that_waits_until_later_is_expected_by_nobody(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.1, 0.0) > NOW
    assert schedule.expects_until == -math.inf


def test_what_will_be_late_looks_again_when_the_frame_that_was_expected_cannot_come_any_more():
    schedule = Schedule()
    schedule.expect(0.05, 0.2)
    # Its head has left no time for the branch: at the deadline it could begin, and would end at 0.166 s.
    played = play(request([branch(1, 0.07)], schedule=schedule), head=0.05)
    assert played.local_started_at == pytest.approx(0.15)


def test_who_has_waited_long_for_all_that_are_expected_begins():
    schedule = Schedule()
    late = schedule.reserve_late(0.06, nobody, yields_until=1.0)
    schedule.expect(0.05, 1.06)
    assert schedule.begin(late, 0.99, [0.06], 0.0) is None
    assert schedule.begin(late, 1.0, [0.06], 0.0) == 0.06
