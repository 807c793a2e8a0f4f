"""Answers brought back from the model's input to the picture behind it: what `edgent.codec.fit` did, undone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.evaluation.measures.boxes import Detections
from edgent.evaluation.measures.masks import Mask
from edgent.model import Preprocessing

Shape = tuple[int, int]
"""Height and width."""


class Placement(NamedTuple):
    """Where the input lies on the picture: its corner's x and y, and how much of the picture one of its pixels is."""

    left: float
    top: float
    across: float
    down: float


def window(form: Preprocessing, shape: Shape) -> Placement:
    """Where the input lies on a picture of that height and width; parts of it may lie beside the picture."""
    (height, width), (rows, columns) = shape, form.size
    if form.resize == "stretch":
        return Placement(0, 0, width / columns, height / rows)
    if form.resize == "crop":
        scale = max(rows / height, columns / width) / form.crop
        across, down = max(columns, round(width * scale)), max(rows, round(height * scale))
        left, top = (across - columns) // 2, (down - rows) // 2
        return Placement(left * width / across, top * height / down, width / across, height / down)
    inner = _inner(form, shape)
    top, left = ((rows - inner[0]) // 2, (columns - inner[1]) // 2) if form.resize == "letterbox" else (0, 0)
    ratios = width / inner[1], height / inner[0]
    return Placement(-left * ratios[0], -top * ratios[1], *ratios)


def boxes_in_picture(boxes: Detections, form: Preprocessing, shape: Shape) -> Detections:
    """Boxes [n, 6] with corners in the picture's pixels, none beyond its edges."""
    (height, width), at = shape, window(form, shape)
    corners = boxes[:, :4] * np.tile([at.across, at.down], 2) + np.tile([at.left, at.top], 2)
    return np.concatenate([np.clip(corners, 0, np.tile([width, height], 2)), boxes[:, 4:]], axis=1)


def mask_in_picture(mask: Mask, form: Preprocessing, shape: Shape) -> Mask:
    """A mask of the picture's size: each pixel has the class of the input's pixel that it became."""
    at = window(form, shape)
    across = _places(shape[1], at.left, at.across * form.size[1] / mask.shape[1], mask.shape[1])
    down = _places(shape[0], at.top, at.down * form.size[0] / mask.shape[0], mask.shape[0])
    placed: Mask = mask[np.ix_(down, across)]
    return placed


def _places(count: int, start: float, step: float, most: int) -> NDArray[np.intp]:
    """Which of the mask's rows or columns each of the picture's became; a mask may be smaller than the input."""
    return np.clip(((np.arange(count) + 0.5 - start) / step).astype(np.intp), 0, most - 1)


def _inner(form: Preprocessing, shape: Shape) -> Shape:
    """Height and width of the picture on the input."""
    (height, width), (rows, columns) = shape, form.size
    if form.resize == "height":
        return rows, min(columns, max(1, round(width * rows / height)))
    scale = min(rows / height, columns / width)
    return max(1, round(height * scale)), max(1, round(width * scale))
