"""What a plan with a gate makes of answers: whether the device's own is sure, and what it adds to the edge's.

A picture of which the first answer is sure costs the edge and the link nothing. For the others the first answer is at
hand while the edge is asked: no other branch of the device has to stand by, and where the edge answers in time, both
answers may be combined. When such a plan is worth it: `edgent.planning.policy`.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgent.engine.feeds import Array
from edgent.planning.gates import Gate

Outputs = Mapping[str, Array]
"""An answer's tensors by name."""


def is_sure(gate: Gate, outputs: Outputs) -> bool:
    """Whether the first answer is taken."""
    return gate.accepts(_scores(outputs))


def combined(gate: Gate, first: Outputs, last: Outputs) -> dict[str, Array]:
    """The last answer with what the first one knows: shares of the classes in the place of its scores.

    Raises:
        InputError: answers about different classes.
    """
    name, scores = next(iter(last.items()))
    return {**last, name: gate.combined(_scores(first), _scores(last)).reshape(scores.shape)}


def _scores(outputs: Outputs) -> Array:
    """Of the classes: the first output."""
    return next(iter(outputs.values())).ravel()
