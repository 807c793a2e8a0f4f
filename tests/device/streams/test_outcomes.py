"""Outcomes in the order in which their frames began."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.streams.staged import frame
from edgent.device.streams.outcomes import FrameOutcome, InOrder


def outcome(turn: int) -> FrameOutcome:
    return FrameOutcome(frame=frame(turn), kind="answer", turn=turn)


@given(st.permutations(range(8)))
def test_whatever_overtakes_whatever_outcomes_come_in_order_and_none_is_kept(turns):
    order, seen = InOrder(), []
    for turn in turns:
        seen += [each.turn for each in order.add(outcome(turn))]
        assert seen == list(range(len(seen)))
    assert seen == list(range(8))


def test_what_overtook_nothing_is_told_at_once():
    order = InOrder()
    assert [each.turn for turn in range(3) for each in order.add(outcome(turn))] == [0, 1, 2]
