"""Answers through a device and an edge, as users read them: against plain ONNX Runtime and plain decoders."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import decoders
from detectors import LABELS, SIDE, detector, in_one_order, passing, plain
from edgent.device.answer import Answer
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.model.metadata import Metadata, Preprocessing
from edgent.planning.plan import Configuration, Stages
from edgent.telemetry import Record
from edgent.testing import FakeLink
from edgent.units import Seconds
from shared_fixtures import make_profile

WIDTH, HEIGHT = 200, 120
TURNED = 6  # EXIF: the picture stands upright when it is turned by 90 degrees, clockwise


def photograph(*, turned: bool = False) -> tuple[Image.Image, bytes]:
    """A picture as it stands upright, and the file it comes in; its colours are coarse, so that nothing is lost."""
    noise = np.random.default_rng(7).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    upright = Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
    stream, exif = io.BytesIO(), Image.Exif()
    if turned:
        exif[0x0112] = TURNED
    (upright.rotate(90, expand=True) if turned else upright).save(stream, "PNG", exif=exif)
    return upright, stream.getvalue()


def letterboxed(upright: Image.Image) -> np.ndarray:
    """By hand: 200 x 120 becomes 64 x 38, with 13 rows of grey on both sides."""
    canvas = np.full((SIDE, SIDE, 3), 114, np.uint8)
    canvas[13 : 13 + 38] = np.asarray(upright.resize((64, 38), Image.Resampling.BILINEAR))
    return (canvas.transpose(2, 0, 1)[None] / np.float32(255)).astype(np.float32)


def boxes_by_hand(path, upright: Image.Image) -> np.ndarray:
    boxes = decoders.yolov8(plain(path, {"x": letterboxed(upright)})["output0"])
    boxes[:, [0, 2]] = (boxes[:, [0, 2]] * WIDTH / 64).clip(0, WIDTH)
    boxes[:, [1, 3]] = ((boxes[:, [1, 3]] - 13) * HEIGHT / 38).clip(0, HEIGHT)
    return boxes


@pytest.fixture
def detects(tmp_path, clock):
    """A detector's file, and a device that shares it with an edge."""
    path = detector(tmp_path / "m.onnx")
    model = load(path)
    link = FakeLink(Edge(model, clock=clock).service.methods(), clock=clock)
    told = {"deadline": 60.0, "bandwidth": 1e9, "round_trip": 1e-3, "clock": clock}
    with Device(model, channel=link, device_profile=make_profile(model), **told) as device:
        assert device.wait_ready(60.0)
        yield path, device


def cuts_of(device: Device) -> list[Configuration]:
    """Alone; the file to the edge; and three cuts, the last of them behind the first box that was left out."""
    branch = device.model.branches[0]
    n = len(branch.layers)
    inside = next(k for k, layer in enumerate(branch.layers, 1) if layer.op == "NonZero")
    cuts = [(n, n, "float32"), (0, n, "source"), *((cut, n, "float32") for cut in (1, 4, inside)), (0, 3, "png")]
    return [Configuration(exit=0, upload_cut=up, download_cut=down, codec=codec) for up, down, codec in cuts]


@pytest.mark.parametrize("turned", [False, True])
def test_boxes_are_those_of_the_undivided_file_in_the_picture_s_pixels_wherever_it_is_cut(turned, detects) -> None:
    path, device = detects
    upright, file = photograph(turned=turned)
    expected = boxes_by_hand(path, upright)
    assert len(expected) > 5
    for configuration in cuts_of(device):
        answer = device.infer(file, configuration=configuration, race=False)
        assert answer.record.by == ("device" if configuration.device_only else "edge")
        np.testing.assert_allclose(
            in_one_order(answer.boxes.data), in_one_order(expected), rtol=1e-3, atol=2e-2, err_msg=str(configuration)
        )


