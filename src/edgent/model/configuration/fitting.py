"""Whether a configuration is one for this model: held against its inputs before anything is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgent.errors import ModelError
from edgent.model.metadata import Metadata, Preprocessing
from edgent.model.values import Tensor
from edgent.text import nearest


def check_fits(path: Path, metadata: Metadata, inputs: Sequence[Tensor]) -> None:
    """Refuses a configuration that cannot be of these inputs; `edgent.model.tasks` looks at the outputs.

    Args:
        path: for messages.
        metadata: what it says.
        inputs: of the model, bound.

    Raises:
        ModelError: pictures of another shape or type than the input's, or inputs that the model does not have.
    """
    if metadata.preprocessing is not None:
        _check_pictures(path, metadata, inputs)
    known = {tensor.name: tensor for tensor in inputs}
    for name, entry in metadata.inputs.items():
        if name not in known:
            raise ModelError(
                f"{path}: its configuration has an input {name!r}{nearest(name, known)}; found {', '.join(known)}"
            )
        if entry.excess == "shrink" and (metadata.preprocessing is None or name not in _pictures(metadata, inputs)):
            raise ModelError(f'{path}: input {name!r} has excess "shrink", which only pictures can; expected "refuse"')
        if entry.example and not _is_of(known[name], entry.example):
            raise ModelError(
                f"{path}: the example of input {name!r} has {len(entry.example)} values, as {entry.example[0]!r}; "
                f"expected one or all of its {known[name].dtype} {list(known[name].shape or ())}"
            )


def _is_of(tensor: Tensor, example: Sequence[float] | Sequence[str]) -> bool:
    """Whether an input can hold these values: as many, of its type, and whole where it is."""
    values = np.array(example)
    if values.size != 1 and values.size != math.prod(tensor.shape or (0,)):
        return False
    if (values.dtype.kind == "U") != (tensor.dtype == "string") or tensor.dtype is None:
        return False
    if values.dtype.kind == "U":
        return True
    with np.errstate(all="ignore"):
        taken = values.astype(tensor.dtype)
    return taken.dtype.kind == "f" or bool(np.all(taken == values))


def _check_pictures(path: Path, metadata: Metadata, inputs: Sequence[Tensor]) -> None:
    pictures = _pictures(metadata, inputs)
    if not inputs or len(pictures) != len(inputs):
        raise ModelError(
            f"{path}: its configuration makes an input of a picture, but it takes {len(inputs)}; "
            "leave out preprocessing, and give it arrays"
        )
    for tensor in inputs:
        _check_picture(path, pictures[tensor.name], tensor)


def _pictures(metadata: Metadata, inputs: Sequence[Tensor]) -> dict[str, Preprocessing]:
    """The inputs that are made of a picture: the first one, and those of which it is said by itself."""
    stated = [t.name for t in inputs[1:] if t.name in metadata.inputs and metadata.inputs[t.name].preprocessing]
    forms = {name: metadata.preprocessing_of(name) for name in (*(t.name for t in inputs[:1]), *stated)}
    return {name: form for name, form in forms.items() if form is not None}


def _check_picture(path: Path, form: Preprocessing, tensor: Tensor) -> None:
    shape = tensor.shape
    if shape is not None and (len(shape), shape[-3:]) != (len(form.shape), form.shape[-3:]):
        raise ModelError(
            f"{path}: its configuration makes pictures of shape {list(form.shape)} ({form.color}, {form.layout}), but "
            f"input {tensor.name!r} takes {list(shape)}; correct size, color or layout in preprocessing"
        )
    if tensor.dtype not in (form.dtype, None):
        raise ModelError(
            f"{path}: its configuration makes pictures of {form.dtype}, but input {tensor.name!r} takes "
            f"{tensor.dtype}; leave out dtype, or, where a picture cannot be {tensor.dtype}, preprocessing"
        )
