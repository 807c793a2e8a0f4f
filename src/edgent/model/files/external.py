"""Constants that a model keeps in other files: where these may lie, and their bytes.

A file names them by a path, so a hostile one could name any file of whoever opens it. Only what came with the model is
read: a file in the model's folder or below it, or, in a hub's cache, in the folder of blobs of the same download:

    DOWNLOAD/snapshots/REVISION/model.onnx       -> DOWNLOAD/blobs/8a1c...
    DOWNLOAD/snapshots/REVISION/model.onnx_data  -> DOWNLOAD/blobs/f03d...

There model and data are links, and what they lead to must lie side by side in `blobs`. A file of several hard links is
read when all its names are inside too: one outside might be a file that somebody else's archive has linked here.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import onnx

from edgent.errors import ModelError

_PIECE = 1 << 20
_MOST_FILES = 10_000  # that are looked at to find the names of a file


class Place(NamedTuple):
    """Where the bytes of a constant stand; `length` is None where the file does not say."""

    location: str
    offset: int
    length: int | None


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether the bytes of a constant lie in another file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def locations(tensors: Iterable[onnx.TensorProto]) -> tuple[str, ...]:
    """The files that constants lie in, by their paths from the model's folder."""
    return tuple(sorted({posixpath.normpath(place(tensor).location) for tensor in tensors if is_external(tensor)}))


def place(tensor: onnx.TensorProto) -> Place:
    """The place in another file at which a constant says that it lies.

    Raises:
        ModelError: it says no path, or its numbers are none.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    numbers = [entries.get(key) or None for key in ("offset", "length")]
    # Digits only, and fewer than 20 of them: Python's int would also take signs, spaces, underscores and a million
    # digits.
    if not entries.get("location") or not all(
        n is None or (n.isascii() and n.isdigit() and len(n) < 20) for n in numbers
    ):
        raise ModelError(f"constant {tensor.name!r} says it is in another file, but not where; export the model again")
    offset, length = (None if number is None else int(number) for number in numbers)
    return Place(entries["location"], offset or 0, length)


def check(path: Path, sizes: Iterable[tuple[onnx.TensorProto, int]]) -> None:
    """Makes sure that all files that a model names are there and came with it.

    Args:
        path: the model's file.
        sizes: its constants that lie in other files, each with its bytes.

    Raises:
        ModelError: a file that is missing, too short, or outside the download.
    """
    files: dict[str, int] = {}
    for tensor, size in sizes:
        where = place(tensor)
        if where.location not in files:
            files[where.location] = _checked(path, where.location)
        if where.length not in (None, size) or where.offset + size > files[where.location]:
            raise ModelError(
                f"{path}: external data {where.location!r} ends before constant {tensor.name!r}, which takes "
                f"{size:,} bytes from {where.offset:,}; copy it again"
            )


def read(tensor: onnx.TensorProto, source: Path, size: int) -> Iterator[bytes]:
    """The bytes of a constant of a checked model, in pieces.

    Args:
        tensor: which.
        source: the model's folder.
        size: how many.

    Raises:
        ModelError: the file was removed or truncated since it was checked.
    """
    where, left = place(tensor), size
    try:
        with (source / where.location).open("rb") as stream:
            stream.seek(where.offset)
            while left and (piece := stream.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise ModelError(
            f"external data {where.location!r} cannot be read ({error.strerror}); copy it again"
        ) from error
    if left:
        raise ModelError(f"external data {where.location!r} ends before constant {tensor.name!r}; copy it again")


def _checked(path: Path, location: str) -> int:
    """The size of a file that came with the model."""
    try:
        # Resolved, so that neither ".." nor a symbolic link leads out unseen.
        file = (path.parent / location).resolve()
        download = _download(path, location, file)
        is_there = file.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # links in a circle, a path with a zero byte or too long
        raise ModelError(f"{path}: external data {location[:80]!r} is no path to a file") from error
    if download is None:
        raise ModelError(f"{path}: a constant points outside the model's folder ({location[:80]!r}); refused")
    if not is_there:
        raise ModelError(f"{path}: external data {location!r} is missing; put it beside the model")
    if not _all_names_inside(file, download):
        raise ModelError(f"{path}: external data {location!r} is a hard link to a file outside its folder; copy it")
    return file.stat().st_size


def _download(path: Path, location: str, file: Path) -> Path | None:
    """The folder that came with the model, and that holds this file; None where it lies elsewhere."""
    folder, blobs = path.parent.resolve(), path.resolve().parent
    if Path(location).is_absolute():
        return None
    if file.is_relative_to(folder):
        return folder
    # In a hub's cache the model itself is a link into the folder of blobs, and so must be its data.
    is_hub = blobs.name == "blobs" and folder.is_relative_to(blobs.parent / "snapshots")
    return blobs if is_hub and file.parent == blobs else None


def _all_names_inside(file: Path, download: Path) -> bool:
    links = file.stat().st_nlink
    if links == 1:
        return True
    # Bounded: a model may lie in a folder of millions of files.
    names = (name for name in islice(download.rglob("*"), _MOST_FILES) if not name.is_symlink() and name.is_file())
    return sum(os.path.samestat(name.stat(), file.stat()) for name in names) == links
