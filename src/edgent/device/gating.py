"""What a plan with a gate makes of answers: whether the device's own is sure, and what it adds to the edge's.

A picture of which the first answer is sure costs the edge and the link nothing. For the others the first answer is at
hand while the edge is asked: no other branch of the device has to stand by, and where the edge answers in time, both
answers may be combined. When such a plan is worth it: `edgent.planning.policy`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgent.codec import most_pixels, picture_size, visible_region
from edgent.engine.feeds import Array
from edgent.model.metadata import Metadata, Preprocessing
from edgent.model.tasks.fusion import fused
from edgent.model.tasks.results import Boxes
from edgent.planning.gates import Gate

Outputs = Mapping[str, Array]
"""An answer's tensors by name."""


def is_sure(gate: Gate, outputs: Outputs) -> bool:
    """Whether the first answer is taken."""
    return gate.accepts(_scores(outputs))


def combined(
    gate: Gate, first: Outputs, last: Outputs, metadata: Mapping[int, Metadata], picture: bytes
) -> dict[str, Array]:
    """The last answer with what the first one knows.

    Of a classifier shares of the classes stand in the place of its scores, of a detector the boxes of both.

    Args:
        gate: says how much each counts.
        first: the device's own answer.
        last: the edge's.
        metadata: what the model says of each exit's answers.
        picture: the file that both are of.

    Raises:
        InputError: answers about different classes.
    """
    name, answer = next(iter(last.items()))
    if metadata[gate.later].task == "detection":
        forms = metadata[gate.exit].preprocessing, metadata[gate.later].preprocessing
        assert forms[0] is not None and forms[1] is not None, "a gate is for pictures"
        return {**last, name: _fused(gate, (next(iter(first.values())), answer), (forms[0], forms[1]), picture)}
    return {**last, name: gate.combined(_scores(first), _scores(last)).reshape(answer.shape)}


def _fused(gate: Gate, boxes: tuple[Array, Array], forms: tuple[Preprocessing, Preprocessing], picture: bytes) -> Array:
    """The boxes of both, on the last one's input."""
    # Each network sees the picture in a form of its own, so they meet in the picture's pixels.
    size = picture_size(picture, max_pixels=max(map(most_pixels, forms)))
    windows = [visible_region(size, form) for form in forms]
    placed = [
        Boxes.of_answer(rows).seen_through(window, form.size, size).data
        for rows, window, form in zip(boxes, windows, forms, strict=True)
    ]
    both = Boxes(data=fused(placed, gate.weights).astype(np.float32))
    return both.laid_on(windows[1], forms[1].size).data


def _scores(outputs: Outputs) -> Array:
    """Of the classes: the first output."""
    return next(iter(outputs.values())).ravel()
