"""Answers brought back from the model's input to the picture behind it, as `edgent.Answer` brings them back."""

from __future__ import annotations

import numpy as np

from edgent.codec import visible_region
from edgent.evaluation.measures.boxes import Detections
from edgent.evaluation.measures.masks import Mask
from edgent.model import Preprocessing
from edgent.model.tasks.results import Boxes, mask_seen_through

Shape = tuple[int, int]
"""Height and width."""


def boxes_in_picture(boxes: Detections, form: Preprocessing, shape: Shape) -> Detections:
    """Boxes [n, 6] with corners in the picture's pixels, none beyond its edges."""
    placed = Boxes(data=boxes.astype(np.float32)).seen_through(visible_region(shape, form), form.size, shape)
    return placed.data.astype(np.float64)


def mask_in_picture(mask: Mask, form: Preprocessing, shape: Shape) -> Mask:
    """A mask of the picture's size; what was cut off before the model saw it is of no class, and so never right."""
    return mask_seen_through(mask, visible_region(shape, form), shape)
