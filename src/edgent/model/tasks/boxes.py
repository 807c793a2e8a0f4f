"""The last steps of every detector: of many boxes the likely ones that do not repeat each other.

The answer is float32 [n, 6], the best first: x1, y1, x2, y2 in pixels of the model's input, score, class. It is what
Ultralytics' `non_max_suppression` gives with its defaults: a box counts for its best class only, its score must be
above the threshold, and boxes of different classes never suppress each other.

Where a number is NaN, its box is left out like one of a low score, for no comparison with NaN is true. So that this is
said, a row whose score is NaN stands before the boxes then: see `flagged`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edgent.model.metadata import BoxLimits
from edgent.model.tasks.tail import Tail
from edgent.model.values import Tensor

WIDTH = 6
"""Numbers that a box has: four corners, score, class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCandidates:
    """Boxes before any is left out: names of tensors in a graph.

    Attributes:
        boxes: float32 [m, 4], x1, y1, x2, y2 in pixels.
        scores: float32 [m, classes].
        classes: how many.
    """

    boxes: str
    scores: str
    classes: int


def suppress(tail: Tail, candidates: BoxCandidates, limits: BoxLimits, iou: float) -> str:
    """Boxes that do not repeat a better one of their class: the name of float32 [n, 6].

    Args:
        tail: where nodes are appended.
        candidates: those whose best score is too low may be missing already.
        limits: which are answered.
        iou: of two boxes of a class that overlap by more, the better one stays.
    """
    best = tail.node("ArgMax", candidates.scores, axis=1, keepdims=1)
    # ONNX's operator suppresses class by class but takes a box for several; all but its best are made to score nothing.
    is_best = tail.node("Equal", best, tail.constant(np.arange(candidates.classes)[None]))
    scores = tail.node("Where", is_best, candidates.scores, tail.floats(0))
    by_class = tail.reshape(tail.node("Transpose", scores, perm=[1, 0]), 1, candidates.classes, -1)
    kept = tail.node(
        "NonMaxSuppression",
        tail.reshape(candidates.boxes, 1, -1, 4),
        by_class,
        tail.integers(limits.most),
        tail.floats(iou),
        tail.floats(limits.score),
    )
    kept = tail.reshape(tail.columns(kept, 2, 3), -1)
    return rank(
        tail,
        limits,
        tail.rows_at(candidates.boxes, kept),
        tail.rows_at(tail.reshape(tail.node("GatherElements", candidates.scores, best, axis=1), -1), kept),
        tail.rows_at(tail.reshape(best, -1), kept),
    )


def choose(tail: Tail, candidates: BoxCandidates, limits: BoxLimits) -> str:
    """Boxes of which none repeats another, each for its best class: the name of float32 [n, 6]."""
    best = tail.node("ArgMax", candidates.scores, axis=1, keepdims=1)
    score = tail.reshape(tail.node("GatherElements", candidates.scores, best, axis=1), -1)
    return above(tail, candidates.boxes, score, tail.reshape(best, -1), limits)


def choose_pairs(tail: Tail, candidates: BoxCandidates, limits: BoxLimits) -> str:
    """Every class of every box that is likely enough, for classes that do not exclude each other: float32 [n, 6].

    As DETR's followers with a focal loss are read (Zhu et al., Deformable DETR, ICLR 2021; RT-DETR, CVPR 2024).
    """
    scores, classes = tail.reshape(candidates.scores, -1), tail.integers(candidates.classes)
    kept = tail.positions(tail.node("Greater", scores, tail.floats(limits.score)))
    boxes = tail.rows_at(candidates.boxes, tail.node("Div", kept, classes))
    return rank(tail, limits, boxes, tail.rows_at(scores, kept), tail.node("Mod", kept, classes))


def above(tail: Tail, boxes: str, score: str, label: str, limits: BoxLimits) -> str:
    """The boxes [m, 4] whose score [m] is high enough, with their class [m]: the name of float32 [n, 6]."""
    kept = tail.positions(tail.node("Greater", score, tail.floats(limits.score)))
    return rank(tail, limits, *(tail.rows_at(part, kept) for part in (boxes, score, label)))


def likely(tail: Tail, rows: str, limits: BoxLimits, first: int, last: int) -> str:
    """The rows of which one of the columns first .. last - 1 is high enough: most are not, and cost nothing further."""
    best = tail.largest_of_rows(tail.columns(rows, first, last))
    return tail.rows_at(rows, tail.positions(tail.node("Greater", best, tail.floats(limits.score))))


def corners(tail: Tail, boxes: str) -> str:
    """From centre, width and height to two corners: [m, 4] -> [m, 4]."""
    centre, half = tail.columns(boxes, 0, 2), tail.node("Mul", tail.columns(boxes, 2, 4), tail.floats(0.5))
    return tail.node("Concat", tail.node("Sub", centre, half), tail.node("Add", centre, half), axis=1)


def flagged(tail: Tail, boxes: str, outputs: Sequence[Tensor], limits: BoxLimits) -> str:
    """Boxes with a row of the score NaN before them if the network put out a NaN: float32 [n, 6]."""
    # A sum is NaN if one of its terms is; it takes one pass over the outputs, where looking at each would take three.
    sums = [total(tail, tensor) for tensor in outputs if is_float(tensor)]
    if not sums:
        return boxes
    broken = tail.positions(tail.node("IsNaN", tail.node("Concat", *sums, axis=0)))
    row = tail.rows_at(tail.constant(np.array([[0, 0, 0, 0, np.nan, 0]] * len(sums), np.float32)), broken)
    return tail.rows(tail.node("Concat", row, boxes, axis=0), 0, limits.most)


def is_float(tensor: Tensor) -> bool:
    """Whether a tensor may hold NaN, and operators take it."""
    return tensor.dtype in ("float16", "float32", "float64")


def total(tail: Tail, tensor: Tensor) -> str:
    """The sum of a tensor as a list of one number."""
    whole = tail.reshape(tail.node("ReduceSum", tensor.name, keepdims=0), 1)
    return whole if tensor.dtype == "float32" else tail.node("Cast", whole, to=TensorProto.FLOAT)


def rank(tail: Tail, limits: BoxLimits, boxes: str, score: str, label: str) -> str:
    """The best boxes first, and no more than the most."""
    ordered, order = tail.nodes("TopK", score, tail.node("Shape", score), outputs=2)
    columns = (
        tail.rows_at(boxes, order),
        tail.reshape(ordered, -1, 1),
        tail.reshape(tail.node("Cast", tail.rows_at(label, order), to=TensorProto.FLOAT), -1, 1),
    )
    return tail.rows(tail.node("Concat", *columns, axis=1), 0, limits.most)
