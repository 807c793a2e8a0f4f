"""One input of a request, in the forms that were needed so far."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgent.engine.feeds import Array, checked
from edgent.engine.input_files import read_input
from edgent.engine.sizing import sized
from edgent.errors import InputError
from edgent.text import readable

if TYPE_CHECKING:
    from edgent.model import Model

Input = bytes | Path | str | Array | Mapping[str, Array]
"""The bytes of an image; a file of one, or of arrays; an array; or arrays by name."""


class Material:
    """One input, in the forms that were needed so far: bytes, pixels, tensors; and what the head left.

    Attributes:
        name: the file's; empty where the input comes from none.
    """

    def __init__(self, given: Input, model: Model) -> None:
        self.name = readable(given) if isinstance(given, Path | str) else ""
        if isinstance(given, Path | str):
            given = read_input(Path(given), model)
        self.source = bytes(given) if isinstance(given, bytes | bytearray | memoryview) else None
        self.pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None = None
        self.tensors: dict[str, Array] = {}
        if self.source is None:
            self.tensors.update(_arrays(given, model))
        elif model.metadata.preprocessing is None:
            raise InputError(
                f"{model.name} does not say how to prepare an image (metadata key 'edgent'): "
                "give it tensors (.npy, .npz)"
            )


def _arrays(given: Input, model: Model) -> dict[str, Array]:
    if isinstance(given, np.ndarray):
        if len(model.inputs) != 1:
            names = ", ".join(tensor.name for tensor in model.inputs)
            raise InputError(f"{model.name} takes {len(model.inputs)} inputs: give a mapping with {names}")
        given = {model.inputs[0].name: given}
    if not isinstance(given, Mapping):
        raise InputError(
            f"an input is a file, the bytes of an image, an array or a mapping, not {type(given).__name__}"
        )
    wanted = {tensor.name: tensor for tensor in model.inputs}
    if set(given) != set(wanted):
        raise InputError(f"found the inputs {', '.join(given) or 'none'}; {model.name} takes {', '.join(wanted)}")
    for name, array in given.items():
        if not isinstance(array, np.ndarray):
            raise InputError(f"input {name!r} is {type(array).__name__}, expected a numpy array")
    return {name: checked(tensor, sized(tensor, given[name], model.metadata)) for name, tensor in wanted.items()}
