"""Every head, on every opset, answers what a decoder in plain numpy makes of the same outputs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import decoders
from detectors import in_one_order, passing
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from edgent.model.configuration.document import write_json
from edgent.model.metadata import BoxLimits, Metadata

CLASSES, COUNT = 7, 400
LIMITS = BoxLimits(score=0.3, iou=0.5, most=50)


def answered(folder: Path, arrays: dict[str, np.ndarray], head: str, *, opset: int = 17, **said: object) -> np.ndarray:
    kind = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}[next(iter(arrays.values())).dtype.name]
    shapes = {name: array.shape for name, array in arrays.items()}
    path = passing(folder / "m.onnx", shapes, opset=opset, kind=kind, **({"task": "detection", "head": head} | said))
    model = load(path)
    (answer,) = model.branches[0].outputs
    assert answer.dtype == "float32" and "boxes" in answer.name
    session = Engine().session(model, [tensor.name for tensor in model.inputs], [answer.name])
    return session.run({f"{name}_in": array for name, array in arrays.items()})[answer.name]


def answered_of_a_picture(
    folder: Path, arrays: dict[str, np.ndarray], head: str, size: tuple[int, int], **said: object
) -> np.ndarray:
    """The same of a network that looks at a picture of a known size."""
    proto = onnx.load(passing(folder / "m.onnx", {name: array.shape for name, array in arrays.items()}))
    proto.graph.input.insert(0, helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *size]))
    proto.graph.node.append(helper.make_node("Identity", ["x"], ["unused"]))
    del proto.metadata_props[:]
    proto.metadata_props.add(key="edgent", value=write_json(Metadata(task="detection", head=head, **said)))
    onnx.save(proto, folder / "m.onnx")
    model = load(folder / "m.onnx")
    feeds = {"x": np.zeros((1, 3, *size))} | {f"{name}_in": array for name, array in arrays.items()}
    session = Engine().session(model, [tensor.name for tensor in model.inputs], ["boxes"])
    return session.run({name: array.astype(np.float32) for name, array in feeds.items()})["boxes"]


def places(random: np.random.Generator) -> np.ndarray:
    """Centres and sizes that overlap here and there."""
    return np.concatenate([random.uniform(20, 300, (COUNT, 2)), random.uniform(20, 120, (COUNT, 2))], axis=1)


def v8(random: np.random.Generator) -> np.ndarray:
    scores = random.random((COUNT, CLASSES)) ** 3 * 0.8
    return np.concatenate([places(random), scores], axis=1).T[None].astype(np.float32)


def v5(random: np.random.Generator) -> np.ndarray:
    parts = [places(random), random.random((COUNT, 1)), random.random((COUNT, CLASSES)) ** 2]
    return np.concatenate(parts, axis=1)[None].astype(np.float32)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("opset", [11, 12, 13, 16, 18, 20, 22])
@pytest.mark.parametrize("head", ["yolov5", "yolov8"])
def test_a_yolo_answers_what_a_plain_decoder_makes_of_it(head, opset, random, tmp_path) -> None:
    output = {"yolov5": v5, "yolov8": v8}[head](random)
    expected = getattr(decoders, head)(output, 0.3, 0.5, 1000)
    found = answered(tmp_path, {"o": output}, head, opset=opset, limits=replace(LIMITS, most=1000))
    assert 50 < len(expected) < len(getattr(decoders, head)(output, 0.3, 1, 1000))  # not all are suppressed
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-5)


@pytest.mark.parametrize(("head", "usual"), [("yolov5", 0.45), ("yolov8", 0.7)])
def test_a_head_suppresses_as_is_usual_with_it_unless_told_otherwise(head, usual, random, tmp_path) -> None:
    output = {"yolov5": v5, "yolov8": v8}[head](random)
    found = answered(tmp_path, {"o": output}, head, limits=BoxLimits(most=1000))
    expected = getattr(decoders, head)(output, 0.25, usual, 1000)
    assert len(expected) != len(getattr(decoders, head)(output, 0.25, 0.55, 1000))
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-5)


def test_the_best_boxes_come_first_and_no_more_than_the_most(random, tmp_path) -> None:
    output = v8(random)
    found = answered(tmp_path, {"o": output}, "yolov8", limits=LIMITS)
    expected = decoders.yolov8(output, 0.3, 0.5, 50)
    assert len(found) == 50 and np.all(np.diff(found[:, 4]) <= 0)
    np.testing.assert_allclose(found[:, 4], expected[:, 4], rtol=1e-5)


@pytest.mark.parametrize("head", ["yolov5", "yolov8"])
def test_no_box_is_an_answer(head, random, tmp_path) -> None:
    output = {"yolov5": v5, "yolov8": v8}[head](random) * 0
    assert answered(tmp_path, {"o": output}, head).shape == (0, 6)


def test_half_precision_is_read_as_well(random, tmp_path) -> None:
    output = v8(random).astype(np.float16)
    found = answered(tmp_path, {"o": output}, "yolov8", limits=LIMITS)
    expected = decoders.yolov8(output.astype(np.float32), 0.3, 0.5, 50)
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 300, 6)])
def test_end_to_end_boxes_are_not_suppressed_but_sorted_and_thinned(shape, random, tmp_path) -> None:
    output = random.random(shape).astype(np.float32)
    output[..., 5] = random.integers(0, 9, shape[:2])
    rows = output[0]
    expected = decoders.sorted_above(rows[:, :4], rows[:, 4], rows[:, 5], 0.25)
    np.testing.assert_array_equal(answered(tmp_path, {"o": output}, "end-to-end"), expected)


@pytest.mark.parametrize("turned", [False, True])
def test_boxes_and_scores_apart_are_told_apart_in_either_order(turned, random, tmp_path) -> None:
    boxes = decoders.corners(places(random))[None].astype(np.float32)
    scores = (random.random((1, COUNT, 4)) ** 3).astype(np.float32)  # as many classes as a box has corners
    arrays = {"pred_boxes": boxes, "scores": scores}
    found = answered(tmp_path, dict(reversed(arrays.items())) if turned else arrays, "boxes-scores", limits=LIMITS)
    expected = decoders.plain_nms(boxes[0], scores[0], 0.3, 0.5, 50)
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-5)


def test_scores_beside_labels_were_chosen_already(random, tmp_path) -> None:
    boxes, scores = random.random((1, 30, 4)), random.random((1, 30))
    labels = random.integers(0, 9, (1, 30))
    arrays = {"scores": scores, "labels": labels, "boxes": boxes}
    found = answered(tmp_path, {name: array.astype(np.float32) for name, array in arrays.items()}, "boxes-scores")
    expected = decoders.sorted_above(boxes[0], scores[0], labels[0], 0.25)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("head", ["ssd", "detr", "rt-detr"])
def test_fractions_become_pixels_and_what_is_nothing_is_no_class(head, random, tmp_path) -> None:
    boxes = random.uniform(0.2, 0.8, (60, 4))
    boxes[:, 2:] = boxes[:, 2:] / 4 if head != "ssd" else boxes[:, :2] + 0.15
    logits = random.normal(0, 3, (60, CLASSES + 1))
    if head == "rt-detr":
        scores = decoders.sigmoid(logits)
    else:
        scores = decoders.softmax(logits)[:, 1:] if head == "ssd" else decoders.softmax(logits)[:, :-1]
    given = decoders.softmax(logits) if head == "ssd" else logits
    found = answered_of_a_picture(tmp_path, {"pred_boxes": boxes[None], "logits": given[None]}, head, (200, 100))
    corners = (boxes if head == "ssd" else decoders.corners(boxes)) * np.array([100, 200, 100, 200])
    if head == "ssd":
        expected = decoders.plain_nms(corners, scores, 0.25, 0.7)
    elif head == "rt-detr":
        expected = decoders.sorted_above(*decoders.every_class(corners, scores), 0.25, 60)
        assert len(set(map(tuple, expected[:, :4]))) < len(expected)  # some box is of several classes
    else:
        expected = decoders.sorted_above(corners, scores.max(1), scores.argmax(1), 0.25)
    assert len(expected) > 20
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-4)


@pytest.mark.parametrize("strides", [(8, 16, 32), (8, 16, 32, 64)])
def test_boxes_counted_from_the_cells_of_a_grid_are_what_a_walk_over_the_cells_makes_of_them(
    strides, random, tmp_path
) -> None:
    size = (192, 320)  # rows and columns are told apart
    count = sum((size[0] // stride) * (size[1] // stride) for stride in strides)
    parts = [
        random.normal(0.5, 0.4, (count, 2)),
        random.normal(1, 0.5, (count, 2)),
        random.random((count, 1 + CLASSES)),
    ]
    output = np.concatenate(parts, axis=1)[None].astype(np.float32)
    found = answered_of_a_picture(tmp_path, {"o": output}, "yolox", size, limits=replace(LIMITS, most=1000))
    expected = decoders.yolox(output, size, strides, 0.3, 0.5, 1000)
    assert 50 < len(expected) < len(decoders.yolox(output, size, strides, 0.3, 1, 1000))
    np.testing.assert_allclose(in_one_order(found), in_one_order(expected), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 64), "found 86 rows, expected one for each cell of 8, 16 and 32 pixels"), ((72, 72), None)],
)
def test_rows_that_are_no_grid_of_the_picture_are_refused(size, expected, tmp_path) -> None:
    count = sum((72 // stride) ** 2 for stride in (8, 16, 32)) if expected is None else 86
    output = {"o": np.zeros((1, count, 5 + CLASSES), np.float32)}
    if expected is None:
        assert answered_of_a_picture(tmp_path, output, "yolox", size).shape == (0, 6)
        return
    with pytest.raises(ModelError, match=expected):
        answered_of_a_picture(tmp_path, output, "yolox", size)


def suppressed_inside(path: Path, names: tuple[str, str, str], **said: object) -> Path:
    """As torchvision's detectors are exported: one picture without a batch; how many boxes, only the data tells."""
    nodes = [
        helper.make_node("Identity", ["x"], ["unused"]),
        helper.make_node("Greater", ["scores_in", "least"], ["high"]),
        *(
            helper.make_node("Compress", [f"{what}_in", "high"], [name], axis=0)
            for what, name in zip(("boxes", "scores", "labels"), names, strict=True)
        ),
    ]
    shapes = {"x": [3, 20, 40], "boxes_in": [30, 4], "scores_in": [30], "labels_in": [30]}
    kinds = dict.fromkeys(shapes, TensorProto.FLOAT) | {"labels_in": TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in shapes.items()]
    ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, (1, 1, 7), strict=True)]
    least = helper.make_tensor("least", TensorProto.FLOAT, [], [0.1])
    graph = helper.make_graph(nodes, "inside", inputs, ends, initializer=[least])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    proto.metadata_props.add(key="edgent", value=write_json(Metadata(task="detection", head="boxes-scores", **said)))
    onnx.save(proto, path)
    return path


