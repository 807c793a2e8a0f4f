"""What a segment is fed: arrays by name, as an engine takes them; zeros, or drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.engine.text import KINDS, text_array
from edgent.errors import InputError
from edgent.model import Tensor

Array = NDArray[Any]
Feeds = Mapping[str, Array]

_WORDS = ("red", "green", "blue", "the", "edge", "")


def random_feeds(tensors: Sequence[Tensor], generator: np.random.Generator, *, largest: int = 2) -> dict[str, Array]:
    """Inputs out of nothing: examples where there are some, else random ones.

    Those are normal numbers, whole numbers from 0 to below `largest`, truth values, or words.

    Raises:
        InputError: one is no tensor.
    """
    return {tensor.name: _random(tensor, generator, largest) for tensor in tensors}


def _random(tensor: Tensor, generator: np.random.Generator, largest: int) -> Array:
    shape = tensor.shape or ()
    if tensor.dtype is None:
        raise InputError(f"input {tensor.name!r} is no tensor, so nothing can be drawn for it")
    # A random number makes no sense where the model's author gave an example: it may be a length, or an index.
    if tensor.example:
        return _example(tensor, shape)
    if tensor.dtype == "string":
        return np.array(generator.choice(_WORDS, shape), dtype=object)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "fcV":
        return generator.standard_normal(shape).astype(dtype)
    return generator.integers(0, 2 if dtype.kind == "b" else largest, shape).astype(dtype)


def _example(tensor: Tensor, shape: tuple[int, ...]) -> Array:
    dtype = object if tensor.dtype == "string" else tensor.dtype
    if len(tensor.example) == 1:
        return np.full(shape, tensor.example[0], dtype=dtype)
    return np.array(tensor.example, dtype=dtype).reshape(shape)


def zeros(tensors: Sequence[Tensor]) -> dict[str, Array]:
    """Zeros in the shape of each tensor; examples where there are some."""
    return {tensor.name: _zeros(tensor, tensor.shape or ()) for tensor in tensors}


def _zeros(tensor: Tensor, shape: tuple[int, ...]) -> Array:
    return _example(tensor, shape) if tensor.example else np.zeros(shape, dtype=tensor.dtype)


def checked(tensor: Tensor, array: Array) -> Array:
    """The array as an engine takes it: in this machine's byte order, text as objects that are `str`.

    Raises:
        InputError: its type or shape is not what the model takes.
    """
    # Checked here and not left to the engine, which would say it in its own words, after some of the work was done.
    if tensor.shape is not None and array.shape != tensor.shape:
        raise InputError(f"tensor {tensor.name!r} has shape {list(array.shape)}, expected {list(tensor.shape)}")
    if tensor.dtype == "string" and array.dtype.kind in KINDS:
        return text_array(tensor.name, array)
    if _name_of(array.dtype) != tensor.dtype:
        raise InputError(f"tensor {tensor.name!r} has type {array.dtype.name}, expected {tensor.dtype}")
    return in_native_order(array)


@lru_cache(64)
def _name_of(dtype: np.dtype[Any]) -> str:
    return dtype.name  # which numpy puts together anew each time, and each request asks twice


def in_native_order(array: Array) -> Array:
    """The same numbers in this machine's byte order: engines take the bytes as they lie, and so does the wire."""
    swapped = isinstance(array, np.ndarray) and not array.dtype.isnative
    return array.astype(array.dtype.newbyteorder("=")) if swapped else array
