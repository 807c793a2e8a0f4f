"""Inputs from files: a picture's bytes, or the arrays of .npy and .npz."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.errors import InputError
from edgent.files import is_file, read_regular

if TYPE_CHECKING:
    from edgent.engine.feeds import Array
    from edgent.model import Model, Tensor

ARRAYS = {".npy", ".npz"}
"""How names of files end that hold arrays."""

_LARGEST_PICTURE = 256 << 20  # bytes
_LEAST = 16 << 20  # bytes of arrays that are read at any rate: a batch too large is refused by its shape
_WIDEST = 8  # bytes of a number, so that one of another type than the model's is told apart by its type


def read_input(file: Path, model: Model) -> bytes | Array | dict[str, Array]:
    """A picture's bytes, or arrays; no more of them than the model takes.

    Raises:
        InputError: it cannot be read, or is too large; arrays also where they are damaged.
    """
    if not is_file(file):  # a link that leads nowhere; or a pipe, on which nobody may ever write
        raise InputError(f"{file}: is no file that can be read; expected a picture, .npy or .npz")
    if file.suffix.lower() not in ARRAYS:
        return read_picture(file)
    from edgent.arrays import read_arrays  # what it needs, pictures do not

    return read_arrays(file, _takes(model))


def read_picture(file: Path) -> bytes:
    """The bytes of a picture.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        return read_regular(file, _LARGEST_PICTURE)
    except InputError as error:
        raise InputError(f"{file}: {error}; expected an image file") from None


def _takes(model: Model) -> int:
    """Bytes that a model's inputs may have; where a size is free, text or configured, what any file may have."""
    from edgent.arrays import MOST

    sizes = [MOST if _is_open(tensor, model) else math.prod(tensor.shape or ()) * _WIDEST for tensor in model.inputs]
    return min(max(sum(sizes), _LEAST), MOST)


def _is_open(tensor: Tensor, model: Model) -> bool:
    return tensor.shape is None or tensor.nbytes is None or tensor.name in model.metadata.inputs
