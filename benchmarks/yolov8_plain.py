"""A YOLOv8 export's pictures and boxes as a plain script has them: Pillow and numpy, nothing of Edgent or Ultralytics.

What LitServe is given in `peers_detector.py`, and what Edgent's boxes are held against there.
"""

from __future__ import annotations

from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
SCORE, IOU, MOST = 0.25, 0.7, 20
_GREY = 114


def prepared(file: IO[bytes], side: int) -> Array:
    """A picture on a grey square, as float32 [1, 3, side, side] of 0..1."""
    picture = Image.open(file).convert("RGB")
    scale = min(side / picture.height, side / picture.width)
    width, height = round(picture.width * scale), round(picture.height * scale)
    canvas = np.full((side, side, 3), _GREY, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    small = picture.resize((width, height), Image.Resampling.BILINEAR)
    canvas[top : top + height, left : left + width] = np.asarray(small)
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))[None].astype(np.float32) / 255


def boxes_of(output: Array) -> Array:
    """Boxes [n, 6], the best first, `MOST` at most: two corners in pixels of the input, score, class.

    Args:
        output: [1, 4 + classes, places], as the export gives it.
    """
    places = output[0].T
    # First the few places with a box: everything after costs by their number.
    places = places[places[:, 4:].max(axis=1) > SCORE]
    best = places[:, 4:].argmax(axis=1)
    scores = places[np.arange(len(places)), 4 + best]
    corners = np.concatenate([places[:, :2] - places[:, 2:4] / 2, places[:, :2] + places[:, 2:4] / 2], axis=1)
    rows = np.concatenate([corners, scores[:, None], best[:, None]], axis=1).astype(np.float32)
    rows = rows[np.argsort(-scores, kind="stable")]
    kept = []
    while len(rows) and len(kept) < MOST:
        first, rows = rows[0], rows[1:]
        kept.append(first)
        rows = rows[(_overlaps(first, rows) <= IOU) | (rows[:, 5] != first[5])]
    return np.array(kept, np.float32).reshape(-1, 6)


def _overlaps(first: Array, rows: Array) -> Array:
    """Intersection over union of one box with others."""
    low, high = np.maximum(first[:2], rows[:, :2]), np.minimum(first[2:4], rows[:, 2:4])
    both = np.clip(high - low, 0, None).prod(axis=1)
    areas = (rows[:, 2:4] - rows[:, :2]).prod(axis=1)
    whole: Array = both / ((first[2:4] - first[:2]).prod() + areas - both)
    return whole
