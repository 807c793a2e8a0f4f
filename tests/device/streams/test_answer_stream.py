"""`async for answer in device.stream(frames)`: on an event loop, so by the machine's own clock."""

from __future__ import annotations

import asyncio
import threading

import pytest

from device.streams.staged import ALONE, StagedDevice
from edgent.clock import MonotonicClock
from edgent.device.streams.streaming import StreamingDevice
from edgent.errors import EdgentError, InputError, RefusedError
from edgent.planning.plan import Stages

WITHIN = 60.0  # seconds: only ever waited for when something is broken
STAGES = Stages(head=0.002, uplink=0.003, middle=0.002)


class Device(StagedDevice, StreamingDevice):
    """A staged one that streams as devices do."""

    def __init__(self, stages=STAGES, **settings) -> None:
        super().__init__(MonotonicClock(), stages, **({"deadline": 30.0} | settings))


async def film(count, period=0.0, data=b""):
    for number in range(count):
        yield data[number] if isinstance(data, list) else data
        await asyncio.sleep(period)


def taken(stream, most=None) -> list:
    """Runs it to its end, or until so many answers have come."""

    async def take():
        answers = []
        async for answer in stream():
            answers.append(answer)
            if len(answers) == most:
                break
        return answers

    return asyncio.run(asyncio.wait_for(take(), WITHIN))


def names(answers) -> list[int]:
    return [int(answer.record.input.removeprefix("frame-")) for answer in answers]


@pytest.mark.parametrize("kind", [list, iter, film], ids=["list", "iterator", "asynchronous"])
def test_each_frame_is_answered_where_the_stream_may_wait(kind):
    device = Device()
    frames = film(40) if kind is film else kind([b""] * 40)
    answers = taken(lambda: device.stream(frames, newest=False))
    assert sorted(names(answers)) == list(range(40))
    assert device.most_at_once > 1


def test_answers_are_given_in_order_where_that_is_asked():
    class Overtaking(Device):
        def infer(self, data, *, name="", deadline=None):
            if name.endswith(("3", "7")):
                self.clock.sleep(0.02)
            return super().infer(data, name=name, deadline=deadline)

    device = Overtaking(turns=4)
    assert names(taken(lambda: device.stream([b""] * 30, ordered=True))) == list(range(30))


def test_a_newer_frame_replaces_one_that_waits_and_both_are_counted():
    device, streams = Device(Stages(head=0.02), configuration=ALONE), []

    def stream():
        streams.append(device.stream(film(60, 0.001)))
        return streams[0]

    answers = taken(stream)
    assert len(answers) + streams[0].replaced == 60
    assert streams[0].replaced > 0 and streams[0].failed == 0
    assert names(answers) == sorted(names(answers))


def test_a_frame_that_is_no_picture_is_counted_and_logged(caplog):
    device = Device()
    stream = device.stream([b"", InputError("is no picture"), b""])
    assert sorted(names(taken(lambda: stream))) == [0, 2]
    assert stream.failed == 1 and "is no picture" in caplog.text


def test_what_is_not_the_frames_fault_is_raised():
    with pytest.raises(RefusedError, match="serves something else"):
        taken(lambda: Device().stream([b"", RefusedError("the edge serves something else"), b""]))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_of_who_makes_the_frames_comes_after_what_was_answered(asynchronous):
    def plain():
        yield from [b""] * 3
        raise KeyError("camera")

    async def film_and_fail():
        for data in [b""] * 3:
            yield data
            await asyncio.sleep(0.02)
        raise KeyError("camera")

    device, answers = Device(), []

    async def take():
        async for answer in device.stream(film_and_fail() if asynchronous else plain(), newest=False):
            answers.append(answer)

    with pytest.raises(KeyError, match="camera"):
        asyncio.run(asyncio.wait_for(take(), WITHIN))
    assert sorted(names(answers)) == [0, 1, 2]


@pytest.mark.parametrize("endless", [False, True])
def test_who_has_seen_enough_leaves_nothing_running(endless):
    def without_end():
        while True:
            yield b""

    async def film_without_end():
        while True:
            yield b""
            await asyncio.sleep(0.001)

    device, before = Device(), set(threading.enumerate())
    assert len(taken(lambda: device.stream(without_end() if endless else film_without_end()), most=5)) == 5
    deadline = threading.Event()
    for _ in range(600):
        if not (left := [one.name for one in set(threading.enumerate()) - before if one.name.startswith("edgent-")]):
            break
        deadline.wait(0.1)
    assert not left


def test_an_answer_that_is_taken_after_its_deadline_says_that_it_was_late():
    device = Device(deadline=0.5)

    async def take():
        records = []
        async for answer in device.stream([b""] * 4):
            records.append(answer.record)
            if len(records) == 1:
                await asyncio.sleep(1.0)
        return records

    records = asyncio.run(asyncio.wait_for(take(), WITHIN))
    late = [record for record in records if "taken late" in record.why]
    assert late and not any(record.deadline_met for record in late)


def test_a_better_answer_is_told_in_the_event_loop():
    device, told = Device(Stages(head=0.002), configuration=ALONE), []
    device.better = {"frame-0": 0.01}

    async def take():
        loop = asyncio.get_running_loop()

        def refined(answer):
            assert asyncio.get_running_loop() is loop
            told.append(answer)

        return [answer async for answer in device.stream([b""], on_refined=refined, refined_within=20.0)]

    (first,) = asyncio.run(asyncio.wait_for(take(), WITHIN))
    (second,) = told
    assert (first.record.refined, second.record.refined) == (False, True)


@pytest.mark.parametrize("half", [{"on_refined": print}, {"refined_within": 1.0}])
def test_a_better_answer_needs_who_is_told_and_an_age(half):
    with pytest.raises(InputError, match="needs both"):
        Device().stream([], **half)


def test_one_input_is_answered_while_the_loop_goes_on():
    device = Device()

    async def both():
        return await asyncio.gather(*(device.infer_async(b"", name=str(number)) for number in range(3)))

    answers = asyncio.run(asyncio.wait_for(both(), WITHIN))
    assert [answer.record.input for answer in answers] == ["0", "1", "2"]


@pytest.mark.parametrize("frames", [42, b"a picture", "cat.jpg", {"image": []}, None])
def test_what_is_no_series_of_frames_is_refused_at_once(frames):
    with pytest.raises(InputError, match="expected something to iterate over"):
        Device().stream(frames)


def test_a_stream_that_was_iterated_says_so_and_does_not_hang():
    stream = Device().stream([b""])
    assert len(taken(lambda: stream)) == 1
    with pytest.raises(EdgentError, match="iterated once"):
        taken(lambda: stream)


def test_a_frame_that_is_no_picture_is_logged_by_its_name(caplog):
    stream = Device().stream([b"", InputError("found no picture")])
    assert len(taken(lambda: stream)) == 1
    assert caplog.messages == ["frame-1: found no picture"]
