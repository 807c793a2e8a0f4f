"""The common heads of detectors: from what a network puts out to candidates for boxes.

    yolov5         [1, n, 5 + classes]: centre, size, objectness, class scores (Ultralytics v5, also YOLOX decoded)
    yolox          the same shape, a row for each cell of a grid: centre from the cell, logarithm of the size (YOLOX)
    yolov8         [1, 4 + classes, n]: centre, size, class scores (Ultralytics v8, v9, v11, v12 and their like)
    end-to-end     [1, n, 6]: x1, y1, x2, y2, score, class; nothing is suppressed any more (v10, v26, `nms=True`)
    boxes-scores   boxes [1, n, 4] and scores [1, n, classes]; or scores [1, n] beside labels [1, n], chosen already;
                   these also without the 1, and n known by the data only (torchvision)
    ssd            the same, boxes as fractions of the picture, the first class the background
    detr           boxes as centre and size in fractions, logits, the last class nothing (DETR, YOLOS)
    rt-detr        the same with independent classes, each by its sigmoid; a box may be of several (RT-DETR, Deformable
                   DETR)

Coordinates are pixels of the model's input unless fractions are said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from edgent.errors import ModelError
from edgent.model.metadata import BoxLimits
from edgent.model.tasks.boxes import WIDTH, BoxCandidates, above, choose, choose_pairs, corners, likely, suppress
from edgent.model.tasks.grids import cells, strides_of
from edgent.model.tasks.tail import Tail
from edgent.model.values import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a head needs to know beside the outputs.

    Attributes:
        limits: which boxes are answered.
        iou: of two boxes of a class that overlap by more, the better one stays.
        labels: how many classes the model names; 0: none are named.
        size: height and width of the model's input; None: unknown.
    """

    limits: BoxLimits
    iou: float
    labels: int
    size: tuple[int, int] | None


Head = Callable[[Tail, Sequence[Tensor], Reading], str]
"""Appends the reading of outputs; returns the name of the boxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """How a network gives boxes and scores apart.

    Attributes:
        fractions: whether coordinates are fractions of the input.
        centred: whether boxes are centre and size.
        activation: the operator that makes scores of logits; empty: they are scores.
        nothing: the column that stands for no object: 0, -1, or None.
        repeats: whether boxes repeat each other.
        independent: whether a box may be of several classes, each answered by itself.
    """

    fractions: bool = True
    centred: bool = True
    activation: str = ""
    nothing: int | None = None
    repeats: bool = False
    independent: bool = False


_PAIRS = {
    "boxes-scores": _Pair(fractions=False, centred=False, repeats=True),
    "ssd": _Pair(centred=False, nothing=0, repeats=True),
    "detr": _Pair(activation="Softmax", nothing=-1),
    "rt-detr": _Pair(activation="Sigmoid", independent=True),
}


def yolov5(tail: Tail, outputs: Sequence[Tensor], reading: Reading) -> str:
    """Each class scores its own times the objectness, so only rows of high objectness are looked at."""
    columns = _width(_only(outputs, "yolov5", "[1, n, 5 + classes]"), -1, 5, "yolov5", reading)
    rows = likely(tail, _matrix(tail, outputs[0]), reading.limits, 4, 5)
    scores = tail.node("Mul", tail.columns(rows, 5, columns), tail.columns(rows, 4, 5))
    return _suppressed(tail, tail.columns(rows, 0, 4), scores, columns - 5, reading)


def yolox(tail: Tail, outputs: Sequence[Tensor], reading: Reading) -> str:
    """Rows as yolov5 has them, places in units of a cell (Ge et al., YOLOX, arXiv:2107.08430; `demo_postprocess`)."""
    shape = _only(outputs, "yolox", "[1, n, 5 + classes]")
    columns = _width(shape, -1, 5, "yolox", reading)
    placed = tail.node("Concat", _matrix(tail, outputs[0]), tail.constant(_cells(shape[1], reading.size)), axis=1)
    rows = likely(tail, placed, reading.limits, 4, 5)
    scores = tail.node("Mul", tail.columns(rows, 5, columns), tail.columns(rows, 4, 5))
    corner, stride = tail.columns(rows, columns, columns + 2), tail.columns(rows, columns + 2, columns + 3)
    centre = tail.node("Add", tail.columns(rows, 0, 2), corner)
    boxes = tail.node("Concat", centre, tail.node("Exp", tail.columns(rows, 2, 4)), axis=1)
    return _suppressed(tail, tail.node("Mul", boxes, stride), scores, columns - 5, reading)


def yolov8(tail: Tail, outputs: Sequence[Tensor], reading: Reading) -> str:
    """The same without an objectness, boxes side by side."""
    columns = _width(_only(outputs, "yolov8", "[1, 4 + classes, n]"), 1, 4, "yolov8", reading)
    rows = likely(tail, tail.node("Transpose", _matrix(tail, outputs[0]), perm=[1, 0]), reading.limits, 4, columns)
    return _suppressed(tail, tail.columns(rows, 0, 4), tail.columns(rows, 4, columns), columns - 4, reading)


def end_to_end(tail: Tail, outputs: Sequence[Tensor], reading: Reading) -> str:
    """Boxes that the network has chosen itself: those of too low a score are left out."""
    shape = _only(outputs, "end-to-end", "[1, n, 6]")
    if shape[-1] != WIDTH:
        raise unreadable("end-to-end", outputs, "[1, n, 6]")
    rows = _matrix(tail, outputs[0])
    score, label = (tail.reshape(tail.columns(rows, at, at + 1), -1) for at in (4, 5))
    return above(tail, tail.columns(rows, 0, 4), score, label, reading.limits)


def _pair(head: str, tail: Tail, outputs: Sequence[Tensor], reading: Reading) -> str:
    """Boxes and scores as outputs of their own, in any order; perhaps the labels as a third."""
    form = _PAIRS[head]
    boxes, scores, labels = _sorted_out(head, outputs)
    corner = _pixels(tail, tail.reshape(_single(tail, boxes), -1, 4), form, reading)
    if labels is not None:
        flat = [tail.reshape(_single(tail, part), -1) for part in (scores, labels)]
        return above(tail, corner, flat[0], flat[1], reading.limits)
    values, classes = _class_scores(tail, scores, form)
    check_labels(f"{head}: output {scores.name!r}", classes, reading.labels)
    candidates = BoxCandidates(boxes=corner, scores=values, classes=classes)
    if form.repeats:
        return suppress(tail, candidates, reading.limits, reading.iou)
    if form.independent:
        return choose_pairs(tail, candidates, _as_many_as(boxes, reading.limits))
    return choose(tail, candidates, reading.limits)


def _as_many_as(boxes: Tensor, limits: BoxLimits) -> BoxLimits:
    """No more than there are boxes: so their authors' own programs limit pairs of a box and a class."""
    return replace(limits, most=min(limits.most, (boxes.shape or (0, limits.most, 4))[-2]))


