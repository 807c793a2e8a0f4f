"""Answers as those who use them want them: boxes, masks and the best classes. NumPy arrays, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NOT_SEEN = 255
"""In a mask: a pixel that was cut off before the model saw it, or whose scores are NaN."""


class ClassScore(NamedTuple):
    """A class and how sure the model is of it: its number, its name ("" without one), and the score."""

    cls: int
    name: str
    score: float


class Box(NamedTuple):
    """One box: x1, y1, x2, y2 in pixels, its class by number and name, and the score."""

    xyxy: tuple[float, float, float, float]
    cls: int
    name: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Boxes:
    """The boxes of an answer, the best first; of a picture, in its own pixels.

    Attributes:
        data: float32 [n, 6]: x1, y1, x2, y2, score, class.
        labels: names of the classes, by number; empty: they have none.
    """

    data: Floats
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Box]:
        for row, name in zip(self.data.tolist(), self.names, strict=True):
            yield Box(xyxy=(row[0], row[1], row[2], row[3]), cls=int(row[5]), name=name, score=row[4])

    def __repr__(self) -> str:
        return f"<Boxes {counted([in_a_word(box.name, box.cls) for box in self]) or 'none'}>"

    @classmethod
    def of_answer(cls, rows: Floats, labels: tuple[str, ...] = ()) -> Boxes:
        """The boxes of an answer: without the row that only says that numbers were NaN."""
        return cls(data=rows[~np.isnan(rows[:, 4])], labels=labels)

    @property
    def xyxy(self) -> Floats:
        """Two corners of each box: [n, 4]."""
        return self.data[:, :4]

    @property
    def xywh(self) -> Floats:
        """Centre, width and height of each box: [n, 4]."""
        low, high = self.data[:, :2], self.data[:, 2:4]
        return np.concatenate([(low + high) / 2, high - low], axis=1)

    @property
    def conf(self) -> Floats:
        """Scores: [n]."""
        return self.data[:, 4]

    @property
    def cls(self) -> NDArray[np.int64]:
        """Classes by number: [n]."""
        return self.data[:, 5].astype(np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each box's class; empty where it has none."""
        return tuple(name_of(self.labels, number) for number in self.cls.tolist())

    def seen_through(
        self, window: tuple[float, float, float, float], size: tuple[int, int], picture: tuple[int, int]
    ) -> Boxes:
        """The same boxes in the pixels of a picture, none larger than it.

        Args:
            window: left, top, right and bottom of what the model saw, in the picture's pixels.
            size: height and width of the model's input.
            picture: height and width of the picture.
        """
        left, top, right, bottom = window
        scale = np.array([(right - left) / size[1], (bottom - top) / size[0]] * 2)
        corners = self.data[:, :4] * scale + np.array([left, top] * 2)
        corners = np.clip(corners, 0, np.array([picture[1], picture[0]] * 2))
        return replace(self, data=np.concatenate([corners, self.data[:, 4:]], axis=1).astype(np.float32))

    def laid_on(self, window: tuple[float, float, float, float], size: tuple[int, int]) -> Boxes:
        """A picture's boxes in the pixels of a model's input: `seen_through` the other way round."""
        left, top, right, bottom = window
        scale = np.array([size[1] / (right - left), size[0] / (bottom - top)] * 2)
        corners = (self.data[:, :4] - np.array([left, top] * 2)) * scale
        return replace(self, data=np.concatenate([corners, self.data[:, 4:]], axis=1).astype(np.float32))


def mask_seen_through(
    mask: NDArray[np.uint8], window: tuple[float, float, float, float], picture: tuple[int, int]
) -> NDArray[np.uint8]:
    """A mask [height, width] of what the model saw, for each pixel of the picture; `NOT_SEEN` where it saw nothing."""
    left, top, right, bottom = window
    rows = (np.arange(picture[0]) + 0.5 - top) / (bottom - top) * mask.shape[0]
    columns = (np.arange(picture[1]) + 0.5 - left) / (right - left) * mask.shape[1]
    inside = ((rows >= 0) & (rows < mask.shape[0]))[:, None] & ((columns >= 0) & (columns < mask.shape[1]))
    down, across = (
        np.clip(places, 0, size - 1).astype(np.intp) for places, size in zip((rows, columns), mask.shape, strict=True)
    )
    return np.where(inside, mask[down[:, None], across], np.uint8(NOT_SEEN))


def best(scores: NDArray[Any], labels: Sequence[str], count: int) -> list[ClassScore]:
    """The classes of the highest scores; what is no number comes last."""
    known = np.where(np.isnan(scores), -np.inf, scores.astype(np.float64))
    order = np.argsort(-known, kind="stable")[:count]
    return [ClassScore(cls=int(at), name=name_of(labels, int(at)), score=float(scores[at])) for at in order]


def in_a_word(name: str, number: int) -> str:
    """What a class is called where people read it."""
    return name or f"class {number}"


def counted(names: Sequence[str]) -> str:
    """Names with how many there are of each, in the order of the first: "2 person, dog"."""
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())


def name_of(labels: Sequence[str], number: int) -> str:
    """A class's name; empty where it has none."""
    return labels[number] if 0 <= number < len(labels) else ""
