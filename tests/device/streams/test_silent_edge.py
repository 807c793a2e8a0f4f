"""A camera's frames on a slow link whose edge falls silent, in virtual time: each is answered in time, or replaced."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.device.streams.frame_stream import FrameStream
from edgent.events import Frame
from edgent.lab.boards.emulation import Emulated
from edgent.testing import FakeEngine
from shared_fixtures import make_profile

PERIOD, LAYERS, PICTURE_STEPS = 0.1, 12, 3  # seconds; layers of the first exit; steps of preparing a picture
SILENT_FROM, SILENT_UNTIL, FRAMES = 14, 34, 48
DOOR = FRAMES  # the number of another camera's frame
PICTURE = encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


class Board(Emulated):
    """One that computes for longer than it should when it is told to."""

    hiccup = 0.0

    def hold(self, started_at, seconds) -> None:
        extra, self.hiccup = (self.hiccup, 0.0) if seconds > PERIOD / 4 else (0.0, self.hiccup)
        super().hold(started_at, seconds + extra)


class Camera:
    """Films a device, whose edge falls silent for two seconds.

    Attributes:
        outcomes: what became of each frame, by number.
    """

    def __init__(self, made, link, clock, model) -> None:
        self._made, self._link, self._clock, self._model = made, link, clock, model
        self.outcomes, self.board = {}, Board("a board", clock=clock)

    def film(
        self,
        share,
        deadline,
        *,
        from_capture=False,
        prepare=0.002,
        pictures=1.0,
        hiccup_at=None,
        bandwidth=1e6,
        reading=0.0,
        door=None,
    ) -> None:
        """Lets it film.

        Args:
            share: of a period that the fastest branch takes.
            deadline: of each frame.
            from_capture: whether it counts from there.
            prepare: seconds that a picture takes.
            pictures: times longer than profiled.
            hiccup_at: the frame of which the board takes longer.
            bandwidth: of the link.
            reading: seconds that a frame takes before it is handed over.
            door: seconds after the edge fell silent at which another camera has its only frame.
        """
        profiles = [
            make_profile(self._model, layer=share * PERIOD / LAYERS, prepare=prepare * x) for x in (1, pictures)
        ]
        self._link.round_trip, self._link.bandwidth = 0.01, bandwidth
        device = self._made(
            engine=FakeEngine(),
            deadline=deadline,
            device_profile=profiles[0],
            host_profile=profiles[1],
            environment="dynamic",
            pace=self.board,
        )
        device.wait_ready(20.0)
        device.infer(PICTURE)
        stream = FrameStream(
            device, lambda told: self.outcomes.update({told.frame.number: told}), from_capture=from_capture
        )

        def read() -> bytes:
            self._clock.sleep(reading)
            return PICTURE

        began = self._clock.now()
        for number in range(FRAMES):
            if number == SILENT_FROM:
                self._link.hold(*self._link.methods)
            if number == SILENT_UNTIL:
                self._link.release()
            self.board.hiccup = 0.09 if number == hiccup_at else self.board.hiccup
            stream.offer(Frame(read=read, source="yard", number=number, at=self._clock.now()))
            if number == SILENT_FROM and door is not None:
                self._clock.sleep(door)
                stream.offer(Frame(read=read, source="door", number=DOOR, at=self._clock.now()))
            self._clock.sleep(began + (number + 1) * PERIOD - self._clock.now())
        stream.close()

    @property
    def late(self) -> list[int]:
        """Frames that were answered late, or not at all."""
        return [
            number
            for number, told in self.outcomes.items()
            if told.kind != "replaced" and (told.answer is None or not told.answer.record.deadline_met)
        ]

    def by(self, who: str) -> list[int]:
        """Frames that were answered by somebody."""
        return [number for number, told in self.outcomes.items() if told.answer and told.answer.record.by == who]

    @property
    def replaced(self) -> int:
        """How many frames were."""
        return sum(told.kind == "replaced" for told in self.outcomes.values())


@pytest.fixture
def camera(made, link, clock, model):
    return Camera(made, link, clock, model)


@pytest.mark.parametrize("from_capture", [False, True], ids=["from its turn", "from capture"])
@pytest.mark.parametrize(("share", "deadline"), [(1 / 3, 0.1), (0.5, 0.3), (0.67, 0.1), (0.8, 0.3), (0.9, 0.1)])
def test_on_any_board_each_frame_is_answered_in_time_or_replaced(camera, share, deadline, from_capture):
    camera.film(share, deadline, from_capture=from_capture)
    assert camera.late == []
    assert len(camera.outcomes) == FRAMES
    assert set(range(SILENT_FROM + 1, SILENT_UNTIL)) & set(camera.by("device"))
    assert camera.replaced <= FRAMES / 2


@pytest.mark.parametrize("share", [1 / 3, 0.67, 0.8])
def test_pictures_that_take_longer_than_profiled_do_not_make_the_board_seem_too_slow_to_stand_in(camera, share):
    camera.film(share, 0.1, pictures=1.6)
    assert SILENT_FROM - 1 in camera.by("edge")
    assert (camera.late, camera.replaced) == ([], 0)


@pytest.mark.parametrize("from_capture", [False, True], ids=["from its turn", "from capture"])
@pytest.mark.parametrize("share", [0.67, 0.8])
def test_one_stand_in_that_is_late_makes_none_of_those_behind_it_late(camera, share, from_capture):
    camera.film(share, 0.1, from_capture=from_capture, hiccup_at=SILENT_FROM + 3)
    assert camera.late == [SILENT_FROM + 3]
    assert camera.replaced <= 4


@pytest.mark.parametrize("reading", [0.012, 0.020])
def test_what_will_be_late_in_any_case_makes_no_frame_late_that_has_just_begun(camera, reading):
    # A frame whose deadline counts from capture is done before the next one comes, so this is of the others. While the
    # edge is trusted the door's frame begins beside the yard's, and there is one device to stand in for both.
    # It may do so when that is done: just then the next one of the yard has begun, and is still being read.
    camera.film(0.67, 0.1, bandwidth=2e6, reading=reading, door=0.005)
    assert camera.late == [DOOR]
    assert camera.replaced <= 2