def test_some_boxes_come_back_and_not_all_that_the_network_puts_out(detects) -> None:
    _, device = detects
    n = len(device.model.branches[0].layers)
    answer = device.infer(
        photograph()[1], configuration=Configuration(exit=0, upload_cut=0, download_cut=n, codec="source")
    )
    assert list(answer.outputs) == ["boxes"]
    assert answer.outputs["boxes"].nbytes == len(answer.boxes) * 24 < 9 * 256 * 4


def test_boxes_read_as_those_of_ultralytics(detects) -> None:
    boxes = detects[1].infer(photograph()[1]).boxes
    assert len(boxes) == len(boxes.xyxy) == len(boxes.conf) == len(boxes.cls) == len(boxes.names) == len(list(boxes))
    assert boxes.xyxy.shape == (len(boxes), 4) and np.all(np.diff(boxes.conf) <= 0)
    first = next(iter(boxes))
    assert first.name == boxes.names[0] == LABELS[boxes.cls[0]] and first.score == pytest.approx(boxes.conf[0])
    low, high = boxes.xyxy[:, :2], boxes.xyxy[:, 2:]
    np.testing.assert_allclose(boxes.xywh, np.concatenate([(low + high) / 2, high - low], axis=1))
    assert boxes.names[0] in repr(boxes)


def test_boxes_of_an_array_are_in_the_pixels_of_the_input(detects) -> None:
    path, device = detects
    tensor = letterboxed(photograph()[0])
    expected = decoders.yolov8(plain(path, {"x": tensor})["output0"])
    np.testing.assert_allclose(in_one_order(device.infer(tensor).boxes.data), in_one_order(expected), rtol=1e-4)


def answered(first: np.ndarray, source: bytes | None = None, **said) -> Answer:
    record = Record(
        input="a", label=None, exit=0, by="device", deadline_met=True, total=Seconds(0.1), stages=Stages(), plan=None
    )
    return Answer(outputs={"y": first}, label=None, record=record, metadata=Metadata(**said), source=source)


WAYS = {  # how a picture of 200 x 120 lies on an input of 64 x 64: where its corner and its centre are
    "stretch": [((0, 0), (0, 0)), ((32, 32), (100, 60))],
    "crop": [((32, 32), (53 * 200 / 107, 60)), ((0, 32), (21 * 200 / 107, 60))],  # of 107 columns 21 go on the left
    "letterbox": [((0, 13), (0, 0)), ((32, 32), (100, 60))],
    "corner": [((0, 0), (0, 0)), ((64, 19), (200, 60))],
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_of_resizing_is_undone(way) -> None:
    form = Preprocessing(size=(64, 64), resize=way)
    for (x, y), (across, down) in WAYS[way]:
        rows = np.float32([[x, y, x + 6, y + 3, 0.5, 0]])
        box = next(iter(answered(rows, photograph()[1], task="detection", preprocessing=form).boxes))
        assert box.xyxy[:2] == pytest.approx((across, down), abs=1e-3)


def test_grey_on_the_left_is_undone_as_that_above() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (HEIGHT, WIDTH)).save(stream, "PNG")  # 38 x 64 on the input, with 13 columns of grey on both sides
    form = Preprocessing(size=(64, 64), resize="letterbox")
    rows = np.float32([[13, 0, 51, 64, 0.5, 0], [32, 32, 51, 64, 0.4, 0]])
    boxes = answered(rows, stream.getvalue(), task="detection", preprocessing=form).boxes
    np.testing.assert_allclose(boxes.xyxy, [[0, 0, 120, 200], [60, 100, 120, 200]], atol=1e-3)


def test_no_box_reaches_beyond_the_picture() -> None:
    rows = np.float32([[-50, -50, 900, 900, 0.5, 0]])
    form = Preprocessing(size=(64, 64), resize="letterbox")
    (box,) = answered(rows, photograph(turned=True)[1], task="detection", preprocessing=form).boxes
    assert box.xyxy == (0, 0, WIDTH, HEIGHT)


