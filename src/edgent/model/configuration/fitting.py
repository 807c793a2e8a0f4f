"""Whether a configuration is one for this model: held against its inputs before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgent.errors import ModelError
from edgent.model.metadata import Metadata
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
    for name, sizing in metadata.inputs.items():
        known = [tensor.name for tensor in inputs]
        if name not in known:
            raise ModelError(
                f"{path}: its configuration has an input {name!r}{nearest(name, known)}; found {', '.join(known)}"
            )
        if sizing.excess == "shrink" and (metadata.preprocessing is None or name != known[0]):
            raise ModelError(f'{path}: input {name!r} has excess "shrink", which only pictures can; expected "refuse"')


def _check_pictures(path: Path, metadata: Metadata, inputs: Sequence[Tensor]) -> None:
    form, tensor = metadata.preprocessing, inputs[0] if inputs else None
    assert form is not None
    if tensor is None or len(inputs) != 1:
        raise ModelError(
            f"{path}: its configuration makes an input of a picture, but it takes {len(inputs)}; "
            "leave out preprocessing, and give it arrays"
        )
    shape = tensor.shape
    if shape is not None and (len(shape), shape[-3:]) != (len(form.shape), form.shape[-3:]):
        raise ModelError(
            f"{path}: its configuration makes pictures of shape {list(form.shape)} ({form.color}, {form.layout}), but "
            f"input {tensor.name!r} takes {list(shape)}; correct size, color or layout in preprocessing"
        )
    if tensor.dtype not in ("float32", None):
        raise ModelError(
            f"{path}: its configuration makes pictures of float32, but input {tensor.name!r} takes {tensor.dtype}; "
            "export the model with an input of float32, or leave out preprocessing"
        )
