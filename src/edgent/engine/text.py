"""Tensors of text: as numpy has them, and as an engine takes them.

An engine takes and gives arrays of objects that are `str`; numpy has them as `U`, as bytes (`S`) and as objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

Array = NDArray[Any]

KINDS = "OSTU"  # numpy's kinds of dtype that may hold text


def text_array(name: str, array: Array) -> Array:
    """The text of an array, in its shape, as objects that are `str`.

    Raises:
        InputError: an element is no text, or none that UTF-8 can write.
    """
    return _shaped([_text(name, element) for element in array.ravel().tolist()], array.shape)


def text_of(name: str, elements: Iterable[object], shape: Sequence[int]) -> Array:
    """An array of such a shape out of its elements, text or UTF-8.

    Raises:
        InputError: as `text_array`.
    """
    return _shaped([_text(name, element) for element in elements], shape)


def _text(name: str, element: object) -> str:
    if not isinstance(element, str | bytes):
        raise InputError(f"tensor {name!r} has an element of type {type(element).__name__}, expected text")
    try:
        # There and back: a `str` may hold half a character, which no UTF-8 can write.
        written = element if isinstance(element, bytes) else element.encode()
        return written.decode()
    except UnicodeError:
        raise InputError(f"tensor {name!r} has an element that is no UTF-8: {element[:20]!r}") from None


def _shaped(elements: list[str], shape: Sequence[int]) -> Array:
    # Filled afterwards: numpy would take a list of texts for an array of its own kind of text.
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    return array.reshape(tuple(shape))
