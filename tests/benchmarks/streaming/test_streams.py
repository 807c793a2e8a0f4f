"""What the benchmark of streams makes of its figures, and what `make live` shows."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

import live
import streams
from edgent.planning.plan import Stages
from edgent.telemetry import Record
from edgent.units import Seconds


def test_the_bound_is_that_of_the_slowest_stage():
    stages = Stages(head=0.02, suffix=0.02, middle=0.01)
    assert streams.bound(stages, 0.005, 1) == pytest.approx(25)
    assert streams.bound(stages, 0.005, 4) == pytest.approx(100)
    assert streams.bound(stages, 0.5, 1) == pytest.approx(2)


def test_answers_are_counted_by_the_second_and_what_comes_after_the_end_is_not():
    assert streams.by_second([0.1, 0.9, 2.5, 2.6, 2.7, 9.0], 4) == [2, 0, 3, 0]


def test_a_throughput_that_is_proportional_to_the_bandwidth_follows_it():
    rates = [1e6, 2e6, 4e6, 0.0, 8e6]
    assert streams.follows([10, 20, 40, 0, 80], rates) == pytest.approx(1)
    assert streams.follows([80, 40, 20, 0, 10], rates) == pytest.approx(-1)
    assert streams.follows([1, 0, 0, 0, 0], rates) == 0


def test_what_was_replaced_was_not_answered_in_time():
    outcomes = streams.Outcomes()
    record = Record(
        input="",
        label=None,
        exit=0,
        by="device",
        deadline_met=True,
        total=Seconds(0.01),
        stages=Stages(),
        plan=None,
    )
    outcomes.records += [(0.0, record)] * 3
    outcomes.kinds.update(answer=3, replaced=1)
    assert outcomes.in_time == 0.75 and outcomes.percentile(50) == pytest.approx(10)


def png(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), grey, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_made_video_shows_each_picture_for_a_while(tmp_path):
    av = pytest.importorskip("av")
    live.make_video(tmp_path / "live.mp4", [png(40), png(200)])
    with av.open(str(tmp_path / "live.mp4")) as container:
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert len(means) == 2 * live.SHOWN
    assert means[0] == pytest.approx(40, abs=5) and means[-1] == pytest.approx(200, abs=5)


def test_the_link_goes_through_its_phases_until_the_end():
    done, ended = [], threading.Event()

    class Link:
        def cut(self):
            done.append("cut")
            ended.set()

        def restore(self):
            done.append("restored")

        def set(self, *, uplink, downlink):
            done.append(uplink)

    live.move(Link(), ended, 0.0)
    assert done == ["restored", 20e6, "restored", 1e6, "cut"]
