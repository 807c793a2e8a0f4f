"""What the detector's benchmark compares: its plain decoder, equal boxes, and which pictures it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import decoders
import peers_detector
import yolov8_plain as plain
from edgent.codec import fit, normalise
from edgent.device.answer import Answer
from edgent.errors import InputError
from edgent.model.metadata import Metadata, Preprocessing
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.telemetry import Record
from edgent.units import Seconds


def test_the_plain_decoder_finds_the_boxes_that_another_one_finds() -> None:
    random = np.random.default_rng(3)
    places = np.concatenate([random.uniform(20, 300, (400, 2)), random.uniform(20, 120, (400, 2))], axis=1)
    scores = random.random((400, 7)) ** 3 * 0.8
    output = np.concatenate([places, scores], axis=1).T[None].astype(np.float32)
    expected = decoders.yolov8(output, plain.SCORE, plain.IOU, plain.MOST)
    assert len(expected) == plain.MOST
    np.testing.assert_allclose(plain.boxes_of(output), expected, rtol=1e-5)
    assert plain.boxes_of(output * 0).shape == (0, 6)


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (320, 320)])
def test_the_plain_picture_is_the_models_own(size: tuple[int, int], tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    form = Preprocessing(size=(320, 320), resize="letterbox")
    with (tmp_path / "p.png").open("rb") as file:
        np.testing.assert_allclose(plain.prepared(file, 320), normalise(fit(pixels, form), form), atol=1e-6)


BOXES = np.array([[10, 10, 50, 60, 0.9, 3], [20, 30, 40, 50, 0.8, 1]], np.float32)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (BOXES[::-1], True),
        (BOXES + np.float32([0.9, 0, 0, 0, 0, 0]), True),
        (BOXES + np.float32([1.1, 0, 0, 0, 0, 0]), False),
        (BOXES + np.float32([0, 0, 0, 0, 0, 1]), False),
        (BOXES[:1], False),
        (np.repeat(BOXES[:1], 2, axis=0), False),
    ],
)
def test_boxes_are_the_same_within_a_pixel_with_their_classes_each_once(other: np.ndarray, same: bool) -> None:
    assert peers_detector.alike(BOXES, other) is same


def turn(ours: float, theirs: float, **stages: float) -> peers_detector.Turn:
    plan = Plan(
        configuration=Configuration(exit=0, upload_cut=0, download_cut=9, codec="source"),
        accuracy=None,
        meets_deadline=True,
        stages=Stages(uplink=Seconds(0.02), middle=Seconds(0.01)),
    )
    record = Record(
        input="", label=None, exit=0, by="edge", deadline_met=True, total=Seconds(ours), stages=Stages(), plan=plan
    )
    record = replace(record, stages=Stages(**stages))
    answer = Answer(outputs={"boxes": BOXES}, label=None, record=record, metadata=Metadata(task="detection"))
    return peers_detector.Turn(ours=ours, theirs=theirs, answer=answer, boxes=BOXES.tolist())


def test_a_comparison_is_of_medians_and_says_what_was_planned_and_what_took_longest() -> None:
    turns = [turn(seconds, 0.05, middle=0.03, uplink=0.01) for seconds in (0.05, 0.051, 0.9)]
    found = peers_detector.comparison("proxy", turns)
    assert found.ratio == pytest.approx(1.02) and found.low <= found.ratio <= found.high
    assert (found.same, found.met, found.dominates, found.measured) == (1.0, True, "uplink", "middle")
    assert found.plan == "cuts 0..9, source"
    assert not peers_detector.comparison("proxy", [turn(0.053, 0.05)] * 3).met


def test_the_smallest_of_the_files_that_are_large_enough_are_taken(tmp_path: Path) -> None:
    for name, size in (("a", 300_000), ("b", 99_999), ("c", 100_000), ("d", 150_000)):
        (tmp_path / f"{name}.jpg").write_bytes(bytes(size))
    assert [path.stem for path in peers_detector.large_pictures(tmp_path, 2)] == ["c", "d"]
    with pytest.raises(InputError, match="found 3 JPEG files of 100,000 bytes or more, expected 4"):
        peers_detector.large_pictures(tmp_path, 4)