def _class_scores(tail: Tail, scores: Tensor, form: _Pair) -> tuple[str, int]:
    """Scores of the classes that are some, and how many these are."""
    values, columns = _matrix(tail, scores), (scores.shape or (0,))[-1]
    if form.activation:
        values = tail.node(form.activation, values, **({"axis": 1} if form.activation == "Softmax" else {}))
    if form.nothing is None:
        return values, columns
    start = 1 if form.nothing == 0 else 0
    return tail.columns(values, start, start + columns - 1), columns - 1


def _pixels(tail: Tail, boxes: str, form: _Pair, reading: Reading) -> str:
    if form.centred:
        boxes = corners(tail, boxes)
    if not form.fractions:
        return boxes
    if reading.size is None:
        raise ModelError("the head's boxes are fractions of a picture of unknown size; say how one is prepared")
    height, width = reading.size
    return tail.node("Mul", boxes, tail.constant(np.array([[width, height] * 2], np.float32)))


def _suppressed(tail: Tail, centred: str, scores: str, classes: int, reading: Reading) -> str:
    candidates = BoxCandidates(boxes=corners(tail, centred), scores=scores, classes=classes)
    return suppress(tail, candidates, reading.limits, reading.iou)


def _cells(rows: int, size: tuple[int, int] | None) -> NDArray[np.float32]:
    if size is None:
        raise ModelError("head yolox: its boxes are counted from cells of a picture of unknown size; say its size")
    if (strides := strides_of(rows, size)) is None:
        raise ModelError(
            f"head yolox: found {rows} rows, expected one for each cell of 8, 16 and 32 pixels (and 64) of a "
            f"picture of {size[0]} x {size[1]}; where an export decodes them already, the head is yolov5"
        )
    return cells(strides, size)


