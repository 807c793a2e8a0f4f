"""Which frame goes next: driven with times that a test says."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from device.streams.staged import frame
from edgent.device.streams.flow import Flow
from edgent.device.streams.intake import Intake
from edgent.events import Frame
from edgent.units import Seconds

NOW = Seconds(0.0)


def at_once(at, frame, since) -> Seconds:
    return at


def begun(intake, at=0.0):
    """What begins at this moment, by name."""
    names = []
    while isinstance(coming := intake.next(Seconds(at), at_once), Frame):
        names.append(coming.name)
    return names


def test_a_newer_frame_takes_the_place_of_one_that_waits():
    intake = Intake()
    first, second = frame(0), frame(1)
    assert intake.offer(first, NOW) is None
    assert intake.offer(second, NOW) is first
    assert begun(intake) == ["door-1"]
    assert intake.empty


def test_frames_of_other_sources_replace_each_other_never():
    intake = Intake()
    assert intake.offer(frame(0), NOW) is None and intake.offer(frame(0, source="yard"), NOW) is None
    assert not intake.has_place("door") and intake.has_place("gate")


def test_a_fast_source_does_not_push_a_slow_one_back():
    intake = Intake()
    intake.offer(frame(0, source="slow"), NOW)
    order = []
    for number in range(20):
        intake.offer(frame(number, source="fast"), NOW)
        order += begun(intake)
        intake.ended()
        if number % 2:
            intake.offer(frame(number, source="slow"), NOW)
    assert order[0] == "slow-0"
    assert sum(name.startswith("slow") for name in order) >= 9


def test_no_more_begin_than_may_be_under_way():
    intake = Intake()
    intake.flow = Flow(most=2)
    for number, source in enumerate("abc"):
        intake.offer(frame(number, source=source), NOW)
    assert begun(intake) == ["a-0", "b-1"]
    assert intake.next(NOW, at_once) == math.inf
    intake.ended()
    assert begun(intake) == ["c-2"]


def test_frames_begin_an_interval_apart():
    intake = Intake()
    intake.flow = Flow(most=3, interval=Seconds(0.02))
    intake.offer(frame(0, source="a"), NOW)
    intake.offer(frame(0, source="b"), NOW)
    assert begun(intake) == ["a-0"]
    assert intake.next(Seconds(0.005), at_once) == 0.02
    assert begun(intake, 0.02) == ["b-0"]


def test_where_nothing_is_under_way_a_frame_begins_at_once():
    intake = Intake()
    intake.flow = Flow(most=3, interval=Seconds(10.0))
    intake.offer(frame(0), NOW)
    begun(intake)
    intake.ended()
    intake.offer(frame(1), NOW)
    assert begun(intake, 0.001) == ["door-1"]


@given(st.lists(st.sampled_from(["offer a", "offer b", "next", "end"]), max_size=60))
def test_every_frame_begins_or_is_replaced_or_still_waits_and_sources_keep_their_order(steps):
    intake, offered, replaced, began = Intake(), [], [], []
    intake.flow = Flow(most=2)
    for number, step in enumerate(steps):
        if step.startswith("offer"):
            offered.append(frame(number, source=step[-1]))
            if (before := intake.offer(offered[-1], NOW)) is not None:
                replaced.append(before)
        elif step == "next" and isinstance(coming := intake.next(NOW, at_once), Frame):
            began.append(coming)
        elif step == "end" and intake.under_way:
            intake.ended()
        assert intake.under_way <= 2
    waiting = len(offered) - len(began) - len(replaced)
    assert 0 <= waiting <= 2 and intake.empty == (waiting == 0)
    for source in "ab":
        numbers = [each.number for each in began if each.source == source]
        assert numbers == sorted(numbers)


def test_a_frame_that_may_not_begin_yet_lets_others_pass_and_is_replaced_like_any():
    intake, waits = Intake(), {"a-0": 0.5}

    def opening(at, frame, since) -> Seconds:
        return Seconds(max(at, waits.get(frame.name, 0.0)))

    intake.flow = Flow(most=9)
    intake.offer(frame(0, source="a"), NOW)
    assert intake.next(NOW, opening) == 0.5
    intake.offer(frame(0, source="b"), NOW)
    assert intake.next(NOW, opening).name == "b-0"
    assert intake.offer(frame(1, source="a"), NOW).name == "a-0"
    assert intake.next(NOW, opening).name == "a-1"


def test_it_is_told_since_when_a_frame_waits():
    intake, asked = Intake(), []
    intake.offer(frame(0, at=0.1), Seconds(0.2))
    intake.next(Seconds(0.3), lambda at, one, since: asked.append((at, one.at, since)) or at)
    assert asked == [(0.3, 0.1, 0.2)]
