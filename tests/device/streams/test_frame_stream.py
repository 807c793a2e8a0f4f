"""Frames answered several at a time, in virtual time: rates, replacements, what is too old, and what goes wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from device.streams.staged import ALONE, StagedDevice, frame
from edgent.device.streams.frame_stream import FrameStream
from edgent.errors import InputError
from edgent.planning.plan import Stages

STAGES = Stages(head=0.02, uplink=0.03, middle=0.02)


class Told:
    """Outcomes, with the moments at which they were told."""

    def __init__(self, clock) -> None:
        self.clock, self.outcomes, self.at = clock, [], []

    def __call__(self, outcome) -> None:
        self.outcomes.append(outcome)
        self.at.append(self.clock.now())

    @property
    def kinds(self) -> Counter:
        return Counter(outcome.kind for outcome in self.outcomes)

    def numbers(self, kind="answer") -> list[int]:
        return [outcome.frame.number for outcome in self.outcomes if outcome.kind == kind]


@pytest.fixture
def told(clock):
    return Told(clock)


def run(stream, frames) -> None:
    """Gives all, each when there is a place."""
    for each in frames:
        stream.put(each)
    stream.close()


def filmed(stream, clock, count, period, data=b"") -> None:
    """A camera: a frame each period, whatever becomes of it."""
    for number in range(count):
        stream.offer(frame(number, clock.now(), data=data))
        clock.sleep(period)
    stream.close()


def now(clock, count):
    """Frames that are captured when they are asked for."""
    return (frame(number, clock.now()) for number in range(count))


@pytest.mark.parametrize(
    "stages",
    [STAGES, Stages(head=0.05, uplink=0.01, middle=0.01), Stages(head=0.01, uplink=0.01, middle=0.06)],
    ids=["link", "device", "edge"],
)
def test_frames_in_flight_go_as_fast_as_the_slowest_stage_and_one_by_one_as_all_of_them(clock, told, stages):
    device = StagedDevice(clock, stages)
    began = clock.now()
    run(FrameStream(device, told), now(clock, 100))
    rate = 100 / (clock.now() - began)
    assert rate >= 0.9 / max(stages.head, stages.uplink, stages.middle)
    for number in range(20):
        device.infer(b"", name=str(number))
    assert device.most_at_once > 1
    assert rate > 1.15 / stages.total
    assert sorted(told.numbers()) == list(range(100))


def test_the_device_alone_answers_one_frame_for_each_of_its_turns(clock, told):
    device = StagedDevice(clock, Stages(head=0.05), configuration=ALONE)
    run(FrameStream(device, told), now(clock, 20))
    assert device.most_at_once == 1


def test_no_more_are_under_way_than_is_said(clock, told):
    device = StagedDevice(clock, STAGES)
    run(FrameStream(device, told, most=1), now(clock, 10))
    assert device.most_at_once == 1 and clock.now() == pytest.approx(10 * STAGES.total, abs=1e-3)


def test_of_a_camera_that_is_too_fast_each_frame_is_answered_or_counted_as_replaced(clock, told):
    device = StagedDevice(clock, Stages(head=0.1), configuration=ALONE)
    filmed(FrameStream(device, told), clock, 50, 0.02)
    assert told.kinds["answer"] + told.kinds["replaced"] == 50
    assert told.kinds["answer"] >= 10
    assert sorted(told.numbers() + told.numbers("replaced")) == list(range(50))


def test_what_is_answered_is_never_older_than_the_newest_frame_of_its_turn(clock, told):
    device = StagedDevice(clock, Stages(head=0.1), configuration=ALONE)
    filmed(FrameStream(device, told), clock, 50, 0.02)
    ages = [at - each.frame.at for each, at in zip(told.outcomes, told.at, strict=True) if each.kind == "answer"]
    assert max(ages) <= 0.1 + 0.02 + 1e-3


def test_a_slow_camera_loses_no_frame(clock, told):
    filmed(FrameStream(StagedDevice(clock, STAGES), told), clock, 30, 0.1)
    assert told.kinds == {"answer": 30}
    assert all(outcome.answer.record.deadline_met for outcome in told.outcomes)


def test_a_frame_older_than_its_deadline_is_not_asked_about(clock, told):
    device = StagedDevice(clock, STAGES, deadline=0.2)
    stream = FrameStream(device, told)
    clock.sleep(1.0)
    stream.offer(frame(7, at=0.5))
    stream.close()
    (outcome,) = told.outcomes
    assert outcome.kind == "failed" and "door-7 was 500 ms old" in str(outcome.error)
    assert not device.asked


@pytest.mark.parametrize("from_capture", [False, True])
def test_a_deadline_counts_from_capture_where_that_is_asked(clock, told, from_capture):
    device = StagedDevice(clock, Stages(head=0.1), deadline=0.15)
    stream = FrameStream(device, told, from_capture=from_capture)
    clock.sleep(1.0)
    stream.offer(frame(0, at=0.9))
    stream.close()
    assert told.outcomes[0].answer.record.deadline_met is not from_capture


@pytest.mark.parametrize(
    ("reading", "kind", "in_time"), [(0.04, "answer", True), (0.08, "answer", False), (0.2, "failed", None)]
)
def test_a_deadline_that_counts_from_capture_goes_on_while_the_frame_is_read(clock, told, reading, kind, in_time):
    device = StagedDevice(clock, Stages(head=0.1), deadline=0.15)
    stream = FrameStream(device, told, from_capture=True)
    taken = frame(0, at=clock.now())
    stream.offer(replace(taken, read=lambda: clock.sleep(reading)))
    stream.close()
    (outcome,) = told.outcomes
    assert outcome.kind == kind
    assert (outcome.answer.record.deadline_met if outcome.answer else None) is in_time
    assert outcome.answer or "200 ms old when it was read" in str(outcome.error)


def test_a_frame_that_is_no_picture_is_told_and_the_others_are_answered(clock, told):
    device = StagedDevice(clock, STAGES)
    broken = {3: InputError("is broken off"), 5: ZeroDivisionError("a bug")}
    run(FrameStream(device, told), (frame(n, clock.now(), data=broken.get(n, b"")) for n in range(10)))
    assert sorted(told.numbers("failed")) == [3, 5] and len(told.numbers()) == 8
    errors = {outcome.frame.number: str(outcome.error) for outcome in told.outcomes if outcome.error}
    assert "broken off" in errors[3] and "ZeroDivisionError" in errors[5]


def test_who_takes_answers_slowly_gets_fewer_and_none_piles_up(clock):
    device, taken = StagedDevice(clock, STAGES), []

    def slow(outcome) -> None:
        if outcome.kind == "answer":
            clock.sleep(1.0)
        taken.append(outcome)

    filmed(FrameStream(device, slow), clock, 100, 0.03)
    kinds = Counter(outcome.kind for outcome in taken)
    assert sum(kinds.values()) == 100 and kinds["replaced"] > 50


def test_who_is_told_and_fails_ends_no_stream(clock, caplog):
    device, count = StagedDevice(clock, STAGES), []

    def broken(outcome) -> None:
        count.append(outcome)
        raise OSError("the disk")

    run(FrameStream(device, broken), now(clock, 5))
    assert len(count) == 5 and "the stream goes on" in caplog.text


def test_a_better_answer_follows_marked_and_for_the_same_frame(clock, told):
    device = StagedDevice(clock, Stages(head=0.02), configuration=ALONE)
    device.better = {"door-0": 0.2}
    filmed(FrameStream(device, told, refined_within=0.5), clock, 1, 0.1)
    first, second = told.outcomes
    assert (first.kind, second.kind) == ("answer", "refined")
    assert first.frame is second.frame
    assert (first.answer.record.refined, second.answer.record.refined) == (False, True)
    assert told.at[1] - told.at[0] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize(("seconds", "comes"), [(0.3, True), (0.6, False)])
def test_no_better_answer_is_told_after_the_stated_age(clock, told, seconds, comes):
    device = StagedDevice(clock, Stages(head=0.02), configuration=ALONE)
    device.better = {"door-0": seconds}
    filmed(FrameStream(device, told, refined_within=0.5), clock, 1, 0.1)
    assert (told.kinds["refined"] == 1) is comes
    assert max(told.at) <= 0.5


def test_better_answers_are_sought_one_at_a_time_of_the_newest_frame_and_delay_no_other(clock, told):
    device = StagedDevice(clock, Stages(head=0.02), configuration=ALONE)
    device.better = {f"door-{number}": 0.25 for number in range(20)}
    filmed(FrameStream(device, told, refined_within=1.0), clock, 20, 0.1)
    assert told.kinds["answer"] == 20 and not told.kinds["replaced"]
    assert 4 <= told.kinds["refined"] <= 9
    refined = told.numbers("refined")
    assert refined == sorted(refined)


def test_an_age_that_is_none_is_refused(clock, told):
    with pytest.raises(InputError, match="age of refined answers"):
        FrameStream(StagedDevice(clock, STAGES), told, refined_within=-1.0)


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_frame_that_comes_when_the_stream_closes_has_failed_and_replaces_none(clock, told, waiting):
    stream = FrameStream(StagedDevice(clock, STAGES), told, most=1)
    for number in range(1 + waiting):
        stream.put(frame(number, clock.now()))
    closer = clock.thread(stream.close, "closer")
    closer.start()
    clock.sleep(0.001)
    stream.offer(frame(7, clock.now()))
    clock.sleep(5.0)
    stream.offer(frame(8, clock.now()))
    assert told.numbers("failed") == [7, 8] and told.numbers() == list(range(1 + waiting))
    assert all("no more frames" in str(each.error) for each in told.outcomes if each.kind == "failed")
    assert not told.numbers("replaced")


def test_what_keeps_waits_as_long_as_it_must_and_grows_no_older(clock, told):
    """Of a device that takes longer than its deadline, which would else refuse every second frame as too old."""
    device = StagedDevice(clock, Stages(head=0.3), deadline=0.2, configuration=ALONE)
    stream, given = FrameStream(device, told, from_capture=True), clock.now()
    run(stream, [replace(frame(number, given), keeps=True) for number in range(6)])
    assert told.numbers() == list(range(6))
    began = [outcome.frame.at - given for outcome in told.outcomes]
    assert began == pytest.approx([0.3 * number for number in range(6)], abs=1e-3)
