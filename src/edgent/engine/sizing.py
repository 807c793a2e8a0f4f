"""Arrays of another size than the model takes: padded, shrunk or left to be refused, as the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edgent.model import Metadata, Preprocessing, Tensor

Array = NDArray[Any]


def sized(tensor: Tensor, array: Array, metadata: Metadata) -> Array:
    """The array in the size of a model's input, as far as its configuration allows that.

    What is larger along an axis is shrunk along it, where it is a picture; what is smaller is padded at the end of the
    axis with zeros, text with "". The answer is then the model's to that array, the padding included.

    Args:
        tensor: the input.
        array: what is given; where it cannot be brought to that size, it is returned as it is.
        metadata: of the model.
    """
    sizing = metadata.inputs.get(tensor.name)
    if sizing is None or tensor.shape is None or array.ndim != len(tensor.shape) or not array.size:
        return array
    result = array
    form = metadata.preprocessing_of(tensor.name)
    # Only pictures can be shrunk: between two values of another array there may be nothing that means anything.
    if sizing.excess == "shrink" and form is not None and array.dtype.kind in "fiu":
        result = _shrunk(result, form)
    if sizing.fill == "pad":
        result = _padded(result, tensor.shape)
    # Half a change would make a message about a size that the caller never gave.
    return result if result.shape == tensor.shape else array


def _shrunk(array: Array, form: Preprocessing) -> Array:
    """One picture, no larger than the model's."""
    rows, columns = (-2, -1) if form.channels_first else (-3, -2)
    height, width = min(array.shape[rows], form.size[0]), min(array.shape[columns], form.size[1])
    if (height, width) == (array.shape[rows], array.shape[columns]):
        return array
    from PIL import Image

    # Pillow resizes one plane of float32 at a time; all leading axes (pictures, channels) become a list of planes.
    planes = np.moveaxis(array, (rows, columns), (-2, -1)).astype(np.float32)
    flat = np.ascontiguousarray(planes).reshape(-1, *planes.shape[-2:])
    filter_ = Image.Resampling[form.filter.upper()]
    small = np.stack([np.asarray(Image.fromarray(plane).resize((width, height), filter_)) for plane in flat])
    result = np.moveaxis(small.reshape(*planes.shape[:-2], height, width), (-2, -1), (rows, columns))
    return result.astype(array.dtype) if array.dtype.kind == "f" else _whole(result, array.dtype)


def _whole(values: Array, dtype: np.dtype[Any]) -> Array:
    """To the nearest; some filters go beyond the ends of what they see."""
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def _padded(array: Array, shape: tuple[int, ...]) -> Array:
    missing = [(0, max(0, size - present)) for size, present in zip(shape, array.shape, strict=True)]
    if not any(after for _, after in missing):
        return array
    nothing = "" if array.dtype.kind in "OSU" else 0
    return np.pad(array, missing, constant_values=nothing)
