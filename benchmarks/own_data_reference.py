"""The answers that a plain script gives: Pillow, ONNX Runtime, numpy and pycocotools, and nothing of Edgent.

What `own_data.py` must find through Edgent. A classifier's picture is resized as EfficientNet's authors do it: the
shorter side to size / 0.875 by Pillow's bicubic filter, then the centre. FastestDet's is stretched to 352 x 352 by the
bilinear one, its channels in the order blue, green, red; its boxes are decoded as its own programs do.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

Array = NDArray[Any]
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
KEPT = 0.875
SIDE, GRID, CLASSES = 352, 22, 80
SCORE, IOU = 0.25, 0.45


def session(path: Path) -> onnxruntime.InferenceSession:
    """The file in ONNX Runtime, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def picture(path: Path) -> Image.Image:
    """A picture, upright."""
    with Image.open(path) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def label_of(model: onnxruntime.InferenceSession, path: Path, size: int) -> int:
    """The class that a classifier of that size gives a picture."""
    image = picture(path)
    scale = size / KEPT / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
    return int(
        model.run(None, {model.get_inputs()[0].name: ((pixels - MEAN) / STD).transpose(2, 0, 1)[None]})[0].argmax()
    )


def boxes_of(model: onnxruntime.InferenceSession, path: Path) -> Array:
    """FastestDet's boxes, float [n, 6]: x, y, width, height in the picture's pixels, score, class."""
    image = picture(path)
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)[:, :, ::-1] / 255
    (output,) = model.run(None, {model.get_inputs()[0].name: np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]})
    rows = output[0].reshape(5 + CLASSES, -1).T
    classes = rows[:, 5:].argmax(axis=1)
    scores = rows[:, 0] ** 0.6 * rows[:, 5:].max(axis=1) ** 0.4
    cells = np.stack([np.tile(np.arange(GRID), GRID), np.repeat(np.arange(GRID), GRID)], axis=1)
    centres = (cells + np.tanh(rows[:, 1:3])) / GRID
    sizes = 1 / (1 + np.exp(-rows[:, 3:5]))
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    kept = _kept(boxes, scores, classes)
    corners = np.clip(boxes[kept], 0, 1) * (image.width, image.height, image.width, image.height)
    sides = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2], sides, scores[kept][:, None], classes[kept][:, None]], axis=1)


def mean_average_precision(truth: Mapping[int, Array], found: Mapping[int, Array]) -> float:
    """COCO's number, 0..1, of boxes x, y, width, height by picture: true ones with a class, found ones with both."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    kinds = sorted({int(row[4]) for rows in truth.values() for row in rows})
    with contextlib.redirect_stdout(io.StringIO()):
        right = COCO()
        right.dataset = {
            "images": [{"id": number} for number in truth],
            "categories": [{"id": kind} for kind in kinds],
            "annotations": [_annotation(n, row) for n, row in enumerate(_rows(truth), start=1)],
        }
        right.createIndex()
        told = [[number, *row[:5], row[5]] for number, rows in found.items() for row in rows]
        evaluation = COCOeval(right, right.loadRes(np.array(told)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def true_boxes(labels: Path, images: Sequence[Path]) -> dict[int, Array]:
    """YOLO's text files as boxes x, y, width, height in pixels and class, by the picture's place in the list."""
    found = {}
    for place, image in enumerate(images):
        file = labels / f"{image.stem}.txt"
        lines = file.read_text().splitlines() if file.is_file() else []
        width, height = picture(image).size
        rows = np.array([[float(word) for word in line.split()] for line in lines]).reshape(-1, 5)
        sides = rows[:, 3:] * (width, height)
        found[place] = np.concatenate([rows[:, 1:3] * (width, height) - sides / 2, sides, rows[:, :1]], axis=1)
    return found


def _kept(boxes: Array, scores: Array, classes: Array) -> list[int]:
    """Places of the boxes that no better one of their class overlaps by too much."""
    kept: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        same = [other for other in kept if classes[other] == classes[place]]
        if scores[place] > SCORE and not any(_overlap(boxes[place], boxes[other]) > IOU for other in same):
            kept.append(int(place))
    return kept


def _overlap(a: Array, b: Array) -> float:
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = sides.prod()
    return float(both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both))


def _rows(truth: Mapping[int, Array]) -> list[tuple[int, Array]]:
    return [(number, row) for number, rows in truth.items() for row in rows]


def _annotation(number: int, placed: tuple[int, Array]) -> dict[str, Any]:
    image, row = placed
    box = [float(value) for value in row[:4]]
    return {
        "id": number,
        "image_id": image,
        "category_id": int(row[4]),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }
