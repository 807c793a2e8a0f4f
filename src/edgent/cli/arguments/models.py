"""MODEL and `--dim`: a model for a verb, opened, with what is doubtful about it said on stderr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import parse_count

if TYPE_CHECKING:
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower, Make
    from edgent.model import Model

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model's name, or an ONNX file.")]
Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="NAME=N", help="A number for a free dimension, or INPUT:AXIS=N (repeatable)."),
]


def open_model(name: str, dims: Mapping[str, int]) -> Model:
    """Opens the model of a MODEL argument.

    Raises:
        ModelError: see `edgent.engine.guarded_loading.load`.
    """
    from edgent.engine.guarded_loading import load

    loaded = load(name, dims=dims)
    show.warn(*loaded.doubts)
    return loaded


def open_device(
    name: str, edge: str, make: Make, dims: Mapping[str, int], *, insecure: bool, require_edge: bool = False
) -> Device | Follower:
    """The device of a MODEL argument: of a model that is here, or of what the edge serves by that name.

    Args:
        name: of the model.
        edge: "HOST:PORT"; empty: there is none.
        make: makes the device of a model.
        dims: numbers for the model's free dimensions.
        insecure: whether plain text may be spoken with an edge on another machine.
        require_edge: whether a model that the edge serves must be fetched now, and may be none of another day.
    """
    from edgent.device.connect import follow, is_fetched

    if is_fetched(name, edge):
        return follow(edge, name, make, dims=dims, insecure=insecure, require_edge=require_edge)
    return make(open_model(name, dims), None, None)


def meet_edge(device: Device | Follower, edge: str) -> None:
    """Waits until a device is connected, and says where it is not; of one that began alone that was said."""
    if not device.began_alone and not device.wait_ready() and edge:
        show.warn(f"no edge at {edge}; the device answers by itself")


def open_models(names: Sequence[str], dims: Mapping[str, int]) -> list[Model]:
    """Opens several models; each number is for those that have its dimension.

    Raises:
        InputError: a dimension that none of them has.
        ModelError: see `edgent.engine.guarded_loading.load`.
    """
    if len(names) == 1:
        return [open_model(names[0], dims)]
    from edgent.model import free_dimensions

    # A model refuses a dimension that it does not have, which is right for one model. Of several, each is given those
    # that it has, and a dimension that none of them has is the mistake.
    free = [{word for entry in free_dimensions(name) for word in (entry.name, entry.place)} for name in names]
    if unknown := sorted(dims.keys() - set().union(*free)):
        known = ", ".join(sorted(set().union(*free))) or "none"
        raise InputError(f"--dim {unknown[0]}: no model has a free dimension of that name; found {known}")
    return [
        open_model(name, {word: number for word, number in dims.items() if word in words})
        for name, words in zip(names, free, strict=True)
    ]


def parse_dims(texts: Sequence[str] | None) -> dict[str, int]:
    """Reads NAME=N and INPUT:AXIS=N.

    Raises:
        InputError: not of that form, not a positive number, or a dimension given twice.
    """
    dims: dict[str, int] = {}
    for text in texts or ():
        # From the right: a dimension's name may have an "=" in it, a number has none.
        name, _, number = text.rpartition("=")
        size = parse_count(number)
        if not name or size is None:
            raise InputError(
                f"--dim {text[:80]!r}: expected NAME=N or INPUT:AXIS=N with N from 1 to 1000000000 in digits, as "
                "width=320"
            )
        if name in dims:
            raise InputError(f"--dim {name[:80]}: is given twice, {dims[name]} and {size}; expected it once")
        dims[name] = size
    return dims
