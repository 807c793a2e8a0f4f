"""NumPy's files, from anybody: a header is read and checked before memory is taken for what it promises.

`numpy.load` believes a header of ten terabytes, and unpacks what a compressed member has, however much that is.
"""

from __future__ import annotations

import ast
import math
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.units import format_bytes

Array = NDArray[Any]

MOST = 1 << 30
"""Bytes of all arrays of a file, unless told otherwise."""

_MAGIC = b"\x93NUMPY"
_NAMEABLE = 10**18  # bytes; what more is promised no float need hold
_LONGEST_HEADER = 10_000  # bytes, as numpy has it
_ZIP = b"PK"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes
_TYPES = re.compile(r"[<>|=](?:[biufc](?:1|2|4|8|16|32)|[SU][0-9]{1,9})")  # numbers, truths and text
_LAST_CHARACTER, _HALVES = 0x10FFFF, (0xD800, 0xDFFF)
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def read_arrays(path: Path, most: int = MOST) -> Array | dict[str, Array]:
    """The array of a `.npy` file, or those of a `.npz` by name; which one, its content tells.

    Args:
        path: The file.
        most: Bytes that its arrays may have together.

    Returns:
        In this machine's byte order, rows first; perhaps read-only.

    Raises:
        InputError: it cannot be read, is no such file or a damaged one, holds more, or holds Python objects.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_ZIP)) == _ZIP:
                return _members(file, most)
            file.seek(0)
            return _array(file, os.fstat(file.fileno()).st_size, most)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except InputError as error:
        raise InputError(f"{path}: {error}; expected what numpy.save or numpy.savez wrote") from None


def _members(file: IO[bytes], most: int) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                name = _name(member, arrays)
                with archive.open(member) as stream:
                    arrays[name] = _array(stream, member.file_size, most, f"{name!r}: ")
                most -= arrays[name].nbytes
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(f"found a damaged archive ({' '.join(str(error).split())[:80]})") from None
    return arrays


def _name(member: zipfile.ZipInfo, before: dict[str, Array]) -> str:
    name = member.filename.removesuffix(".npy")
    if name == member.filename:
        raise InputError(f"found {name[:60]!r}, which is no array")
    if name in before:
        raise InputError(f"found {name[:60]!r} twice")
    if member.compress_type not in _COMPRESSIONS or member.flag_bits & 1:
        raise InputError(f"found {name[:60]!r} compressed or encrypted in a way that numpy does not write")
    return name


def _array(stream: IO[bytes], size: int, most: int, place: str = "") -> Array:
    """One array from a stream that is said to have `size` bytes in all."""
    header, length = _header(stream, place)
    dtype, shape = _type(header["descr"], place), _shape(header["shape"], place)
    promised, present = math.prod(shape) * dtype.itemsize, size - length
    what = f"{place}found {dtype.name} of shape {_short(list(shape))}"
    if promised > most:
        raise InputError(f"{what}, {format_bytes(min(promised, _NAMEABLE))}, expected at most {format_bytes(most)}")
    if promised != present:
        raise InputError(f"{what}, {promised} bytes, but {present} follow")
    content = stream.read(promised)
    if len(content) != promised or stream.read(1):
        raise InputError(f"{what}, {promised} bytes, but {'fewer' if len(content) < promised else 'more'} follow")
    if dtype.kind == "U":
        _check_characters(content, dtype, place)
    try:
        array = np.ndarray(shape, dtype, content, order="F" if header["fortran_order"] else "C")
    except (ValueError, OverflowError):  # a size beyond all indices, beside one of 0
        raise InputError(f"{what}, which no array can have") from None
    return np.asarray(array, dtype=dtype.newbyteorder("="), order="C")


def _header(stream: IO[bytes], place: str) -> tuple[dict[str, Any], int]:
    """What an array's header says, and how many bytes it has taken."""
    magic = stream.read(8)
    if len(magic) < 8 or not magic.startswith(_MAGIC) or magic[6] not in (1, 2, 3):
        raise InputError(f"{place}found no NumPy array")
    count = stream.read(2 if magic[6] == 1 else 4)
    length = int.from_bytes(count, "little")
    text = stream.read(length) if length <= _LONGEST_HEADER else b""
    try:
        header = ast.literal_eval(text.decode("utf-8" if magic[6] == 3 else "latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        header = None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise InputError(f"{place}found a damaged header")
    return header, len(magic) + len(count) + length


def _type(descr: object, place: str) -> np.dtype[Any]:
    if not isinstance(descr, str) or not _TYPES.fullmatch(descr):
        raise InputError(f"{place}found the type {_short(descr)}, expected numbers or text")
    try:
        return np.dtype(descr)
    except (TypeError, ValueError):
        raise InputError(f"{place}found the type {_short(descr)}, expected numbers or text") from None


def _shape(shape: object, place: str) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise InputError(f"{place}found the shape {_short(shape)}, expected sizes of 0 or more")
    return shape


def _check_characters(content: bytes, dtype: np.dtype[Any], place: str) -> None:
    codes = np.frombuffer(content, dtype=np.dtype(np.uint32).newbyteorder(dtype.byteorder))
    low, high = _HALVES
    if np.any((codes > _LAST_CHARACTER) | ((codes >= low) & (codes <= high))):
        raise InputError(f"{place}found text of what are no characters")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
