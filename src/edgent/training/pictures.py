"""A part of a data set, and a picture as a network's input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.codec import fit, normalise
from edgent.engine.feeds import Array
from edgent.evaluation.data.examples import Examples, PictureFiles, Pixels, Truth
from edgent.model import Preprocessing
from edgent.training.split import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePart:
    """Some pictures of a data set; see `Examples`.

    Attributes:
        whole: the data set.
        rows: of it, in rising order.
        name: what they are.
        is_labelled: whether what is right about them is told.
    """

    whole: Examples
    rows: NDArray[np.intp]
    name: str
    is_labelled: bool = True

    @property
    def class_names(self) -> tuple[str, ...]:
        """See `Examples`."""
        return self.whole.class_names

    @property
    def truths(self) -> Sequence[Truth]:
        """See `Examples`."""
        return [self.whole.truths[row] if self.is_labelled else None for row in self.rows]

    @property
    def shapes(self) -> Sequence[tuple[int, int]]:
        """See `Examples`."""
        return [self.whole.shapes[row] for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, row: int) -> Pixels:
        """See `Examples`."""
        return self.whole.pixels(int(self.rows[row]))

    def source(self, row: int) -> bytes:
        """See `Examples`."""
        return self.whole.source(int(self.rows[row]))


Say = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and the whole."""


def measuring_part(examples: Examples, split: Split, test: Examples | None) -> PicturePart:
    """The pictures that something is measured on: others, or those that were held back."""
    if test is not None:
        return PicturePart(whole=test, rows=np.arange(len(test)), name=test.name)
    return PicturePart(whole=examples, rows=split.measuring, name=f"{examples.name}, a tenth held back")


def without_labels(examples: Examples) -> PicturePart:
    """The same pictures, of which nobody says what they show."""
    return PicturePart(whole=examples, rows=np.arange(len(examples)), name=examples.name, is_labelled=False)


def input_of(pixels: Pixels, form: Preprocessing) -> Array:
    """The network's input to a picture, as a request's would be."""
    return normalise(fit(pixels, form), form)


def stamp_of(examples: Examples) -> str:
    """Tells whether pictures are still those of an earlier run, without a look into them."""
    total = hashlib.sha256(repr((examples.name, examples.class_names, examples.shapes, examples.truths)).encode())
    for file in examples.files if isinstance(examples, PictureFiles) else ():
        stat = file.stat()
        total.update(f"{file} {stat.st_size} {stat.st_mtime_ns}".encode())
    return total.hexdigest()
