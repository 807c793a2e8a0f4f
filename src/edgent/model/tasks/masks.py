"""A class for each pixel, out of scores for each class and pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from edgent.errors import ModelError
from edgent.model.tasks.heads import check_labels, unreadable
from edgent.model.tasks.results import NOT_SEEN
from edgent.model.tasks.tail import Tail
from edgent.model.values import Tensor

_MOST_CLASSES = 256  # as many as a byte tells apart
_AUXILIARY = "aux"  # torchvision's name for scores that only its training needs
_EXPECTED = "scores [1, classes, height, width] or [1, height, width, classes], or classes [1, height, width]"


def mask(tail: Tail, outputs: Sequence[Tensor], *, logits: bool, labels: int) -> str:
    """The class of each pixel: uint8 [height, width], the size of the output.

    Args:
        tail: where nodes are appended.
        outputs: one, of scores or of classes, and perhaps torchvision's auxiliary ones, which are left out. A single
            class is where its score is above 0.5.
        logits: whether a single class is where its score is above 0.
        labels: how many classes the model names; 0: none are named.

    Raises:
        ModelError: other outputs, more classes than a byte holds, or another number than there are labels.
    """
    main = [tensor for tensor in outputs if not tensor.name.startswith(_AUXILIARY)]
    (scores,) = main if len(main) == 1 else (None,)
    shape = scores.shape if scores else None
    if scores is None or shape is None or len(shape) < 2:
        raise unreadable("segmentation", outputs, _EXPECTED)
    if np.dtype(scores.dtype or "float32").kind in "iu" and math.prod(shape[:-2]) == 1:
        return _bytes(tail, scores.name, shape[-2], shape[-1])
    if len(shape) != 4 or shape[0] != 1:
        raise unreadable("segmentation", outputs, _EXPECTED)
    axis = 3 if labels and shape[1] != labels and shape[3] == labels else 1
    classes, (height, width) = shape[axis], (shape[1:3] if axis == 3 else shape[2:])
    if classes == 1:
        values = scores.name if scores.dtype == "float32" else tail.node("Cast", scores.name, to=TensorProto.FLOAT)
        there = _bytes(tail, tail.node("Greater", values, tail.floats(0.0 if logits else 0.5)), height, width)
        return _without_nan(tail, there, values, height, width)
    check_labels(f"segmentation: output {scores.name!r}", classes, labels)
    if classes > _MOST_CLASSES:
        raise ModelError(f"segmentation: found {classes} classes, expected at most {_MOST_CLASSES}; use the task raw")
    classes_of_pixels = _bytes(tail, tail.node("ArgMax", scores.name, axis=axis, keepdims=0), height, width)
    return _without_nan(tail, classes_of_pixels, tail.sums_along(scores.name, axis), height, width)


def _without_nan(tail: Tail, mask: str, values: str, height: int, width: int) -> str:
    """The mask, of no class where a value is NaN: it has a largest class there, but one that means nothing."""
    broken = tail.reshape(tail.node("IsNaN", values), height, width)
    return tail.node("Where", broken, tail.constant(np.array([NOT_SEEN], np.uint8)), mask)


def _bytes(tail: Tail, classes: str, height: int, width: int) -> str:
    return tail.reshape(tail.node("Cast", classes, to=TensorProto.UINT8), height, width)
