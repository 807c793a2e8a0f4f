"""One input of a request, in the forms that were needed so far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.engine.feeds import Array, checked
from edgent.engine.input_files import read_input
from edgent.engine.sizing import sized
from edgent.errors import InputError
from edgent.text import readable

if TYPE_CHECKING:
    from edgent.model import Model
    from edgent.model.values import Tensor

Pixels = NDArray[np.uint8]
Input = bytes | Path | str | Array | Mapping[str, Array]
"""The bytes of an image; a file of one, or of arrays; an array; or arrays by name."""


class Material:
    """One input, in the forms that were needed so far: bytes, pixels, tensors; and what the head left.

    Attributes:
        name: the file's; empty where the input comes from none.
        source: the bytes of an image; None: arrays came.
        decoded: its pixels, as large as they came.
        pixels: the same in the size of each of the model's inputs, by name.
        tensors: by name.
    """

    def __init__(self, data: Input, model: Model) -> None:
        self.name = readable(data) if isinstance(data, Path | str) else ""
        if isinstance(data, Path | str):
            data = read_input(Path(data), model)
        # The bytes as they came are kept: the codec `source` sends them on as they are. Pixels and tensors are made of
        # them only when somebody needs them, and at most once.
        self.source = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else None
        self.decoded: Pixels | None = None
        self.pixels: dict[str, Pixels] = {}
        self.tensors: dict[str, Array] = {}
        if self.source is None:
            self.tensors.update(_arrays(data, model))
        elif model.metadata.preprocessing is None:
            raise InputError(_no_picture(model))


def _no_picture(model: Model) -> str:
    if len(model.inputs) > 1:
        return f"{model.name} takes {len(model.inputs)} inputs and no picture: give it all of them in one .npz"
    return (
        f"{model.name} does not say how a picture becomes its input: give it arrays (.npy, .npz), or say it in "
        "a configuration (edgent init drafts one)"
    )


def _arrays(data: Input, model: Model) -> dict[str, Array]:
    if isinstance(data, np.ndarray):
        if len(model.inputs) != 1:
            names = ", ".join(tensor.name for tensor in model.inputs)
            raise InputError(f"{model.name} takes {len(model.inputs)} inputs: give a mapping, or an .npz, with {names}")
        data = {model.inputs[0].name: data}
    if not isinstance(data, Mapping):
        raise InputError(f"an input is a file, the bytes of an image, an array or a mapping, not {type(data).__name__}")
    wanted = {tensor.name: tensor for tensor in model.inputs}
    if set(data) != set(wanted):
        raise InputError(f"found the inputs {', '.join(data) or 'none'}; {model.name} takes {', '.join(wanted)}")
    for name, array in data.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"input {name!r} is {type(array).__name__}, expected a numpy array")
    return {name: _entered(tensor, data[name], model) for name, tensor in wanted.items()}


def _entered(tensor: Tensor, array: Array, model: Model) -> Array:
    """The array in the model's size; of another, what can be done about it is said."""
    array = sized(tensor, array, model.metadata)
    if model.dims and tensor.shape is not None and array.shape != tensor.shape and array.ndim == len(tensor.shape):
        smaller = all(size <= wanted for size, wanted in zip(array.shape, tensor.shape, strict=True))
        padding = ', or say fill = "pad" of the input' if smaller else ""
        raise InputError(
            f"tensor {tensor.name!r} has shape {list(array.shape)}, expected {list(tensor.shape)}: give its free "
            f"dimensions other numbers (--dim; free are {', '.join(model.dims)}){padding}"
        )
    return checked(tensor, array)
