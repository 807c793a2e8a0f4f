"""The race, whatever the branches, the edge and the device: what holds of every game."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.playing import DEADLINE, MARGIN, branch, play, request
from edgent.device.request import Deliver, Send, StartLocal

branches = st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(0, 1)), min_size=1, max_size=5).map(
    lambda found: [branch(k, seconds, accuracy) for k, (seconds, accuracy) in enumerate(found)]
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
@given(**games)
def test_the_deadline_is_met_whatever_the_edge_does_if_a_branch_fits_when_the_boundary_is_sent(
    branches, edge, head, slowness, race
):
    played = play(request(branches), head=head, edge=edge)
    if any(head + each.seconds <= DEADLINE - MARGIN for each in branches):
        assert played.at <= DEADLINE - MARGIN + 1e-9


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
