"""What the device gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec import most_pixels, picture_size, visible_region
from edgent.errors import InputError
from edgent.model.metadata import Metadata
from edgent.model.tasks.results import NOT_SEEN, Boxes, ClassScore, best, mask_seen_through, name_of
from edgent.telemetry import Record

_BEST = 5  # classes that a document names
_FEW = 8  # numbers that are told themselves; of more, how many there are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Answer:
    """An answer and its record.

    Attributes:
        outputs: the exit's tensors by name; a sequence or a map is as the engine gives it, a list.
        label: the class of the highest score, where the model names its classes.
        record: what happened.
        metadata: what the model says of its answers.
        source: the bytes of the picture that was asked about; None: it was arrays.
    """

    outputs: dict[str, NDArray[Any]]
    label: str | None
    record: Record
    metadata: Metadata
    source: bytes | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it holds."""
        return len(self.source or b"") + sum(getattr(array, "nbytes", 0) for array in self.outputs.values())

    @property
    def first(self) -> NDArray[Any]:
        """The exit's first output."""
        return next(iter(self.outputs.values()))

    @property
    def scores(self) -> NDArray[Any]:
        """The exit's first output, flat."""
        return self.first.ravel()

    def top(self, count: int = 5) -> list[ClassScore]:
        """The classes of the highest scores, the best first.

        Raises:
            InputError: the task of the model is another than classification.
        """
        self._check("classification", unless_unknown=True)
        return best(self.scores, self.metadata.labels, count)

    @property
    def boxes(self) -> Boxes:
        """What was detected; in the picture's own pixels, upright, or in those of the input where it was no picture.

        Raises:
            InputError: the task of the model is another than detection.
        """
        self._check("detection")
        boxes = Boxes.of_answer(self.first, self.metadata.labels)
        if (seen := self._seen()) is None or self.metadata.preprocessing is None:
            return boxes
        return boxes.seen_through(seen[0], self.metadata.preprocessing.size, seen[1])

    @property
    def mask(self) -> NDArray[np.uint8]:
        """The class of each pixel [height, width] of the picture, or of the output where it was no picture.

        Raises:
            InputError: the task of the model is another than segmentation.
        """
        self._check("segmentation")
        seen = self._seen()
        return self.first if seen is None else mask_seen_through(self.first, *seen)

    @property
    def embedding(self) -> NDArray[Any]:
        """The vector.

        Raises:
            InputError: the task of the model is another than embedding.
        """
        self._check("embedding")
        return self.scores

    @property
    def not_finite(self) -> int:
        """How many numbers of the answer are NaN or infinite; of a mask, how many pixels have no class for that.

        Of a detector it is one where any number that it makes boxes of is NaN.
        """
        if self.metadata.task == "segmentation":
            return int((self.first == NOT_SEEN).sum())
        floats = [array for array in self.outputs.values() if isinstance(array, np.ndarray) and array.dtype.kind == "f"]
        return sum(int(array.size - np.isfinite(array).sum()) for array in floats)

    def document(self) -> dict[str, Any]:
        """The result as JSON has it; numbers that are none are null."""
        result: dict[str, Any]
        match self.metadata.task:
            case "detection":
                result = {"boxes": [_box(*box) for box in self.boxes]}
            case "segmentation":
                result = {"mask": _mask(self.mask, self.metadata.labels)}
            case "embedding":
                result = {"embedding": {"size": self.scores.size}}
            case "classification":
                result = {"top": [_score(score) for score in self.top(_BEST)]}
            case None if self.label is not None:
                result = {"top": [_score(score) for score in self.top(_BEST)]}
            case _:
                result = {"outputs": {name: _output(array) for name, array in self.outputs.items()}}
        return result | ({"not_finite": count} if (count := self.not_finite) else {})

    def kept(self) -> Record:
        """The record with the result in it."""
        return replace(self.record, result=self.document())

    def __repr__(self) -> str:
        record = self.record
        return f"<Answer {self.label!r} by the {record.by}, exit {record.exit}, in {record.total * 1e3:.1f} ms>"

    def _check(self, task: str, *, unless_unknown: bool = False) -> None:
        own = self.metadata.task
        if own != task and not (unless_unknown and own is None):
            raise InputError(f"the model's task is {own or 'unknown'}, expected {task}; its tensors are in `outputs`")

    def _seen(self) -> tuple[tuple[float, float, float, float], tuple[int, int]] | None:
        """What the model saw of the picture, and the picture's height and width; None where there is none."""
        if self.source is None or self.metadata.preprocessing is None:
            return None
        size = picture_size(self.source, max_pixels=most_pixels(self.metadata.preprocessing))
        return visible_region(size, self.metadata.preprocessing), size


def _box(xyxy: tuple[float, ...], cls: int, name: str, score: float) -> dict[str, Any]:
    return {"xyxy": [_number(round(x, 2)) for x in xyxy], "score": _number(score), "class": cls, "label": name}


def _score(score: ClassScore) -> dict[str, Any]:
    return {"class": score.cls, "label": score.name, "score": _number(score.score)}


def _mask(mask: NDArray[np.uint8], labels: tuple[str, ...]) -> dict[str, Any]:
    numbers, counts = np.unique(mask, return_counts=True)
    classes = [
        {"class": int(number), "label": name_of(labels, int(number)), "share": round(float(count) / mask.size, 6)}
        for number, count in sorted(zip(numbers, counts, strict=True), key=lambda pair: -pair[1])
        if number != NOT_SEEN
    ]
    return {"height": mask.shape[0], "width": mask.shape[1], "classes": classes}


def _output(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        # All of it: where an answer is kept, no file of arrays can hold a sequence or a map.
        return {"type": type(value).__name__, "length": len(value), "values": _nested(value)}
    said: dict[str, Any] = {"dtype": value.dtype.name, "shape": list(value.shape)}
    if value.size <= _FEW and value.dtype.kind in "biufOU":
        said["values"] = _nested(value.ravel().tolist())
    return said


def _nested(value: Any) -> Any:
    """Sequences, maps and what is in them as JSON has it."""
    match value:
        case dict():
            return {str(key): _nested(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_nested(inner) for inner in value]
        case np.ndarray():
            return _output(value)
        case float():
            return _number(value)
    return value


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
