"""What detectors answer, computed in plain Python and numpy: the oracle of the heads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def overlap(one: Array, other: Array) -> float:
    """Intersection over union of two boxes, as Ultralytics and torchvision have it."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(shared / (sum(areas) - shared)) if shared else 0.0


def plain_nms(boxes: Array, scores: Array, score: float, iou: float, most: int = 300) -> Array:
    """Box by box, the best first: [n, 4], [n, classes] -> [m, 6]."""
    label, best = scores.argmax(1), scores.max(1)
    kept: list[int] = []
    for at in np.argsort(-best, kind="stable"):
        repeats = any(label[at] == label[one] and overlap(boxes[at], boxes[one]) > iou for one in kept)
        if best[at] > score and not repeats:
            kept.append(int(at))
    return answered(boxes, best, label, kept[:most])


def answered(boxes: Array, score: Array, label: Array, kept: list[int]) -> Array:
    return np.concatenate([boxes[kept], score[kept, None], label[kept, None]], axis=1, dtype=np.float32)


def corners(boxes: Array) -> Array:
    centre, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def yolov5(output: Array, score: float = 0.25, iou: float = 0.45, most: int = 300) -> Array:
    rows = output[0]
    return plain_nms(corners(rows[:, :4]), rows[:, 5:] * rows[:, 4:5], score, iou, most)


def yolox(
    output: Array, size: tuple[int, int], strides: tuple[int, ...], score: float, iou: float, most: int = 300
) -> Array:
    """Row by row, as the grids are walked through."""
    places = [(x, y, s) for s in strides for y in range(size[0] // s) for x in range(size[1] // s)]
    rows = output[0].astype(np.float64)
    for row, (x, y, stride) in zip(rows, places, strict=True):
        row[:4] = (row[0] + x) * stride, (row[1] + y) * stride, np.exp(row[2]) * stride, np.exp(row[3]) * stride
    return yolov5(rows[None].astype(np.float32), score, iou, most)


def yolov8(output: Array, score: float = 0.25, iou: float = 0.7, most: int = 300) -> Array:
    rows = output[0].T
    return plain_nms(corners(rows[:, :4]), rows[:, 4:], score, iou, most)


def softmax(x: Array) -> Array:
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def every_class(boxes: Array, scores: Array) -> tuple[Array, Array, Array]:
    """Each box once for each of its classes: boxes, scores, labels."""
    pairs = [(box, score, label) for box, row in zip(boxes, scores, strict=True) for label, score in enumerate(row)]
    rows, best, labels = zip(*pairs, strict=True)
    return np.array(rows), np.array(best), np.array(labels)


def sorted_above(boxes: Array, score: Array, label: Array, least: float, most: int = 300) -> Array:
    order = [int(at) for at in np.argsort(-score, kind="stable") if score[at] > least]
    return answered(boxes, score, label, order[:most])


def fastestdet(output: Array, score: float = 0.25, iou: float = 0.45, side: int = 352) -> Array:
    """FastestDet's own decoder, cell by cell: [1, 5 + classes, rows, columns]."""
    _, _, rows, columns = output.shape
    boxes, scores = [], []
    for row in range(rows):
        for column in range(columns):
            cell = output[0, :, row, column]
            x, y = (column + np.tanh(cell[1])) / columns, (row + np.tanh(cell[2])) / rows
            width, height = sigmoid(cell[3:5])
            boxes.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
            scores.append(cell[0] ** 0.6 * cell[5:] ** 0.4)
    return plain_nms(np.array(boxes, np.float32) * side, np.array(scores, np.float32), score, iou)
