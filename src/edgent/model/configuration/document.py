"""A configuration as a document: the same keys as JSON in the model file and as TOML beside it."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import onnx

from edgent.document import Node, parse
from edgent.errors import InputError, ModelError
from edgent.model.metadata import ExitInfo, Metadata, Preprocessing, Sizing

KEY = "edgent"
"""In a model file's `metadata_props`."""

VERSION = 1
_LONGEST_SIDE = 1 << 14  # pixels, of what a network takes
_LARGEST_DIMENSION = 1 << 31
_DEFAULTS = {"version": VERSION, **Metadata().document()}


def metadata_of(proto: onnx.ModelProto) -> Metadata:
    """What a model file says under our own key.

    Raises:
        ModelError: see `read_json`.
    """
    for entry in proto.metadata_props:
        if entry.key == KEY:
            return read_json(entry.value)
    return Metadata()


def write_json(metadata: Metadata) -> str:
    """The text that stands under the key."""
    return json.dumps({"version": VERSION, **metadata.document()}, sort_keys=True)


def read_json(text: str) -> Metadata:
    """Reads the text under the key.

    Raises:
        ModelError: not JSON, another version, unknown keys or values out of range.
    """
    try:
        return read(parse(text))
    except InputError as error:
        raise ModelError(f"metadata under the key {KEY!r}: {error}") from None


def read(found: object) -> Metadata:
    """The metadata that a document holds, which may leave out any key.

    Raises:
        InputError: another version, unknown keys, or values out of range.
    """
    node = _node(found, "metadata", _DEFAULTS)
    if node.whole("version") != VERSION:
        raise InputError(f"metadata.version: found {node.whole('version')}, expected {VERSION}")
    return Metadata(
        task=None if node.absent("task") else node.text("task"),  # type: ignore[arg-type]  # it checks itself
        head=node.text("head", empty=True),
        post=node.text("post", empty=True),
        exits=tuple(map(_exit, node.items("exits"))),
        labels=() if node.absent("labels") else node.texts("labels"),
        preprocessing=None if node.absent("preprocessing") else _preprocessing(node.found["preprocessing"]),
        dims=_dims(node.found["dims"]),
        inputs=_inputs(node.found["inputs"]),
    )


def _node(found: object, place: str, defaults: dict[str, Any], needed: tuple[str, ...] = ()) -> Node:
    """An object some of whose keys may be left out."""
    complete = {**defaults, **found} if isinstance(found, dict) else found
    return Node(complete, place, (*needed, *defaults))


def _exit(found: object) -> ExitInfo:
    node = _node(found, "exit", {"accuracy": None, "samples": None, "data": None}, ("name", "outputs"))
    return ExitInfo(
        name=node.text("name", empty=True),
        outputs=node.texts("outputs"),
        accuracy=None if node.absent("accuracy") else node.number("accuracy"),
        samples=None if node.absent("samples") else node.whole("samples"),
        data=None if node.absent("data") else node.text("data", empty=True),
    )


def _preprocessing(found: object) -> Preprocessing:
    defaults = {f.name: _as_json(f.default) for f in fields(Preprocessing) if f.default is not MISSING}
    node = _node(found, "pre-processing", defaults, ("size",))
    size = node.reals("size")
    if len(size) != 2 or not all(1 <= side <= _LONGEST_SIDE and side.is_integer() for side in size):
        raise InputError(f"pre-processing.size: found {list(size)}, expected height and width, whole numbers of pixels")
    words = {key: node.text(key) for key in ("resize", "filter", "excess", "color", "layout")}
    return Preprocessing(
        size=(int(size[0]), int(size[1])),
        crop=node.real("crop"),
        padding=node.whole("padding"),
        scale=node.real("scale"),
        mean=node.reals("mean"),
        std=node.reals("std"),
        **words,  # type: ignore[arg-type]  # it checks itself
    )


def _dims(found: object) -> dict[str, int]:
    names = tuple(found) if isinstance(found, dict) else ()
    node = Node(found, "dims", names)
    numbers = {name: node.whole(name) for name in names}
    for name, number in numbers.items():
        if not 0 <= number < _LARGEST_DIMENSION:
            raise InputError(f"dims.{name}: found {number}, expected the size of a dimension")
    return numbers


def _inputs(found: object) -> dict[str, Sizing]:
    names = tuple(found) if isinstance(found, dict) else ()
    node = Node(found, "inputs", names)
    sizings = {name: _node(node.found[name], f"inputs.{name}", Sizing().document()) for name in names}
    return {
        name: Sizing(fill=one.text("fill"), excess=one.text("excess"))  # type: ignore[arg-type]  # it checks itself
        for name, one in sizings.items()
    }


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
