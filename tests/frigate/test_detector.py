"""A real device behind the protocol: Frigate is told what plain ONNX Runtime finds, with the edge and without it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detectors import SIDE, detector, plain
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.frigate.detector import DEADLINE, PATIENCE, FrigateDetector
from edgent.frigate.messages import DetectRequest, picture_of
from edgent.testing import FakeLink
from shared_fixtures import make_profile


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    """A detector, the times of a slow board, which needs most of the deadline, and those of a fast edge."""
    model = load(str(detector(tmp_path_factory.mktemp("models") / "finder.onnx")))
    return model, make_profile(model, layer=0.008), make_profile(model)


def pictures(count: int) -> list[np.ndarray]:
    chance = np.random.default_rng(3)
    return [chance.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]


def rows_of(reply: list[bytes]) -> np.ndarray:
    assert json.loads(reply[0]) == {"shape": [20, 6], "dtype": "float32"}
    return np.frombuffer(reply[1], np.float32).reshape(20, 6)


def best_by_hand(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The row of the likeliest box, from the undivided file in plain ONNX Runtime."""
    tensor = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    outputs = plain(path, {"x": tensor})["output0"][0]
    scores = outputs[4:]
    cls, at = np.unravel_index(scores.argmax(), scores.shape)
    x, y, width, height = outputs[:4, at]
    corners = np.array([y - height / 2, x - width / 2, y + height / 2, x + width / 2]) / SIDE
    return np.array([cls, scores.max(), *corners.clip(0, 1)])


@pytest.fixture
def ends(finder, clock):
    """A device with an edge, and the link between them."""
    model, board, fast = finder
    link = FakeLink(Edge(model, profiles=[fast], clock=clock).service.methods(), clock=clock)
    with Device(model, channel=link, clock=clock, deadline=DEADLINE, device_profile=board, bandwidth=1e9) as device:
        assert device.wait_ready()
        yield device, link


def test_frigate_is_told_the_box_that_plain_onnx_runtime_finds(ends, finder) -> None:
    device, _ = ends
    answer = FrigateDetector(device, clock=device.settings.clock)
    for pixels in pictures(5):
        rows = rows_of(answer(DetectRequest(pixels=pixels)))
        assert rows[0] == pytest.approx(best_by_hand(finder[0].path, pixels), abs=1e-4)
        confidences = rows[:, 1]
        assert (np.diff(confidences) <= 0).all()  # Frigate stops at the first that is too low


def test_a_lost_edge_changes_no_answer(ends) -> None:
    device, link = ends
    answer = FrigateDetector(device, clock=device.settings.clock)
    (pixels,) = pictures(1)
    before = rows_of(answer(DetectRequest(pixels=pixels)))
    link.cut()
    for _ in range(3):
        assert np.allclose(rows_of(answer(DetectRequest(pixels=pixels))), before, atol=1e-4)
    assert before.any()


def test_an_edge_that_says_nothing_is_answered_for_by_the_board_within_the_deadline(ends, clock) -> None:
    device, link = ends
    answer = FrigateDetector(device, clock=device.settings.clock)
    (pixels,) = pictures(1)
    before = rows_of(answer(DetectRequest(pixels=pixels)))
    assert device.infer(picture_of(pixels)).record.by == "edge"
    link.hold(*link.methods)
    for _ in range(3):
        began = clock.now()
        assert np.allclose(rows_of(answer(DetectRequest(pixels=pixels))), before, atol=1e-4)
        assert clock.now() - began <= DEADLINE
    link.release()


def test_a_picture_of_another_size_is_answered_in_parts_of_its_own(ends, finder) -> None:
    device, _ = ends
    (small,) = pictures(1)
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    rows = rows_of(FrigateDetector(device, clock=device.settings.clock)(DetectRequest(pixels=large)))
    assert rows.any() and (rows[:, 2:] <= 1).all() and (rows[:, 2:] >= 0).all()


def test_who_listens_is_told_of_each_answer_with_its_picture_if_wanted(ends, clock) -> None:
    device, _ = ends
    told = []

    class Listener:
        def tell(self, event) -> None:
            told.append(event)

    (pixels,) = pictures(1)
    for with_pictures in (False, True):
        listeners, settings = [Listener(), Listener()], {"clock": clock, "now": lambda: 1_800_000_000.0}
        with FrigateDetector(device, listeners, with_pictures=with_pictures, **settings) as detect:
            detect(DetectRequest(pixels=pixels))
    assert told[0] is told[1] and [event.picture is not None for event in told[::2]] == [False, True]
    assert told[0].id != told[2].id and told[0].captured_at == 1_800_000_000.0
    assert told[0].record.result["boxes"] and told[0].source == "frigate"
    assert (told[0].record.source, told[0].record.model, told[0].record.at) == ("frigate", "finder", 1_800_000_000.0)


def test_who_listens_takes_nothing_of_the_time_for_an_answer(ends, clock) -> None:
    device, _ = ends
    told = []

    class Slow:
        def tell(self, event) -> None:
            clock.sleep(3600.0)
            told.append(event)

    (pixels,) = pictures(1)
    with FrigateDetector(device, [Slow()], clock=clock) as detect:
        began = clock.now()
        detect(DetectRequest(pixels=pixels))
        assert clock.now() - began <= DEADLINE and not told
    assert len(told) == 1


@pytest.mark.parametrize(("waited", "within"), [(0.0, 0.120), (0.0004, 0.120), (0.030, 0.090), (9.0, 0.001)])
def test_what_a_question_has_waited_is_taken_off_its_deadline(finder, clock, waited: float, within: float) -> None:
    asked = []

    class Asked(Device):
        def infer(self, data, *, deadline=None, **settings):
            asked.append(deadline)
            return super().infer(data, deadline=deadline, **settings)

    with Asked(finder[0], clock=clock, deadline=DEADLINE, device_profile=finder[1]) as device:
        assert rows_of(FrigateDetector(device, clock=clock)(DetectRequest(pixels=pictures(1)[0]), waited)).any()
    assert asked == [pytest.approx(within)]


def test_a_model_that_finds_no_boxes_is_no_detector(model, made, clock) -> None:
    with pytest.raises(InputError, match="finds no boxes"):
        FrigateDetector(made(), clock=clock)


def test_the_device_and_the_endpoint_leave_time_before_frigate_gives_up() -> None:
    assert DEADLINE * PATIENCE <= 0.9 * 0.200
