"""Puts a gate before plans that ask the edge: the device answers first, and the edge is asked where it is not sure.

A picture of which the first answer is sure costs the edge and the link nothing. For the others the first answer is at
hand while the edge is asked: no other branch of the device has to stand by, and where the edge answers in time, both
answers may be combined. The plan's time is that of a picture of which the device is not sure, for such pictures come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgent.codec.names import is_image_codec
from edgent.device.request import LocalBranch
from edgent.engine.feeds import Array
from edgent.planning.gates import Gate, Gates
from edgent.planning.plan import Plan
from edgent.units import Seconds

Outputs = Mapping[str, Array]
"""An answer's tensors by name."""


def gated(plan: Plan, gates: Gates, branches: Sequence[LocalBranch], within: Seconds, device_factor: float) -> Plan:
    """The plan with a gate before it, where there is one and time for both answers.

    Args:
        plan: of a request that brings a picture.
        gates: of the model.
        branches: what the device may answer with, from the picture as it comes.
        within: seconds from the picture handed over to the answer.
        device_factor: how much longer the device takes now than `branches` say.

    Returns:
        The plan itself where it does not send the picture, or where the time for the first answer is not there.
    """
    configuration = plan.configuration
    # The edge's part must begin with the picture, as it does just where the codec is one of pictures: a head of the
    # later network would come on top of the first answer.
    if not is_image_codec(configuration.codec):
        return plan
    gate = gates.before(configuration.exit, configuration.codec)
    first = next((branch for branch in branches if gate is not None and branch.exit == gate.exit), None)
    if gate is None or first is None:
        return plan
    seconds = first.seconds * device_factor
    if plan.stages.total + seconds > within:
        return plan
    stages = replace(plan.stages, head=plan.stages.head + seconds)
    # With the accuracy goes what it is: the gates may rest on labels where the plan rests on fidelity.
    return replace(plan, gate=gate, accuracy=gate.accuracy, measure=gates.measure, stages=stages)


def is_sure(gate: Gate, outputs: Outputs) -> bool:
    """Whether the first answer is taken."""
    return gate.accepts(_scores(outputs))


def together(gate: Gate, first: Outputs, last: Outputs) -> dict[str, Array]:
    """The last answer with what the first one knows: shares of the classes in the place of its scores.

    Raises:
        InputError: answers about different classes.
    """
    name, scores = next(iter(last.items()))
    return {**last, name: gate.combined(_scores(first), _scores(last)).reshape(scores.shape)}


def _scores(outputs: Outputs) -> Array:
    """Of the classes: the first output."""
    return next(iter(outputs.values())).ravel()
