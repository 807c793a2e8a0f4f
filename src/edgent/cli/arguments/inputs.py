"""What `edgent run` is given: pictures, arrays, folders of them, and pictures from stdin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

from edgent.engine.input_files import ARRAYS, read_input
from edgent.engine.jpeg_stream import pictures
from edgent.errors import InputError
from edgent.files import is_file, is_folder
from edgent.text import readable

if TYPE_CHECKING:
    from edgent.engine.material import Input
    from edgent.model import Model

STDIN = Path("-")
"""In the place of a path: JPEG pictures from standard input, one after another."""

_DECODED = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm"}
_FOREIGN = {".tif", ".tiff"}  # pictures that no decoder of ours takes: named, not passed over in silence


class GivenInput(NamedTuple):
    """One input, which is read when its turn comes.

    Attributes:
        name: as answers and messages call it.
        named: whether it was named itself, and not found in a folder or a stream.
        read: what the model is to be given; raises InputError where there is no such thing.
    """

    name: str
    named: bool
    read: Callable[[Model], Input]


def given_inputs(paths: Sequence[Path], stdin: BinaryIO) -> Iterator[GivenInput]:
    """Every input in its order; those of stdin as they come.

    Raises:
        InputError: as `input_files`, before anything is read.
    """
    sources = [path if path == STDIN else input_files([path]) for path in paths]
    return chain.from_iterable(
        _from_stream(stdin) if isinstance(files, Path) else _from_files(files, paths) for files in sources
    )


def _from_files(files: Sequence[Path], paths: Sequence[Path]) -> Iterator[GivenInput]:
    for file in files:
        yield GivenInput(name=readable(file), named=file in paths, read=partial(read_input, file))


def _from_stream(stdin: BinaryIO) -> Iterator[GivenInput]:
    """The pictures of a stream; what is wrong with the stream is wrong with the last of them."""
    try:
        for number, picture in enumerate(pictures(stdin), start=1):
            yield GivenInput(name=f"stdin-{number}", named=False, read=partial(_same, picture))
    except InputError as error:
        problem = InputError(f"stdin: {error}")
        yield GivenInput(name="stdin", named=False, read=partial(_raise, problem))


def _same(picture: bytes, model: Model) -> bytes:
    return picture


def _raise(problem: InputError, model: Model) -> NoReturn:
    raise problem


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
        inputs = sorted(file for file in path.iterdir() if _is_input(file))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not inputs:
        raise InputError(f"{path}: no images and no .npy or .npz files in this folder")
    return inputs


def _is_input(file: Path) -> bool:
    ends_like_one = file.suffix.lower() in _DECODED | _FOREIGN | ARRAYS
    return ends_like_one and not file.name.startswith(".") and not is_folder(file)
