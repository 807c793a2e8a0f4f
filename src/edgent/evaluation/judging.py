"""By which measure answers are judged, and beside what: labels, a reference, or the model itself, undivided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgent.codec import MeasureName, decode_pixels
from edgent.engine.feeds import Array
from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.evaluation.data.examples import TrueBoxes
from edgent.evaluation.measures.average_precision import MeanAveragePrecision
from edgent.evaluation.measures.boxes import SameBoxes
from edgent.evaluation.measures.likeness import Cosine, SameLabel
from edgent.evaluation.measures.masks import IGNORED, Mask, MeanIoU, SamePixels
from edgent.evaluation.measures.measure import Measure
from edgent.evaluation.reading import Reader, form_of, reader_of, task_of
from edgent.evaluation.scoring import Scorer

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.evaluation.data.examples import Examples
    from edgent.model import Model, Task

_SHOW: dict[type, Task] = {int: "classification", TrueBoxes: "detection"}
_LABELS: dict[Task, str] = {"classification": "classes", "detection": "boxes", "segmentation": "masks"}

_OF_ONE_FORM = ("detection", "segmentation")
"""Tasks whose answers are compared in the picture's own pixels, however many there are."""


class Judgement(NamedTuple):
    """How answers are judged.

    Attributes:
        measure: judges them.
        name: what its numbers are.
        reference: the model that they are compared with; empty for labels.
        read: reads the answers.
    """

    measure: Measure[Any]
    name: MeasureName
    reference: str
    read: Reader

    def judge(self, outputs: Sequence[Array], row: int) -> Any:
        """The verdict on an exit's outputs to a picture."""
        return self.measure.judge(self.read(outputs, row), row)


def judgement_of(model: Model, examples: Examples, engine: Engine, reference: Model | None = None) -> Judgement:
    """Labels where there are some, else the model's own answers when nothing is lost on the way.

    A reference that is named takes the place of both. The model's own answers are those of its last exit.

    Args:
        model: whose answers are judged.
        examples: what it is given.
        engine: runs the model that answers are compared with.
        reference: another model.

    Raises:
        InputError: labels that do not fit the answers, or a reference that answers something else.
    """
    read = reader_of(model, examples)
    if reference is None and all(truth is not None for truth in examples.truths):
        return Judgement(_by_labels(model, examples), "accuracy", "", read)
    if reference is not None:
        _check_relatives(model, reference)
    # Without labels the last exit of the other model, or of this one undivided, stands for the truth.
    other = reference or model
    answers = Scorer(other, engine, examples, reader_of(other, examples)).score().verdicts[-1]
    return Judgement(_beside(task_of(model), answers), "agreement" if reference else "fidelity", other.name, read)


def _by_labels(model: Model, examples: Examples) -> Measure[Any]:
    # A path stands for a mask, which is read only when its picture is judged.
    task = task_of(model)
    labels = {_LABELS[_SHOW.get(type(truth), "segmentation")] for truth in examples.truths}
    if labels != {_LABELS.get(task)}:
        raise InputError(
            f"{examples.name}: found {' and '.join(sorted(labels))} as labels, but the task of {model.name} is {task}: "
            "say what it answers in its configuration (task), or give data that fit"
        )
    if task == "detection":
        return MeanAveragePrecision(_true_boxes(model, examples))
    if task == "segmentation":
        return MeanIoU(lambda row: _true_mask(examples, row), IGNORED)
    return SameLabel(true_labels(model, examples), "top-1")


def _beside(task: Task, answers: Sequence[Any]) -> Measure[Any]:
    """The measure of answers beside other answers; where no task is known, all their numbers are compared."""
    if task == "classification":
        return SameLabel(answers, "same label")
    if task == "detection":
        return SameBoxes(answers)
    return SamePixels(lambda row: answers[row]) if task == "segmentation" else Cosine(answers)


