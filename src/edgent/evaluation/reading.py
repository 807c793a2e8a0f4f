"""An exit's outputs, read as what its task says they are: a class, boxes or a mask of the picture, a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgent.engine.feeds import Array
from edgent.errors import InputError
from edgent.evaluation.measures.boxes import Detections
from edgent.evaluation.measures.masks import Mask
from edgent.evaluation.placing import boxes_in_picture, mask_in_picture
from edgent.model.tasks.results import Boxes

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples
    from edgent.model import Model, Preprocessing, Task

Reader = Callable[[Sequence[Array], int], Any]
"""Reads an exit's outputs to the picture of a row."""

_NUMBERS = "fiub"
_BOX = 6  # numbers: corners, score, class


def task_of(model: Model) -> Task:
    """What a model answers; where it does not say, one row of numbers is taken for the scores of classes."""
    if model.metadata.task is not None:
        return model.metadata.task
    # One number beside others and no further axis: [1, 1000], say. All else could mean anything, and is compared as
    # numbers only.
    shapes = [branch.outputs[0].shape for branch in model.branches]
    rows = all(shape is not None and np.prod(shape) == max(shape, default=0) for shape in shapes)
    return "classification" if rows else "raw"


def reader_of(model: Model, examples: Examples) -> Reader:
    """Reads a model's answers to some pictures.

    Raises:
        InputError: the model does not say how a picture becomes its input.
    """
    task, form = task_of(model), form_of(model)
    if task == "classification":
        return lambda outputs, _: int(outputs[0].argmax())
    if task == "detection":
        return lambda outputs, row: boxes_in_picture(_boxes(model, outputs), form, examples.shapes[row])
    if task == "segmentation":
        return lambda outputs, row: mask_in_picture(_mask(outputs), form, examples.shapes[row])
    return lambda outputs, _: _vector(outputs)


def form_of(model: Model) -> Preprocessing:
    """How a picture becomes a model's input.

    Raises:
        InputError: the model does not say.
    """
    form = model.metadata.preprocessing
    if form is not None and len(model.inputs) > 1:
        raise InputError(
            f"{model.name} is a bundle whose files see pictures in sizes of their own: measure each file by itself; "
            "what is kept of them is the bundle's"
        )
    if len(model.inputs) != 1:
        raise InputError(f"{model.name} takes {len(model.inputs)} inputs, so it cannot be measured on pictures")
    if form is None:
        raise InputError(
            f"{model.name} does not say how a picture becomes its input, so it cannot be measured on pictures: "
            "write its configuration (edgent init)"
        )
    return form


def _boxes(model: Model, outputs: Sequence[Array]) -> Detections:
    if outputs[0].ndim < 2 or outputs[0].shape[-1] != _BOX:
        raise InputError(
            f"{model.name} answers with {list(outputs[0].shape)} numbers, expected boxes [n, {_BOX}]: say in its "
            "configuration what its outputs mean (head or post)"
        )
    boxes: Detections = Boxes.of_answer(outputs[0].reshape(-1, _BOX)).data.astype(np.float64)
    return boxes


def _mask(outputs: Sequence[Array]) -> Mask:
    mask: Mask = outputs[0].reshape(outputs[0].shape[-2:]).astype(np.uint8)
    return mask


def _vector(outputs: Sequence[Array]) -> Array:
    """All numbers of an answer, one after the other."""
    # Text has no angle to other text; what is left of such an answer is compared.
    parts = [output.ravel() for output in outputs if output.dtype.kind in _NUMBERS]
    return np.concatenate([*parts, []]).astype(np.float64)
