"""A follower's stream goes on while it moves to another version."""

from __future__ import annotations

import pytest

from device.versions.site import INPUT, WITHIN, Site, close
from edgent.device.streams.frame_stream import FrameStream
from edgent.device.versions.follower import Follower
from edgent.engine.loading import load
from edgent.events import Frame
from graphs import dense, residual, saved


@pytest.fixture
def versions(tmp_path):
    for network in (residual, dense):
        (folder := tmp_path / network.__name__).mkdir()
        saved(network(), folder / "net.onnx")
    return [load(tmp_path / network.__name__ / "net.onnx") for network in (residual, dense)]


def test_every_frame_is_answered_in_time_by_one_version_or_the_other(clock, versions):
    old, new = versions
    site, told = Site(clock, old), []
    with Follower(old, site.device, site.fetch, clock) as following:
        assert following.wait_ready(WITHIN)
        stream = FrameStream(following, told.append)
        numbers = iter(range(100_000))

        def film(frames) -> None:
            for _ in range(frames):
                stream.offer(Frame(read=lambda: INPUT, source="door", number=next(numbers), at=clock.now()))
                clock.sleep(0.1)

        film(20)
        site.restart(new)
        while following.model is old:
            film(1)
        film(20)
        stream.close()
    answers = [outcome.answer for outcome in told if outcome.kind == "answer"]
    assert len(answers) == len(told) >= 40
    assert all(answer.record.deadline_met for answer in answers)
    assert close(answers[0], old) and close(answers[-1], new)
    assert all(close(answer, old) or close(answer, new) for answer in answers)
