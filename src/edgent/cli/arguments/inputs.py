"""What `edgent run` is given: pictures, arrays, and folders of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.errors import InputError
from edgent.files import is_file, is_folder, read_bytes

if TYPE_CHECKING:
    from edgent.arrays import Array
    from edgent.model import Model

_DECODED = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm"}
_FOREIGN = {".tif", ".tiff"}  # pictures that no decoder of ours takes: named, not passed over in silence
_ARRAYS = {".npy", ".npz"}
_LARGEST_PICTURE = 256 << 20  # bytes
_WIDEST = 8  # bytes of a number, so that one of another type than the model's is told apart by its type


def input_files(paths: Sequence[Path]) -> list[Path]:
    """Every file that is named, and in folders those that end like a picture or an array, in order.

    Raises:
        InputError: a path that is not there, or a folder without any.
    """
    return [file for path in paths for file in _files(path)]


def read_input(file: Path, model: Model) -> bytes | Array | dict[str, Array]:
    """A picture's bytes, or arrays; no more of them than the model takes.

    Raises:
        InputError: it cannot be read, or is too large; arrays also where they are damaged.
    """
    if not is_file(file):  # a link that leads nowhere; or a pipe, on which nobody may ever write
        raise InputError(f"{file}: is no file that can be read; expected a picture, .npy or .npz")
    if file.suffix.lower() not in _ARRAYS:
        return read_picture(file)
    from edgent.arrays import read_arrays

    return read_arrays(file, _takes(model))


def read_picture(file: Path) -> bytes:
    """The bytes of a picture.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        return read_bytes(file, _LARGEST_PICTURE)
    except InputError as error:
        raise InputError(f"{file}: {error}; expected an image file") from None


def _files(path: Path) -> list[Path]:
    if is_file(path):
        return [path]
    if not is_folder(path):
        raise InputError(f"{path}: no such file or folder")
    try:
        found = sorted(file for file in path.iterdir() if _is_input(file))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not found:
        raise InputError(f"{path}: no images and no .npy or .npz files in this folder")
    return found


def _is_input(file: Path) -> bool:
    ends_like_one = file.suffix.lower() in _DECODED | _FOREIGN | _ARRAYS
    return ends_like_one and not file.name.startswith(".") and not is_folder(file)


def _takes(model: Model) -> int:
    """Bytes that a model's inputs may have; where a size is free or text, what any file may have."""
    from edgent.arrays import MOST

    sizes = [
        math.prod(tensor.shape) * _WIDEST if tensor.shape is not None and tensor.nbytes is not None else MOST
        for tensor in model.inputs
    ]
    return min(sum(sizes), MOST)
