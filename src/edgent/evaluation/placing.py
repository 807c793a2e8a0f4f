"""Answers brought back from the model's input to the picture behind it: what `edgent.codec.fit` did, undone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.codec import visible_region
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


def placement(form: Preprocessing, shape: Shape) -> Placement:
    """Where the input lies on a picture of that height and width; parts of it may lie beside the picture."""
    left, top, right, bottom = visible_region(shape, form)
    rows, columns = form.size
    return Placement(left, top, (right - left) / columns, (bottom - top) / rows)


def boxes_in_picture(boxes: Detections, form: Preprocessing, shape: Shape) -> Detections:
    """Boxes [n, 6] with corners in the picture's pixels, none beyond its edges."""
    (height, width), at = shape, placement(form, shape)
    corners = boxes[:, :4] * np.tile([at.across, at.down], 2) + np.tile([at.left, at.top], 2)
    return np.concatenate([np.clip(corners, 0, np.tile([width, height], 2)), boxes[:, 4:]], axis=1)


def mask_in_picture(mask: Mask, form: Preprocessing, shape: Shape) -> Mask:
    """A mask of the picture's size: each pixel has the class of the input's pixel that it became."""
    at = placement(form, shape)
    across = _places(shape[1], at.left, at.across * form.size[1] / mask.shape[1], mask.shape[1])
    down = _places(shape[0], at.top, at.down * form.size[0] / mask.shape[0], mask.shape[0])
    placed: Mask = mask[np.ix_(down, across)]
    return placed


def _places(count: int, start: float, step: float, most: int) -> NDArray[np.intp]:
    """Which of the mask's rows or columns each of the picture's became; a mask may be smaller than the input."""
    return np.clip(((np.arange(count) + 0.5 - start) / step).astype(np.intp), 0, most - 1)
