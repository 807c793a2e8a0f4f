"""A configuration as a document: the same keys as JSON in the model file and as TOML beside it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

import onnx

from edgent.document import Node, parse
from edgent.errors import InputError, ModelError
from edgent.model.metadata import BoxLimits, ExitInfo, InputInfo, Metadata, Preprocessing

KEY = "edgent"
"""In a model file's `metadata_props`."""

POST = "edgent.post"
"""The property that holds a graph for post-processing, in base64."""

VERSION = 1
_LONGEST_SIDE = 1 << 14  # pixels, of what a network takes
_LARGEST_DIMENSION = 1 << 31
_FORM = tuple(f.name for f in fields(Preprocessing))
_DEFAULTS = {"version": VERSION, **Metadata().document()}


TABLES = ("preprocessing", "limits", "dims", "inputs")
"""The keys whose values have keys of their own."""


def check_keys(found: object) -> dict[str, Any]:
    """What a document says, under keys that are all known, those of pre-processing included; it may leave out any.

    Raises:
        InputError: no object, another version, or an unknown key.
    """
    node = _node(found, "configuration", _DEFAULTS)
    _check_version(node)
    if isinstance(form := node.values["preprocessing"], dict):
        Node({**dict.fromkeys(_FORM), **form}, "preprocessing", _FORM)
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if value is not None and key != "version"}


def document_of(proto: onnx.ModelProto) -> dict[str, Any]:
    """The document under our own key of a model; empty where there is none.

    Raises:
        ModelError: not JSON, or an unknown key.
    """
    try:
        text = _property(proto, KEY)
        return check_keys(parse(text)) if text else {}
    except InputError as error:
        raise ModelError(f"metadata under the key {KEY!r}: {error}") from None


def metadata_of(proto: onnx.ModelProto) -> Metadata:
    """What a model says of itself under our own key, with the graph that its `post` names.

    Raises:
        ModelError: see `read_json`.
    """
    text = _property(proto, KEY)
    found = read_json(text) if text else Metadata()
    return replace(found, post_graph=post_graph_of(proto)) if found.post else found


def post_graph_of(proto: onnx.ModelProto) -> bytes:
    """The graph for post-processing that a model holds; none: empty.

    Raises:
        ModelError: a damaged one.
    """
    try:
        return base64.b64decode(_property(proto, POST), validate=True)
    except (binascii.Error, ValueError):
        raise ModelError(f"the key {POST!r} holds no base64, expected an ONNX file in it; embed it again") from None


def write_key(proto: onnx.ModelProto, document: Mapping[str, Any], post_graph: bytes = b"") -> None:
    """Puts a document, and the graph that it names, into a model."""
    kept = {entry.key: entry.value for entry in proto.metadata_props}
    kept[KEY] = json.dumps({**document, "version": VERSION}, sort_keys=True)
    kept[POST] = base64.b64encode(post_graph).decode()
    del proto.metadata_props[:]
    for key, value in kept.items():
        if value or key != POST:
            proto.metadata_props.add(key=key, value=value)


def _property(proto: onnx.ModelProto, key: str) -> str:
    return next((str(entry.value) for entry in proto.metadata_props if entry.key == key), "")


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
        raise ModelError(f"its configuration: {error}") from None


def read(found: object) -> Metadata:
    """The metadata that a document holds, which may leave out any key.

    Raises:
        InputError: another version, unknown keys, or values out of range.
    """
    node = _node(found, "metadata", _DEFAULTS)
    _check_version(node)
    return Metadata(
        task=None if node.absent("task") else node.text("task"),  # type: ignore[arg-type]  # it checks itself
        head=node.text("head", empty=True),
        post=node.text("post", empty=True),
        limits=_limits(node.values["limits"]),
        exits=tuple(map(_exit, node.items("exits"))),
        labels=() if node.absent("labels") else node.texts("labels"),
        preprocessing=None if node.absent("preprocessing") else read_preprocessing(node.values["preprocessing"]),
        dims=_dims(node.values["dims"]),
        inputs=_inputs(node.values["inputs"]),
    )


def _node(found: object, place: str, defaults: dict[str, Any], needed: tuple[str, ...] = ()) -> Node:
    """An object some of whose keys may be left out."""
    complete = {**defaults, **found} if isinstance(found, dict) else found
    return Node(complete, place, (*needed, *defaults))


def _check_version(node: Node) -> None:
    if node.whole("version") != VERSION:
        raise InputError(f"{node.place}.version: found {node.whole('version')}, expected {VERSION}")


def _exit(found: object) -> ExitInfo:
    node = _node(found, "exit", {"accuracy": None, "samples": None, "data": None}, ("name", "outputs"))
    return ExitInfo(
        name=node.text("name", empty=True),
        outputs=node.texts("outputs"),
        accuracy=None if node.absent("accuracy") else node.number("accuracy"),
        samples=None if node.absent("samples") else node.whole("samples"),
        data=None if node.absent("data") else node.text("data", empty=True),
    )


def _limits(found: object) -> BoxLimits:
    node = _node(found, "limits", BoxLimits().document())
    iou = None if node.absent("iou") else node.real("iou")
    return BoxLimits(score=node.real("score"), iou=iou, most=node.whole("most"))


def read_preprocessing(found: object) -> Preprocessing:
    """How a picture becomes an input, as a document says it.

    Raises:
        InputError: unknown keys, or no size.
        ModelError: values out of range.
    """
    defaults = {f.name: _as_json(f.default) for f in fields(Preprocessing) if f.default is not MISSING}
    node = _node(found, "pre-processing", defaults, ("size",))
    size = node.reals("size")
    if len(size) != 2 or not all(1 <= side <= _LONGEST_SIDE and side.is_integer() for side in size):
        raise InputError(f"pre-processing.size: found {list(size)}, expected height and width, whole numbers of pixels")
    words = {key: node.text(key) for key in ("resize", "filter", "excess", "color", "layout", "dtype")}
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


def _inputs(found: object) -> dict[str, InputInfo]:
    names = tuple(found) if isinstance(found, dict) else ()
    node = Node(found, "inputs", names)
    return {name: _input(node.values[name], f"inputs.{name}") for name in names}


def _input(found: object, place: str) -> InputInfo:
    node = _node(found, place, InputInfo().document())
    return InputInfo(
        fill=node.text("fill"),  # type: ignore[arg-type]  # it checks itself
        excess=node.text("excess"),  # type: ignore[arg-type]
        example=_example(node),
        preprocessing=None if node.absent("preprocessing") else read_preprocessing(node.values["preprocessing"]),
    )


def _example(node: Node) -> tuple[float, ...] | tuple[str, ...]:
    """Numbers or texts; one alone needs no brackets."""
    value = node.values["example"]
    entries = value if isinstance(value, list) else [value]
    listed = Node({"example": entries}, node.place, ("example",))
    return listed.texts("example") if entries and isinstance(entries[0], str) else listed.reals("example")


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