def test_a_mask_has_the_picture_s_size_and_says_what_the_model_did_not_see() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 1
    letterbox = Preprocessing(size=(64, 64), resize="letterbox")
    found = answered(mask, photograph()[1], task="segmentation", preprocessing=letterbox).mask
    assert found.shape == (HEIGHT, WIDTH) and (found[:, :99] == 0).all() and (found[:, 101:] == 1).all()
    crop = Preprocessing(size=(64, 64), resize="crop")
    found = answered(mask, photograph()[1], task="segmentation", preprocessing=crop).mask
    assert (found[:, :39] == 255).all() and (found[:, 42:98] == 0).all() and (found[:, 161:] == 255).all()
    assert answered(mask, task="segmentation").mask is mask


def test_the_best_classes_come_first_and_what_is_no_number_last() -> None:
    scores = np.float32([[0.1, np.nan, 0.7, 0.2]])
    top = answered(scores, task="classification", labels=("a", "b", "c", "d")).top(9)
    assert [(one.cls, one.name) for one in top] == [(2, "c"), (3, "d"), (0, "a"), (1, "b")]
    assert [one.name for one in answered(scores).top(2)] == ["", ""]


@pytest.mark.parametrize(
    ("task", "wrong"),
    [("detection", "mask"), ("segmentation", "boxes"), ("classification", "embedding"), (None, "boxes")],
)
def test_what_an_answer_is_not_is_refused_with_what_it_is(task, wrong) -> None:
    with pytest.raises(InputError, match=f"task is {task or 'unknown'}, expected"):
        getattr(answered(np.zeros((3, 6), np.float32), task=task), wrong)


def test_a_document_says_what_is_no_number_and_holds_none() -> None:
    document = answered(np.float32([[np.nan, np.inf, 1]]), task="classification").document()
    assert document["not_finite"] == 2 and [one["score"] for one in document["top"]] == [None, 1.0, None]
    assert "not_finite" not in answered(np.float32([1]), task="embedding").document()


def test_a_row_that_says_nan_is_no_box_and_a_pixel_of_nan_no_class() -> None:
    boxes = answered(np.float32([[0, 0, 0, 0, np.nan, 0], [1, 2, 3, 4, 0.5, 1]]), task="detection")
    assert len(boxes.boxes) == 1 and boxes.boxes.conf.tolist() == [0.5]
    assert boxes.document()["not_finite"] == 1 and len(boxes.document()["boxes"]) == 1
    mask = answered(np.uint8([[0, 255], [255, 3]]), task="segmentation").document()
    assert mask["not_finite"] == 2 and {one["class"] for one in mask["mask"]["classes"]} == {0, 3}


def test_a_record_keeps_what_was_answered_and_is_read_again() -> None:
    rows = np.float32([[1, 2, 3, 4, 0.5, 1]])
    kept = answered(rows, task="detection", labels=("cat", "dog")).kept()
    assert kept.result == {"boxes": [{"xyxy": [1, 2, 3, 4], "score": 0.5, "class": 1, "label": "dog"}]}
    assert Record.from_json(kept.to_json()) == kept
    older = kept.to_json().replace(', "result": ' + kept.to_json().split(', "result": ')[1], "}")
    assert Record.from_json(older).result is None


def test_embeddings_and_unknown_outputs_are_told_by_their_form(tmp_path, clock) -> None:
    model = load(passing(tmp_path / "e.onnx", {"o": (1, 128)}, task="embedding", head="l2"))
    with Device(model, deadline=60.0, clock=clock) as device:
        n = len(model.branches[0].layers)
        alone = Configuration(exit=0, upload_cut=n, download_cut=n)
        answer = device.infer(np.ones((1, 128), np.float32), configuration=alone)
    assert answer.embedding.shape == (128,) and np.linalg.norm(answer.embedding) == pytest.approx(1)
    assert answer.document() == {"embedding": {"size": 128}}
    raw = answered(np.zeros((1, 85, 22, 22), np.float32), task="raw").document()
    assert raw == {"outputs": {"y": {"dtype": "float32", "shape": [1, 85, 22, 22]}}}
    assert answered(np.float32([[2.5]])).document()["outputs"]["y"]["values"] == [2.5]
