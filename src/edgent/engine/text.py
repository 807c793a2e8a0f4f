"""Tensors of text: as numpy has them, as an engine takes them, and as they cross.

An engine takes and gives arrays of objects that are `str`; numpy has them as `U`, as bytes (`S`) and as objects. On the
wire they are the protocol's BYTES: each element in C order as four bytes of length, little-endian, and that much UTF-8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

Array = NDArray[Any]

KINDS = "OSTU"  # numpy's kinds of dtype that may hold text

_LENGTH = struct.Struct("<I")


def text_array(name: str, array: Array) -> Array:
    """The text of an array, in its shape, as objects that are `str`.

    Raises:
        InputError: an element is no text, or none that UTF-8 can write.
    """
    return _shaped([_text(name, element) for element in array.ravel().tolist()], array.shape)


def write_text(array: Array) -> bytes:
    """The bytes of what `text_array` made."""
    return write_elements(element.encode() for element in array.ravel().tolist())


def write_elements(elements: Iterable[bytes]) -> bytes:
    """Elements of BYTES, one behind the other."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def read_elements(name: str, data: bytes) -> list[bytes]:
    """The elements of BYTES.

    Raises:
        InputError: a length that is more than what follows, or cut short.
    """
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        begins = at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(data, at) if begins <= len(data) else (0,)
        at = begins + length
        if at > len(data):
            left = max(0, len(data) - begins)
            raise InputError(f"element {len(elements)} of {name!r} states {length} bytes, but {left} follow")
        elements.append(data[begins:at])
    return elements


def read_text(name: str, data: bytes, shape: Sequence[int]) -> Array:
    """The array of what crossed; as many elements as the shape has.

    Raises:
        InputError: as `read_elements`; or an element is no UTF-8.
    """
    return _shaped([_text(name, element) for element in read_elements(name, data)], shape)


def _text(name: str, element: object) -> str:
    if not isinstance(element, str | bytes):
        raise InputError(f"tensor {name!r} has an element of type {type(element).__name__}, expected text")
    try:
        written = element if isinstance(element, bytes) else element.encode()
        return written.decode()
    except UnicodeError:
        raise InputError(f"tensor {name!r} has an element that is no UTF-8: {element[:20]!r}") from None


def _shaped(elements: list[str], shape: Sequence[int]) -> Array:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(tuple(shape))
