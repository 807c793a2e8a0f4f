"""What a model is run on: random inputs, and files made into the tensors that a request would make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgent.codec import decode_pixels, fit, normalise
from edgent.device.compute import Input, Material
from edgent.errors import InputError
from edgent.model import Model, Tensor
from edgent.wire.tensors import Array

_WORDS = ("red", "green", "blue", "the", "edge", "")


def prepared(model: Model, given: Input) -> dict[str, Array]:
    """The tensors that an input becomes, as a request's would.

    Raises:
        InputError: it is no image, or not what the model takes.
    """
    material, form = Material(given, model), model.metadata.preprocessing
    if material.source is None or form is None:
        return material.tensors
    return {model.inputs[0].name: normalise(fit(decode_pixels(material.source), form), form)}


def random_feeds(tensors: Sequence[Tensor], generator: np.random.Generator, *, largest: int = 2) -> dict[str, Array]:
    """Random inputs: normal numbers, whole numbers from 0 to below `largest`, truth values, or words.

    Raises:
        InputError: one is no tensor.
    """
    return {tensor.name: _random(tensor, generator, largest) for tensor in tensors}


def _random(tensor: Tensor, generator: np.random.Generator, largest: int) -> Array:
    shape = tensor.shape or ()
    if tensor.dtype is None:
        raise InputError(f"input {tensor.name!r} is no tensor, so nothing can be drawn for it")
    if tensor.dtype == "string":
        return np.array(generator.choice(_WORDS, shape), dtype=object)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "fcV":
        return generator.standard_normal(shape).astype(dtype)
    return generator.integers(0, 2 if dtype.kind == "b" else largest, shape).astype(dtype)
