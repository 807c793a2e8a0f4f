"""A device that asks its edge for something better, and frames in flight on a device, an edge and a link between."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from device.playing import branch
from edgent.codec import encode_image
from edgent.device.request import PATIENCE
from edgent.device.streams.frame_stream import FrameStream
from edgent.device.streams.refining import is_better
from edgent.events import Frame
from edgent.lab.boards.emulation import Emulated
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.testing import FakeEngine
from edgent.wire import messages as m

WITHIN = 20.0
PICTURE = encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def plan(exit=4, accuracy=None, **fields) -> Plan:
    cuts = {"upload_cut": 0, "download_cut": 22} | fields.pop("cuts", {})
    configuration = Configuration(exit=exit, **cuts)
    return Plan(configuration=configuration, accuracy=accuracy, meets_deadline=True, stages=Stages(), **fields)


@pytest.mark.parametrize(
    ("made", "exit", "better"),
    [
        (plan(4), 2, True),
        (plan(2), 2, False),
        (plan(1), 2, False),
        (plan(1, accuracy=0.9), 2, True),
        (plan(4, accuracy=0.8005), 2, False),
        (plan(4, cuts={"upload_cut": 22}), 2, False),
        (replace(plan(4), meets_deadline=False), 2, False),
        (plan(4), None, False),
    ],
    ids=["later", "same", "earlier", "more accurate", "as accurate", "alone", "too late", "no exit"],
)
def test_what_is_better_is_more_accurate_or_a_later_exit(made, exit, better):
    known = made.accuracy is not None
    assert is_better(made, exit, [branch(2, 0.1, 0.8 if known else None), branch(4, 0.2)]) is better


@pytest.fixture
def far(made, link):
    """A device that answers in time by itself, at an early exit: its edge is further away than its deadline."""
    link.round_trip = 0.6
    device = made(engine=FakeEngine(), deadline=0.3, bandwidth=1e9, round_trip=0.6)
    assert device.wait_ready(WITHIN)
    return device


def test_after_an_early_exit_in_time_the_edges_last_one_comes(far, clock):
    answer = far.infer(PICTURE, name="door-0")
    assert answer.record.by == "device" and answer.record.deadline_met and answer.record.exit < 4
    began = clock.now()
    refined = far.refine(PICTURE, answer, 2.0)
    assert (refined.record.by, refined.record.exit, refined.record.input) == ("edge", 4, "door-0")
    assert clock.now() - began <= 2.0


def test_no_better_answer_is_asked_for_that_cannot_come_in_time(far, link):
    answer = far.infer(PICTURE)
    calls = link.calls.count(m.MODEL_INFER)
    assert far.refine(PICTURE, answer, 0.4) is None
    assert link.calls.count(m.MODEL_INFER) == calls


def test_an_edge_that_is_silent_gives_none_and_is_given_up_like_any(far, link, clock):
    answer = far.infer(PICTURE)
    link.hold(m.MODEL_INFER)
    began = clock.now()
    assert far.refine(PICTURE, answer, 2.0) is None
    assert clock.now() - began <= PATIENCE + 1.0
    link.release()


def test_what_refines_an_answer_is_not_what_the_next_frame_will_be_like(far, clock):
    """A frame of this device is its own to answer, so one that has waited too long for that waits for a newer one."""
    answer = far.infer(PICTURE)
    assert far.opening(clock.now(), 0.0, 1.0) == math.inf
    assert far.refine(PICTURE, answer, 2.0).record.by == "edge"
    assert far.opening(clock.now(), 0.0, 1.0) == math.inf


def test_a_device_without_an_edge_and_an_answer_of_the_edge_have_no_better_one(made, far):
    alone = made(channel=None, engine=FakeEngine())
    answer = alone.infer(PICTURE)
    assert alone.refine(PICTURE, answer, 2.0) is None
    of_edge = replace(answer, record=replace(answer.record, by="edge"))
    assert far.refine(PICTURE, of_edge, 2.0) is None


def test_a_stream_of_a_device_refines_what_it_answered(far, clock):
    told = []
    stream = FrameStream(far, told.append, refined_within=2.0)
    for number in range(12):
        stream.offer(Frame(read=lambda: PICTURE, source="door", number=number, at=clock.now()))
        clock.sleep(0.4)
    stream.close()
    answers = {outcome.frame.number: outcome.answer for outcome in told if outcome.kind == "answer"}
    refined = [outcome for outcome in told if outcome.kind == "refined"]
    assert len(answers) == 12 and all(answer.record.deadline_met for answer in answers.values())
    assert refined
    for outcome in refined:
        assert outcome.answer.record.refined and outcome.answer.record.by == "edge"
        assert outcome.answer.record.exit > answers[outcome.frame.number].record.exit


def test_frames_in_flight_over_a_long_way_come_out_many_times_as_fast(made, link, clock):
    link.round_trip = 0.1
    device = made(engine=FakeEngine(), deadline=1.0, bandwidth=1e9, round_trip=0.1, pace=Emulated("slow", clock=clock))
    assert device.wait_ready(WITHIN)
    began = clock.now()
    for _ in range(20):
        assert device.infer(PICTURE).record.by == "edge"
    one_by_one, told = (clock.now() - began) / 20, []
    stream, began = FrameStream(device, told.append), clock.now()
    for number in range(100):
        stream.put(Frame(read=lambda: PICTURE, source="door", number=number, at=clock.now()))
    stream.close()
    assert sum(outcome.answer.record.deadline_met for outcome in told) == 100
    assert (clock.now() - began) / 100 < one_by_one / 4