def true_labels(model: Model, examples: Examples) -> list[int]:
    """The model's index of each picture's class.

    Raises:
        InputError: classes that the model does not know, or not as many as it gives scores.
    """
    places = _places(model, examples)
    labels = [truth if places is None else places[truth] for truth in examples.truths if isinstance(truth, int)]
    for branch in model.branches:
        shape = branch.outputs[0].shape
        scores = None if shape is None else int(np.prod(shape))
        # Data sets number classes as they please; without names on both sides only the numbers can be compared.
        if scores is not None and (max(labels) >= scores or (len(model.metadata.labels) or scores) != scores):
            raise InputError(
                f"exit {branch.exit} of {model.name} gives {scores} scores, expected one for each of "
                f"{len(model.metadata.labels) or max(labels) + 1} classes"
            )
        if scores is not None and places is None and examples.class_names and len(examples.class_names) != scores:
            raise InputError(
                f"exit {branch.exit} of {model.name} gives {scores} scores and no names of classes, expected one for "
                f"each of the {len(examples.class_names)} classes of {examples.name}: add labels to its configuration"
            )
    return labels


def _true_boxes(model: Model, examples: Examples) -> list[TrueBoxes]:
    boxes = [truth for truth in examples.truths if isinstance(truth, TrueBoxes)]
    if not any(len(truth.classes) for truth in boxes):
        raise InputError(f"{examples.name}: found no box in any picture, expected some to look for")
    places = _places(model, examples)
    if places is None:
        return boxes
    return [
        TrueBoxes(corners=truth.corners, classes=np.array([places[k] for k in truth.classes.tolist()], np.int64))
        for truth in boxes
    ]


def _places(model: Model, examples: Examples) -> list[int] | None:
    """The model's index of each of the data's classes, by their names; None where one of both names none.

    Raises:
        InputError: a class that the model does not know.
    """
    known, asked = model.metadata.labels, examples.class_names
    if not known or not asked:
        return None
    # Names are compared without case and margins, which exporters and data sets write differently.
    places = {name.strip().lower(): place for place, name in enumerate(known)}
    unknown = [name for name in asked if name.strip().lower() not in places]
    if unknown:
        raise InputError(
            f"{examples.name}: found the class {unknown[0]!r}, which {model.name} does not know: expected some of its "
            f"{len(known)} labels, {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
        )
    return [places[name.strip().lower()] for name in asked]


def _true_mask(examples: Examples, row: int) -> Mask:
    path = examples.truths[row]
    assert isinstance(path, Path)
    # A mask is a picture whose grey is the class: any of its three equal channels.
    mask: Mask = decode_pixels(read_picture(path))[:, :, 0]
    if mask.shape != tuple(examples.shapes[row]):
        (height, width), size = examples.shapes[row], f"{mask.shape[1]} x {mask.shape[0]}"
        raise InputError(f"{path}: found a mask of {size}, its picture is {width} x {height}")
    return mask


def _check_relatives(model: Model, reference: Model) -> None:
    """Makes sure that two models answer the same question."""
    form_of(reference)
    labels, others = model.metadata.labels, reference.metadata.labels
    shapes = [[output.shape for output in relative.branches[-1].outputs] for relative in (model, reference)]
    # Agreement is only a measure between models of one question: else every plan would look poor, and none would be.
    if task_of(model) != task_of(reference):
        differs = f"the task {task_of(reference)}, expected {task_of(model)}"
    elif labels and others and labels != others:
        differs = f"the labels {_few(others)}, expected {_few(labels)}"
    elif task_of(model) not in _OF_ONE_FORM and shapes[0] != shapes[1]:
        differs = f"answers of the shape {_shapes(shapes[1])}, expected {_shapes(shapes[0])}"
    else:
        return
    raise InputError(
        f"{reference.name} is no reference for {model.name}: found {differs}; "
        "name a model that answers the same question"
    )


def _few(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:3])}, ... ({len(labels)})"


def _shapes(shapes: Sequence[tuple[int, ...] | None]) -> str:
    return " and ".join(str(None if shape is None else list(shape)) for shape in shapes)
