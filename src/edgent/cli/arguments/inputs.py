"""What `edgent run` is given: pictures, arrays, and folders of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgent.engine.input_files import ARRAYS
from edgent.errors import InputError
from edgent.files import is_file, is_folder

_DECODED = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm"}
_FOREIGN = {".tif", ".tiff"}  # pictures that no decoder of ours takes: named, not passed over in silence


def input_files(paths: Sequence[Path]) -> list[Path]:
    """Every file that is named, and in folders those that end like a picture or an array, in order.

    Raises:
        InputError: a path that is not there, or a folder without any.
    """
    return [file for path in paths for file in _files(path)]


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
    ends_like_one = file.suffix.lower() in _DECODED | _FOREIGN | ARRAYS
    return ends_like_one and not file.name.startswith(".") and not is_folder(file)
