"""The race, in virtual time: a simulated edge and a simulated device play against the state machine."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.playing import DEADLINE, MARGIN, branch, play, request
from edgent.device.failures import Reason
from edgent.device.request import Deliver, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.device.schedule import Schedule
from edgent.planning.conditions import SLICE
from edgent.planning.planner import TOLERANCE
from edgent.units import Seconds


def test_an_edge_in_time_answers_and_the_device_stays_idle():
    played = play(request([branch(0, 0.02)]), edge=("answers", 0.05))
    assert played.delivered == Deliver("edge", 9, "")
    assert played.at == 0.05
    assert played.local_started_at is None


def test_the_local_branch_starts_at_the_deadline_less_its_time_less_the_margin():
    played = play(request([branch(0, 0.02)]))
    assert played.local_started_at == pytest.approx(DEADLINE - MARGIN - 0.02)
    assert played.delivered == Deliver("device", 0, Reason.LATE)
    assert played.at == pytest.approx(DEADLINE - MARGIN)


@pytest.mark.parametrize(("scatter", "earlier"), [(0.0, 0.0), (0.1, 0.0), (0.3, 0.008), (0.9, 0.032), (5.0, 0.056)])
def test_it_starts_earlier_by_what_it_may_stray_beyond_the_margin_as_far_as_there_is_time(scatter, earlier):
    """A branch of 40 ms with a margin of 4 ms."""
    played = play(request([branch(0, 0.04)], scatter=scatter))
    assert played.local_started_at == pytest.approx(DEADLINE - MARGIN - 0.04 - earlier)
    assert played.at == pytest.approx(DEADLINE - MARGIN)  # the edge still has as long as ever
    assert played.budget == pytest.approx(DEADLINE - MARGIN)


def test_where_others_leave_no_time_to_stray_a_branch_that_is_expected_to_fit_has_a_turn():
    schedule = Schedule()
    schedule.reserve(0.0, [0.05], 0.06, lambda: None)
    made = request([branch(0, 0.04)], scatter=0.9, schedule=schedule)
    made.planned(Seconds(0.0))
    (send,) = made.head_done(Seconds(0.0))
    assert send.binding
    assert send.meanwhile == (WaitUntil(Seconds(DEADLINE - MARGIN - 0.04)),)


def test_the_best_local_branch_that_fits_is_the_most_accurate_not_the_fastest():
    made = request([branch(0, 0.01, 0.5), branch(1, 0.06, 0.8), branch(2, 0.2, 0.9)])
    assert play(made).delivered.exit == 1


def test_of_about_equally_accurate_local_branches_the_fastest_starts():
    made = request([branch(0, 0.01, 0.5), branch(1, 0.02, 0.798), branch(2, 0.06, 0.8)])
    assert math.isclose(0.8 - 0.798, TOLERANCE)  # just about
    played = play(made)
    assert played.delivered.exit == 1
    assert played.local_started_at == pytest.approx(DEADLINE - MARGIN - 0.02)


def test_without_accuracies_the_later_exit_is_the_better_one():
    made = request([branch(0, 0.01), branch(1, 0.06), branch(2, 0.2)])
    assert play(made).delivered.exit == 1


def test_an_edge_answer_wins_while_the_local_branch_computes():
    played = play(request([branch(0, 0.05, 0.7)]), edge=("answers", 0.06))
    assert played.local_started_at == pytest.approx(0.046)
    assert played.delivered == Deliver("edge", 9, "")


def test_a_local_answer_waits_for_a_better_one_until_the_margin():
    played = play(request([branch(0, 0.05, 0.7)]), slowness=0.5)
    assert played.at == pytest.approx(DEADLINE - MARGIN)
    assert played.delivered == Deliver("device", 0, Reason.LATE)


def test_of_equally_fast_local_branches_the_more_accurate_one_starts():
    assert play(request([branch(0, 0.02, 0.799), branch(1, 0.02, 0.8)])).delivered.exit == 1
    assert play(request([branch(0, 0.02, 0.8), branch(1, 0.02, 0.799)])).delivered.exit == 0


def test_its_repr_says_how_far_it_is():
    made = request([branch(0, 0.05)])
    assert repr(made) == "<Request exit 9: edge pending, local None, at hand None, not delivered>"
    made.planned(Seconds(0.0))
    made.head_done(Seconds(0.01))
    assert made.tick(Seconds(0.046)) == (StartLocal(0),)
    made.local_done(Seconds(0.09), 0)
    assert repr(made) == "<Request exit 9: edge pending, local 0, at hand 0, not delivered>"
    made.edge_failed(Seconds(0.091), "edge lost")
    over = "Deliver(by='device', exit=0, why='edge lost')"
    assert repr(made) == f"<Request exit 9: edge not pending, local 0, at hand 0, {over}>"


def test_a_branch_that_was_not_started_cannot_be_done_and_a_device_has_one_at_least():
    made = request([branch(0, 0.05)])
    with pytest.raises(AssertionError, match="branch 0 was not started"):
        made.local_done(Seconds(0.0), 0)
    with pytest.raises(AssertionError, match="can always run some branch"):
        request([])


def test_only_where_nothing_of_the_devices_ends_it_the_budget_binds():
    def sent(**settings) -> Send:
        made = request([branch(0, settings.pop("seconds", 0.02))], started_at=1.0, **settings)
        made.planned(Seconds(1.0))
        (send,) = made.head_done(Seconds(1.03))
        return replace(send, meanwhile=())

    until = DEADLINE - MARGIN - 0.03
    assert sent() == Send(budget=pytest.approx(until), binding=True)  # the local branch is sure to be in time
    assert sent(seconds=until).binding and not sent(seconds=until + 1e-6).binding  # just in time is in time
    assert sent(seconds=0.5) == Send(budget=10.0, binding=False)  # it may still win
    assert sent(race=False) == Send(budget=10.0, binding=True)
    assert sent(race=False, deadline=60.0) == Send(budget=pytest.approx(59.97), binding=True)


def test_where_a_local_branch_computes_the_clock_is_not_watched_and_where_it_is_done_it_is():
    made = request([branch(0, 0.05)])
    made.planned(Seconds(0.0))
    (send,) = made.head_done(Seconds(0.0))
    assert send.meanwhile == (WaitUntil(pytest.approx(0.046)),)
    assert made.tick(Seconds(0.046)) == (StartLocal(0),)
    assert made.tick(Seconds(0.05)) == ()
    assert made.local_done(Seconds(0.08), 0) == (WaitUntil(pytest.approx(0.096)),)
    assert made.tick(Seconds(0.09)) == (WaitUntil(pytest.approx(0.096)),)
    assert made.tick(Seconds(0.0961)) == (Deliver("device", 0, Reason.LATE),)


def test_a_failed_device_gives_its_turn_back():
    schedule = Schedule()
    made = request([branch(0, 0.05)], uses_edge=False, exit=0, schedule=schedule)
    assert made.planned(Seconds(0.0)) == (StartLocal(0),)
    assert schedule.backlog(0.0) == 0.05
    assert made.device_failed(Seconds(0.01)) == ()
    assert schedule.backlog(0.01) == 0.0


def head(seconds, schedule, **settings) -> Request:
    return request([branch(0, 0.02)], head=Seconds(seconds), schedule=schedule, **settings)


def test_a_head_takes_its_turn_on_the_device_unless_it_is_short():
    schedule = Schedule()
    first, second, short = head(0.03, schedule), head(0.03, schedule), head(SLICE, schedule)
    assert first.planned(Seconds(0.0)) == (StartHead(),)
    assert second.planned(Seconds(0.0)) == (WaitUntil(math.inf),)
    assert second.tick(Seconds(0.01)) == (WaitUntil(math.inf),)
    assert short.planned(Seconds(0.0)) == (StartHead(),)
    first.head_done(Seconds(0.03))
    assert second.tick(Seconds(0.03)) == (StartHead(),)
    assert second.tick(Seconds(0.04)) == ()  # it is under way


def test_a_head_that_will_be_late_starts_all_the_same():
    assert head(5.0, Schedule()).planned(Seconds(0.0)) == (StartHead(),)


def test_a_lost_edge_starts_the_local_branch_at_once():
    played = play(request([branch(0, 0.02)]), edge=("fails", 0.01))
    assert played.local_started_at == 0.01
    assert played.delivered == Deliver("device", 0, "edge lost")
    assert played.at == pytest.approx(0.03)


def test_a_lost_edge_early_leaves_time_for_a_better_branch():
    made = request([branch(0, 0.01, 0.5), branch(1, 0.08, 0.8)])
    assert play(made, edge=("fails", 0.01)).delivered.exit == 1


def test_an_edge_lost_while_the_local_answer_is_at_hand_gives_that_at_once():
    played = play(request([branch(0, 0.05, 0.7)]), edge=("fails", 0.08), slowness=0.2)
    assert played.at == 0.08
    assert played.delivered == Deliver("device", 0, "edge lost")


def test_where_no_branch_fits_the_fastest_one_starts_at_the_margin_and_the_first_answer_is_given():
    made = request([branch(0, 0.3), branch(1, 0.5)])
    assert play(made, edge=("answers", 0.2)).delivered.by == "edge"
    late = play(request([branch(0, 0.3), branch(1, 0.5)]), edge=("answers", 2.0))
    assert late.delivered == Deliver("device", 0, Reason.LATE)
    assert late.local_started_at == pytest.approx(DEADLINE - MARGIN)


def test_the_budget_is_what_is_left_until_an_answer_must_be_at_hand():
    assert play(request([branch(0, 0.02)]), head=0.03).budget == pytest.approx(DEADLINE - MARGIN - 0.03)


def test_without_a_branch_in_time_the_edge_gets_more_time_than_the_deadline():
    assert play(request([branch(0, 0.5)])).budget == 10.0


def test_a_device_alone_starts_its_branch_with_the_request():
    played = play(request([branch(0, 0.02), branch(1, 0.05)], uses_edge=False, exit=1))
    assert played.delivered == Deliver("device", 1, "")
    assert played.at == 0.05
    assert played.budget is None


def test_without_a_race_the_device_waits_for_the_edge_past_the_deadline():
    played = play(request([branch(0, 0.02)], race=False), edge=("answers", 0.7))
    assert played.delivered == Deliver("edge", 9, "")
    assert played.local_started_at is None


def test_without_a_race_a_lost_edge_is_still_answered_by_the_device():
    played = play(request([branch(0, 0.02)], race=False), edge=("fails", 0.7))
    assert played.delivered == Deliver("device", 0, "edge lost")


def test_a_thread_that_wakes_late_by_less_than_half_the_margin_still_starts_the_better_branch():
    made = request([branch(0, 0.01, 0.5), branch(1, 0.06, 0.8)])
    assert play(made, late_by=MARGIN * 0.4).delivered.exit == 1


def test_what_comes_after_the_answer_is_ignored():
    made = request([branch(0, 0.02)])
    play(made, edge=("answers", 0.05))
    assert made.edge_answered(Seconds(0.06)) == ()
    assert made.edge_failed(Seconds(0.06), "edge lost") == ()
    assert made.tick(Seconds(1.0)) == ()


def started(branches, head: float) -> Request:
    """A request whose plan begins with so much work for the device; it is at that."""
    made = request(branches)
    made.head = Seconds(head)
    assert made.planned(Seconds(0.0)) == (StartHead(),)
    return made


def test_a_head_that_fails_leaves_its_turn_to_the_local_branch_at_once():
    made = started([branch(0, 0.02)], head=0.05)
    assert made.edge_failed(Seconds(0.01), "plan failed: no kernel") == (StartLocal(0),)
    assert made.local_done(Seconds(0.03), 0) == (Deliver("device", 0, "plan failed: no kernel"),)


def test_a_local_branch_after_a_failed_head_waits_for_its_turn_like_any_other():
    schedule, called = Schedule(), []
    other = schedule.reserve_late(Seconds(0.04), lambda: None)
    made = request([branch(0, 0.03)])
    made._schedule, made._call = schedule, lambda: called.append(1)
    assert made.planned(Seconds(0.0)) == (StartHead(),)
    assert schedule.begin(other, 0.0, [0.04], 0.0) is not None
    (waits,) = made.edge_failed(Seconds(0.01), "plan failed")
    assert isinstance(waits, WaitUntil)
    assert made.tick(Seconds(0.02)) == (WaitUntil(Seconds(math.inf)),)
    schedule.drop(other)
    assert made.tick(Seconds(0.04)) == (StartLocal(0),)
    assert made.local_done(Seconds(0.07), 0) == (Deliver("device", 0, "plan failed"),)


def test_a_request_that_will_be_late_is_answered_though_others_that_need_not_be_come_all_the_time():
    schedule, at = Schedule(), 0.0
    late = request([branch(0, 0.2)], uses_edge=False, schedule=schedule, patience=Seconds(3.0))
    others = schedule.reserve(at, [0.05], 0.05, lambda: None)
    schedule.begin(others, at, [0.05], 0.0)
    (action,) = late.planned(Seconds(at))
    while isinstance(action, WaitUntil) and at < 60.0:
        at += 0.05
        schedule.drop(others)
        others = schedule.reserve(at, [0.05], at + 0.05, lambda: None)
        (action,) = late.tick(Seconds(at))
        if isinstance(action, WaitUntil):
            schedule.begin(others, at, [0.05], 0.0)
    assert action == StartLocal(0)
    assert at == pytest.approx(3.0, abs=0.06)


def test_a_failed_head_is_not_started_again():
    made = started([branch(0, 0.02)], head=0.05)
    made.edge_failed(Seconds(0.01), "plan failed")
    assert made.tick(Seconds(0.015)) == ()
    assert made.edge_answered(Seconds(0.016)) == ()
    assert made.edge_failed(Seconds(0.017), "again") == ()
    assert made.local_done(Seconds(0.03), 0) == (Deliver("device", 0, "plan failed"),)


def test_a_suffix_that_fails_while_a_local_answer_is_at_hand_gives_that_one():
    made = request([branch(0, 0.05)])
    made.planned(Seconds(0.0))
    made.head_done(Seconds(0.0))
    assert made.tick(Seconds(0.046)) == (StartLocal(0),)
    made.local_done(Seconds(0.06), 0)
    assert made.edge_failed(Seconds(0.07), "plan failed") == (Deliver("device", 0, "plan failed"),)


branches = st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(0, 1)), min_size=1, max_size=5).map(
    lambda pairs: [branch(k, seconds, accuracy) for k, (seconds, accuracy) in enumerate(pairs)]
)
edges = st.one_of(st.none(), st.tuples(st.sampled_from(["answers", "fails"]), st.floats(0.0001, 0.4)))
games = {
    "branches": branches,
    "edge": edges,
    "head": st.floats(0, 0.15),
    "slowness": st.floats(0.3, 3),
    "race": st.booleans(),
}


@settings(max_examples=300)
@given(**games)
def test_exactly_one_answer_is_given_and_at_most_one_branch_started(branches, edge, head, slowness, race):
    played = play(request(branches, race=race), head=head, edge=edge, slowness=slowness)
    assert sum(isinstance(action, StartLocal) for _, action in played.log) <= 1
    assert sum(isinstance(action, Deliver) for _, action in played.log) == 1


@settings(max_examples=300)
@example(
    branches=[branch(0, 0.00390625, 1.0), branch(1, 0.001953125, 0.0)],
    edge=None,
    head=0.09375,
    slowness=1.0,
    race=False,
)
@given(**games)
def test_the_deadline_is_met_whatever_the_edge_does_if_a_branch_fits_when_the_boundary_is_sent(
    branches, edge, head, slowness, race
):
    played = play(request(branches), head=head, edge=edge)
    if any(head + each.seconds <= DEADLINE - MARGIN for each in branches):
        # Half the margin may be used: a branch is not given up for a thread that woke so late.
        assert played.at <= DEADLINE - MARGIN / 2 + 1e-9


@settings(max_examples=300)
@given(**games)
def test_an_edge_answer_before_the_margin_always_wins_over_worse_ones(branches, edge, head, slowness, race):
    played = play(request(branches, race=race), head=head, edge=edge, slowness=slowness)
    if edge and edge[0] == "answers" and head + edge[1] < DEADLINE - MARGIN:
        assert played.delivered.by == "edge"
        assert played.at == pytest.approx(head + edge[1])


@settings(max_examples=300)
@given(**games)
def test_nothing_is_waited_for_once_the_best_possible_answer_is_there(branches, edge, head, slowness, race):
    """No answer is given later than the later of: the margin, and the first moment at which any answer exists."""
    played = play(request(branches, race=race), head=head, edge=edge, slowness=slowness)
    came = []
    if edge and edge[0] == "answers" and played.budget is not None and edge[1] < played.budget:
        came.append(head + edge[1])
    if played.local_started_at is not None:
        started = next(action.exit for _, action in played.log if isinstance(action, StartLocal))
        came.append(played.local_started_at + slowness * next(b.seconds for b in branches if b.exit == started))
    assert played.at <= max(DEADLINE - MARGIN, min(came)) + 1e-9


@settings(max_examples=300)
@given(**games)
def test_nobody_but_the_edge_ends_a_request_within_a_binding_budget(branches, edge, head, slowness, race):
    played = play(request(branches, race=race), head=head, edge=edge, slowness=slowness)
    send = next(action for _, action in played.log if isinstance(action, Send))
    if send.binding and played.delivered.by == "device":
        failed_at = head + edge[1] if edge and edge[0] == "fails" and edge[1] < send.budget else head + send.budget
        assert played.at >= failed_at - 1e-9


NEARLY_ALL = DEADLINE - MARGIN / 2  # seconds: in time, and with no margin to spare


@pytest.mark.parametrize(
    ("edge", "by", "at"),
    [
        (None, "device", NEARLY_ALL),
        (("answers", 0.03), "edge", 0.03),
        (("fails", 0.03), "device", NEARLY_ALL),
        (("answers", DEADLINE - MARGIN / 4), "device", NEARLY_ALL),
    ],
)
def test_in_a_trial_the_device_answers_as_by_itself_unless_the_edge_is_first(edge, by, at):
    played = play(request([branch(0, NEARLY_ALL)], race=False, trial=True), edge=edge)
    assert played.local_started_at == 0.0
    assert (played.delivered.by, played.at) == (by, pytest.approx(at))
    assert played.at <= DEADLINE


def test_in_a_trial_a_branch_that_fits_starts_as_late_as_in_a_race():
    played = play(request([branch(0, 0.02)], race=False, trial=True), edge=("answers", 0.05))
    assert (played.delivered.by, played.at) == ("edge", pytest.approx(0.05))
    assert played.local_started_at is None