def _only(outputs: Sequence[Tensor], head: str, expected: str) -> tuple[int, ...]:
    """The shape of the one output that a head reads."""
    shape = outputs[0].shape if len(outputs) == 1 else None
    if shape is None or len(shape) != 3 or shape[0] != 1:
        raise unreadable(head, outputs, expected)
    return shape


def _width(shape: tuple[int, ...], axis: int, fixed: int, head: str, reading: Reading) -> int:
    """How many numbers a box has."""
    if shape[axis] <= fixed:
        raise ModelError(f"head {head}: found {shape[axis]} numbers a box, expected {fixed} and one for each class")
    check_labels(f"head {head}: the output", shape[axis] - fixed, reading.labels)
    return shape[axis]


def _sorted_out(head: str, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor | None]:
    """Boxes, scores and perhaps labels, told apart by shape and type, and where these are alike by name."""
    if len(outputs) == 3 and any(tensor.shape is None for tensor in outputs):
        return _told_by_names(head, outputs)
    shapes = [tensor.shape or () for tensor in outputs]
    wide = [tensor for tensor, shape in zip(outputs, shapes, strict=True) if len(shape) > 1 and shape[-1] == 4]
    boxes = next(filter(_names_boxes, wide), wide[0] if wide else None)
    others = [tensor for tensor in outputs if tensor is not boxes]
    if boxes is None or len(others) not in (1, 2):
        raise unreadable(head, outputs, "boxes [1, n, 4] and scores [1, n, classes]")
    count = (boxes.shape or ())[-2]
    if len(others) == 1 and len(others[0].shape or ()) > 1 and (others[0].shape or ())[-2] == count:
        return boxes, others[0], None
    flat = [tensor for tensor in others if (tensor.shape or ())[-1:] == (count,)]
    labels = next((tensor for tensor in flat if _names_labels(tensor)), None)
    if len(flat) != 2 or labels is None:
        raise unreadable(head, outputs, "boxes [1, n, 4], scores [1, n] and labels [1, n]")
    return boxes, next(tensor for tensor in flat if tensor is not labels), labels


def _told_by_names(head: str, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The same of boxes that the graph has suppressed itself: only the data tells how many are left, so no shape does.

    Torchvision's detectors are exported so, and put out boxes before scores where their outputs have no names.
    """
    labels = next((tensor for tensor in outputs if _names_labels(tensor)), None)
    others = sorted((tensor for tensor in outputs if tensor is not labels), key=lambda tensor: not _names_boxes(tensor))
    if labels is None:
        raise unreadable(head, outputs, "boxes [n, 4], scores [n] and labels [n] of whole numbers")
    return others[0], others[1], labels


def _names_boxes(tensor: Tensor) -> bool:
    return "box" in tensor.name.lower()


def _names_labels(tensor: Tensor) -> bool:
    said = any(word in tensor.name.lower() for word in ("label", "class"))
    return said or np.dtype(tensor.dtype or "float32").kind in "iu"


def _matrix(tail: Tail, tensor: Tensor) -> str:
    """An output [1, rows, columns] as float32 [rows, columns]."""
    return tail.reshape(_single(tail, tensor), -1, (tensor.shape or (0,))[-1])


def _single(tail: Tail, tensor: Tensor) -> str:
    return tensor.name if tensor.dtype == "float32" else tail.node("Cast", tensor.name, to=TensorProto.FLOAT)


def check_labels(what: str, classes: int, labels: int) -> None:
    """Refuses another number of labels than of classes, where there are labels.

    Raises:
        ModelError: they differ.
    """
    if labels and labels != classes:
        raise ModelError(f"{what} has {classes} classes, but there are {labels} labels; give one for each class")


def unreadable(head: str, outputs: Sequence[Tensor], expected: str) -> ModelError:
    """What to raise where a head does not read such outputs."""
    found = ", ".join(
        f"{tensor.name!r} {'of no known shape' if tensor.shape is None else list(tensor.shape)}" for tensor in outputs
    )
    # Numbers of free dimensions that contradict each other inside a network leave the shapes behind them unknown.
    sized = ", or other numbers for free dimensions" if any(tensor.shape is None for tensor in outputs) else ""
    return ModelError(
        f"head {head}: found the outputs {found}, expected {expected}; name another head, or a post graph{sized}"
    )


READERS: Mapping[str, Head] = {
    "yolov5": yolov5,
    "yolox": yolox,
    "yolov8": yolov8,
    "end-to-end": end_to_end,
    **{head: partial(_pair, head) for head in _PAIRS},
}
