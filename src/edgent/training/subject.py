"""A network of somebody's as training sees it: pictures go in, and one row of numbers comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.engine.feeds import Array
from edgent.errors import InputError
from edgent.evaluation.data.examples import Examples
from edgent.evaluation.judging import true_labels
from edgent.evaluation.reading import form_of, task_of
from edgent.model import Model
from edgent.model.tasks.class_probabilities import log_probabilities

_TASKS = ("classification", "embedding")
Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A classifier, or an embedder.

    Attributes:
        model: with one file.
        is_vector: whether it answers with a vector and not with the scores of classes.
    """

    model: Model
    is_vector: bool

    @property
    def outputs(self) -> int:
        """Numbers of its last answer."""
        return int(np.prod(self.model.branches[-1].outputs[0].shape or (0,)))

    @property
    def answers_shares(self) -> bool:
        """Whether the file itself ends in a softmax."""
        names = set(self.model.own_outputs)
        return any(node.op_type == "Softmax" and names & {*node.output} for node in self.model.proto.graph.node)

    def said(self, outputs: Sequence[Array]) -> NDArray[np.float64]:
        """An answer to one picture: the logarithms of the classes' probabilities, or the vector."""
        row: NDArray[Any] = outputs[0].ravel()
        return row.astype(np.float64) if self.is_vector else log_probabilities(row)

    def classes_of(self, examples: Examples) -> Classes | None:
        """What is right about each picture; None: nobody says.

        Raises:
            InputError: labels that do not fit the network.
        """
        if any(truth is None for truth in examples.truths):
            return None
        if not all(isinstance(truth, int) for truth in examples.truths):
            raise InputError(
                f"{examples.name}: found boxes or masks, expected a class for each picture, or none at all"
            )
        return np.array(true_labels(self.model, examples), np.int64)


def subject_of(model: Model, what: str) -> Subject:
    """Refuses what is no classifier and no embedder of pictures.

    Args:
        model: as it was opened.
        what: is to be done with it, for messages: "quantize".

    Raises:
        InputError: it is none.
    """
    if len(model.members) > 1:
        raise InputError(f"{model.name} is a bundle: {what} takes each of its files by itself")
    form_of(model)
    task = task_of(model)
    if task not in _TASKS:
        raise InputError(
            f"the task of {model.name} is {task}: {what} is for classifiers and embedders, not for detectors; "
            "where that is not what it is, say so in its configuration (edgent init)"
        )
    for branch in model.branches:
        shape = branch.outputs[0].shape
        if len(branch.outputs) != 1 or shape is None or np.prod(shape) != max(shape, default=0):
            raise InputError(
                f"exit {branch.exit} of {model.name} answers with {len(branch.outputs)} outputs of the shape "
                f"{shape}, expected one row of numbers: name the one that counts in its configuration (exits)"
            )
    return Subject(model=model, is_vector=task == "embedding")


def check_every_class(subject: Subject, classes: Classes) -> None:
    """Refuses pictures among which a class of the network's is missing: nothing could be learned of it.

    Raises:
        InputError: one is.
    """
    missing = np.setdiff1d(np.arange(subject.outputs), classes)
    if len(missing):
        labels = subject.model.metadata.labels
        name = labels[missing[0]] if labels else f"number {missing[0]}"
        more = f" and of {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(
            f"found no picture of the class {name!r}{more}, expected some of each of {subject.outputs}; or learn from "
            "the network's own answers (--format pictures, with all of them in one folder)"
        )
