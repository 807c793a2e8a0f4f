"""Binding a model: numbers for its free dimensions, and with them the size of its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import onnx

from edgent.model.configuration import dimensions
from edgent.model.configuration.dimensions import FreeDimension
from edgent.model.configuration.document import document_of, metadata_of, post_graph_of, write_key
from edgent.model.configuration.ultralytics import unread
from edgent.model.files.read import without_functions
from edgent.model.metadata import Metadata, PictureType
from edgent.model.shapes import dtype_name

_COLOURS = (1, 3)  # channels that a picture has
_KNOWN = re.compile(r"(ai\.onnx|com\.microsoft|com\.ms|org\.openvino|org\.pytorch\.aten)(\..*|toolkit.*)?|")  # domains
_FEW = 3  # operators that a message names
_RANKS = {4: "N", 3: ""}  # of a picture's input, and what its layout begins with


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A model whose inputs have a number for every dimension.

    Attributes:
        proto: without functions.
        dims: the number of every dimension that is free in the file, by name.
        doubts: what was taken for granted, a sentence each.
        metadata: what the model says of itself, with the size that its pictures have now.
    """

    proto: onnx.ModelProto
    dims: Mapping[str, int]
    doubts: tuple[str, ...]
    metadata: Metadata


def bind(path: Path, proto: onnx.ModelProto, given: Mapping[str, int]) -> Binding:
    """Gives every free dimension of a model's inputs a number: the caller's, the configuration's, 1 to a batch.

    Args:
        path: for messages.
        proto: as `configured` returns it.
        given: numbers by name or "INPUT:AXIS".

    Raises:
        ModelError: see `numbers_of` of `edgent.model.configuration.dimensions`, and `read_json`.
    """
    proto = without_functions(proto)
    document, free = document_of(proto), dimensions.free_dimensions(proto.graph)
    form = _described(document.get("preprocessing"), proto.graph)
    defaults = _picture_dims(form, free, proto.graph) | dict(document.get("dims") or {})
    numbers = dimensions.numbers_of(path, free, given, defaults)
    dimensions.write(proto.graph, numbers)
    if form is not None:
        sized = _sized(form, free, proto.graph)
        write_key(proto, {**document, "preprocessing": sized}, post_graph_of(proto))
    return Binding(
        proto=proto,
        dims=numbers,
        doubts=(
            *dimensions.doubts_of(path, free, {**defaults, **given}),
            *_unread(path, proto),
            *_foreign(path, proto),
        ),
        metadata=metadata_of(proto),
    )


def _unread(path: Path, proto: onnx.ModelProto) -> tuple[str, ...]:
    """A task that another's metadata names and nothing here reads, unless the configuration does."""
    said = unread({entry.key: entry.value for entry in proto.metadata_props})
    return (f"{path.name}: {said}",) if said and metadata_of(proto).task == "raw" else ()


def _foreign(path: Path, proto: onnx.ModelProto) -> tuple[str, ...]:
    """Operators of a domain that no engine here knows: they are described and planned, and cannot be run."""
    foreign = (node for node in proto.graph.node if not _KNOWN.fullmatch(node.domain))
    found = dict.fromkeys(f"{node.domain}.{node.op_type}" for node in foreign)
    if not found:
        return ()
    named = f"{', '.join(islice(found, _FEW))}{', ...' if len(found) > _FEW else ''}"
    return (
        f"{path.name}: found operators that neither ONNX nor its engines define ({named}): it can be looked at, and "
        "not run; export it without them",
    )


def _described(form: object, graph: onnx.GraphProto) -> dict[str, Any] | None:
    """Pre-processing with what the first input tells of it: its type, its layout, and that it is grey."""
    if not isinstance(form, dict):
        return None
    shape = _first_shape(graph)
    if len(shape) not in _RANKS:
        return form
    last = shape[-3] not in _COLOURS and shape[-1] in _COLOURS
    typed = _typed(form, graph.input[0].type.tensor_type.elem_type)
    found = {"layout": _RANKS[len(shape)] + ("HWC" if last else "CHW"), **typed}
    grey = shape[-1 if _is_last(found) else -3] == 1
    found = ({"color": "L"} if grey else {}) | found
    return ({"mean": [0.0], "std": [1.0]} if found.get("color") == "L" else {}) | found


def _typed(form: dict[str, Any], elem_type: int) -> dict[str, Any]:
    """With the type of the input; one of whole numbers takes pixels as they are."""
    dtype = dtype_name(elem_type) if elem_type else ""
    if dtype not in get_args(PictureType):
        return form
    return {"dtype": dtype, **({} if dtype.startswith("float") else {"scale": 1.0}), **form}


def _sized(form: dict[str, Any], free: Sequence[FreeDimension], graph: onnx.GraphProto) -> dict[str, Any]:
    """Pre-processing with the input's height and width, where it says none or they were free."""
    shape = _first_shape(graph)
    if len(shape) not in _RANKS:
        return form
    axes = [len(shape) + axis for axis in ((-3, -2) if _is_last(form) else (-2, -1))]
    size, name = form.get("size"), graph.input[0].name
    if isinstance(size, list) and len(size) == 2:
        bound = {entry.axis for entry in free if entry.input == name}
        return form | {"size": [shape[axis] if axis in bound else side for axis, side in zip(axes, size, strict=True)]}
    return {**form, "size": [shape[axis] for axis in axes]} if size is None else form


def _picture_dims(
    form: Mapping[str, Any] | None, free: Sequence[FreeDimension], graph: onnx.GraphProto
) -> dict[str, int]:
    """Numbers for free dimensions of the first input, by place, out of the size that a picture is brought to."""
    size = form.get("size") if form else None
    if form is None or not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        return {}
    channels = 1 if form.get("color") == "L" else 3
    axes = (*size, channels) if _is_last(form) else (channels, *size)
    pictures = (entry for entry in free if entry.input == graph.input[0].name and entry.rank in _RANKS)
    return {entry.place: axes[entry.axis - entry.rank] for entry in pictures if entry.rank - entry.axis <= len(axes)}


def _is_last(form: Mapping[str, Any]) -> bool:
    return str(form.get("layout")).endswith("HWC")


def _first_shape(graph: onnx.GraphProto) -> list[int]:
    dims = graph.input[0].type.tensor_type.shape.dim if graph.input else ()
    return [dim.dim_value for dim in dims]
