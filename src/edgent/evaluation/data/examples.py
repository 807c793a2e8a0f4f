"""Pictures with what is right about them; each is read when it is needed, so any number of any size will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgent.codec import CodecError, decode_pixels
from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.profiling.timing import Progress

Pixels = NDArray[np.uint8]
"""RGB, shape [height, width, 3]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueBoxes:
    """What stands in a picture and where.

    Attributes:
        corners: x1, y1, x2, y2 of each box, shape (n, 4), in the picture's pixels; as fractions of it if `relative`.
        classes: index of each box's class, shape (n,).
        relative: whether the corners are fractions of width and height.
    """

    corners: NDArray[np.float64]
    classes: NDArray[np.int64]
    relative: bool = False

    def in_pixels(self, shape: tuple[int, int]) -> TrueBoxes:
        """The same in pixels of a picture of that height and width."""
        height, width = shape
        factor = [width, height, width, height] if self.relative else [1, 1, 1, 1]
        return TrueBoxes(corners=self.corners * factor, classes=self.classes)


Truth = int | TrueBoxes | Path | None
"""What is right about a picture: a class, boxes, the file of a mask with a class for each pixel; None: nobody said."""


class Examples(Protocol):
    """Some pictures, and what is right about them.

    Attributes:
        name: what they are, for print: "CIFAR-10 test".
        class_names: what class indices mean; empty where nobody said.
        truths: one for each picture.
        shapes: height and width of each picture.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - above
    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def truths(self) -> Sequence[Truth]: ...  # noqa: D102
    @property
    def shapes(self) -> Sequence[tuple[int, int]]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def pixels(self, row: int) -> Pixels:
        """A picture, decoded."""
        ...

    def source(self, row: int) -> bytes:
        """A picture's file, as it came."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A picture's file as a data set lists it, not opened yet."""

    path: Path
    truth: Truth = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder holds, before any picture is opened.

    Attributes:
        name: of the data.
        format: in which they lie.
        class_names: as in `Examples`.
        files: the pictures.
        doubts: what seems wrong, a line for each kind.
    """

    name: str
    format: str
    files: tuple[Listed, ...]
    class_names: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFiles:
    """Examples whose pictures are files that can be opened; see `Examples`."""

    name: str
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    truths: tuple[Truth, ...]
    shapes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.files)

    def pixels(self, row: int) -> Pixels:
        """See `Examples`."""
        return decode_pixels(self.source(row))

    def source(self, row: int) -> bytes:
        """See `Examples`."""
        return read_picture(self.files[row])

    def __repr__(self) -> str:
        return f"<PictureFiles {len(self)} of {self.name}, {len(self.class_names)} classes>"


def opened(
    listing: Listing, *, refused: Callable[[str], None] = lambda _: None, progress: Progress | None = None
) -> PictureFiles:
    """Opens every picture once, to learn its size; those that are none are named and left out.

    Args:
        listing: what to open.
        refused: told of each file that is no picture.
        progress: called with the files opened and their number.

    Raises:
        InputError: no picture is left.
    """
    kept: list[Listed] = []
    shapes: list[tuple[int, int]] = []
    for done, file in enumerate(listing.files, start=1):
        try:
            height, width, _ = decode_pixels(read_picture(file.path)).shape
        except (CodecError, InputError) as error:
            refused(f"{file.path}: {error}")
        else:
            kept.append(replace(file, truth=_in_pixels(file.truth, (height, width))))
            shapes.append((height, width))
        if progress:
            progress(done, len(listing.files))
    if not kept:
        raise InputError(f"{listing.name}: found no picture that can be opened, expected some; see docs/own-data.md")
    return PictureFiles(
        name=listing.name,
        class_names=listing.class_names,
        files=tuple(file.path for file in kept),
        truths=tuple(file.truth for file in kept),
        shapes=tuple(shapes),
    )


def _in_pixels(truth: Truth, shape: tuple[int, int]) -> Truth:
    return truth.in_pixels(shape) if isinstance(truth, TrueBoxes) else truth