@pytest.mark.parametrize("names", [("boxes", "scores", "labels"), ("1234", "1300", "1266")])
def test_boxes_that_the_graph_has_suppressed_itself_are_told_apart_without_a_shape(names, random, tmp_path) -> None:
    model = load(suppressed_inside(tmp_path / "m.onnx", names))
    boxes, scores = random.random((30, 4)).astype(np.float32), random.random(30).astype(np.float32)
    labels = random.integers(0, 9, 30)
    (answer,) = model.branches[0].outputs
    session = Engine().session(model, [tensor.name for tensor in model.inputs], [answer.name])
    feeds = {"x": np.zeros((3, 20, 40), np.float32), "boxes_in": boxes, "scores_in": scores, "labels_in": labels}
    expected = decoders.sorted_above(boxes, scores, labels, 0.25)
    assert 0 < len(expected) < 30
    np.testing.assert_allclose(session.run(feeds)[answer.name], expected, rtol=1e-6)


REFUSED = {
    "no such rank": ("yolov8", {"o": (85, 100)}, {}, "found the outputs 'o' [85, 100], expected [1, 4 + classes, n]"),
    "two pictures": ("yolov8", {"o": (2, 85, 100)}, {}, "found the outputs 'o' [2, 85, 100]"),
    "no class": ("yolov5", {"o": (1, 100, 5)}, {}, "found 5 numbers a box, expected 5 and one for each class"),
    "too few labels": (
        "boxes-scores",
        {"b": (1, 9, 4), "s": (1, 9, 7)},
        {"labels": ("a", "b")},
        "7 classes, but there are 2",
    ),
    "another width": ("end-to-end", {"o": (1, 300, 7)}, {}, "found the outputs 'o' [1, 300, 7], expected [1, n, 6]"),
    "no boxes": ("detr", {"a": (1, 9, 7), "b": (1, 9, 7)}, {}, "expected boxes [1, n, 4] and scores"),
    "one output": ("boxes-scores", {"b": (1, 9, 4)}, {}, "expected boxes [1, n, 4] and scores"),
    "other counts": ("boxes-scores", {"b": (1, 9, 4), "s": (1, 8, 7)}, {}, "expected boxes [1, n, 4]"),
    "cells of nothing": ("yolox", {"o": (1, 84, 7)}, {}, "from cells of a picture of unknown size"),
    "fractions of nothing": ("detr", {"b": (1, 9, 4), "s": (1, 9, 7)}, {}, "fractions of a picture of unknown size"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_outputs_that_a_head_cannot_read_are_named_with_what_it_expects(kind, tmp_path) -> None:
    head, shapes, said, expected = REFUSED[kind]
    path = passing(tmp_path / "m.onnx", shapes, task="detection", head=head, **said)
    with pytest.raises(ModelError, match=re.escape(expected)):
        load(path)


def test_a_detector_without_a_head_is_refused_with_those_that_there_are(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"needs a head \(yolov5, yolov8, .*\) or a post graph"):
        load(passing(tmp_path / "m.onnx", {"o": (1, 9, 20)}, task="detection"))


def test_an_opset_that_is_too_old_is_refused_with_what_to_do(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"found opset 10, expected 11 or more .*onnx\.version_converter"):
        load(passing(tmp_path / "m.onnx", {"o": (1, 9, 20)}, task="detection", head="yolov8", opset=10))
