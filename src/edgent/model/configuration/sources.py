"""Where a model's configuration stands, and one document made of it all.

The first source that says something of a key is believed: our own key in the file, `MODEL.edgent.toml` beside it, what
Ultralytics writes into a file, what Hugging Face keeps beside one. Our own two must not differ; what another's says
otherwise is *overruled*, and `edgent inspect` shows it.

`configured` brings the document under our own key of the model as it is read, so whatever looks there afterwards finds
all of it, and writing that model to a file is how a configuration is embedded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from edgent.document import parse
from edgent.errors import InputError, ModelError
from edgent.model.configuration.beside import path_of, read_beside, read_graph
from edgent.model.configuration.document import KEY, TABLES, check_keys, post_graph_of, write_key
from edgent.model.configuration.hugging_face import CONFIG, PICTURES, folder_of, hugging_face
from edgent.model.configuration.ultralytics import NAME, ultralytics

OWN_KEY = f"the file's key {KEY!r}"
HUGGING_FACE = "Hugging Face's files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What all sources say of a model.

    Attributes:
        document: of the keys that any source has.
        origins: the source of each key, those of tables as "preprocessing.size".
        overruled: sources that say otherwise, a sentence each.
        post_graph: the bytes of the graph that `post` names.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    overruled: tuple[str, ...] = ()
    post_graph: bytes = b""


def find(path: Path, proto: onnx.ModelProto, *, beside_first: bool = False, without_beside: bool = False) -> Stated:
    """What all sources say of a model; nothing is checked yet but the names of keys.

    Args:
        path: of the model.
        proto: as it was read.
        beside_first: whether the file beside it is believed before our own key in it, and may say otherwise.
        without_beside: whether that file is left out.

    Raises:
        ModelError: a source is damaged or has an unknown key, or our own two differ.
    """
    try:
        said = [(name, document) for name, document in _sources(path, proto, without_beside) if document]
        if beside_first:
            said.sort(key=lambda source: source[0] != path_of(path).name)  # it first, the others in their order
        document, origins, overruled = _merged(said, strict=not beside_first)
        return Stated(
            document=document,
            origins=origins,
            overruled=tuple(overruled),
            post_graph=_post_graph(path, proto, document, origins),
        )
    except InputError as error:
        raise ModelError(f"{path}: {error}") from None


def configured(path: Path, proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all of its configuration under our own key.

    Raises:
        ModelError: as `find`.
    """
    found = find(path, proto)
    if found.document:
        write_key(proto, found.document, found.post_graph)
    return proto


def files_beside(path: Path) -> tuple[Path, ...]:
    """The files that may hold a model's configuration, whether or not they are there."""
    folder = folder_of(path)
    return path_of(path), folder / CONFIG, folder / PICTURES


def files_named(path: Path) -> tuple[Path, ...]:
    """The files that a configuration beside a model names: labels, a graph for post-processing.

    Raises:
        ModelError: see `read_beside`.
    """
    beside = path_of(path)
    try:
        document = read_beside(beside, with_labels=False)
    except InputError as error:
        raise ModelError(f"{path}: {beside.name}: {error}") from None
    names = (document.get(key) for key in ("labels", "post"))
    return tuple(path.parent / name for name in names if isinstance(name, str) and name)


def _sources(path: Path, proto: onnx.ModelProto, without_beside: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    props = {entry.key: entry.value for entry in proto.metadata_props}
    if KEY in props:
        try:
            yield OWN_KEY, check_keys(parse(props[KEY]))
        except InputError as error:
            raise InputError(f"metadata under the key {KEY!r}: {error}") from None
    beside = path_of(path)
    if not without_beside:
        try:
            yield beside.name, check_keys(read_beside(beside))
        except InputError as error:
            raise InputError(f"{beside.name}: {error}") from None
    yield NAME, ultralytics(props, [_shape(value) for value in proto.graph.output])
    yield HUGGING_FACE, hugging_face(folder_of(path))


_Said = list[tuple[str, dict[str, Any]]]


def _merged(said: _Said, *, strict: bool) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    document: dict[str, Any] = {}
    origins: dict[str, str] = {}
    overruled: list[str] = []
    for source, found in said:
        for place, value in _entries(found):
            if _is_answered_otherwise(place, source, origins):
                continue
            first = origins.setdefault(place, source)
            if first == source:
                _put(document, place, value)
            elif _at(document, place) != value:
                if strict and source not in (NAME, HUGGING_FACE):
                    raise InputError(f"{place} is one thing in {first} and another in {source}; remove one of the two")
                overruled.append(f"{place}: {source} would have {_short(value)}")
    return document, origins, overruled


def _is_answered_otherwise(place: str, source: str, origins: Mapping[str, str]) -> bool:
    """Whether another source has settled what a key is about, though by another key."""
    if place == "preprocessing.crop":
        return origins.get("preprocessing.resize", source) != source
    sized = any(name.startswith("dims.") and origin != source for name, origin in origins.items())
    return place == "preprocessing.size" and sized


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Each key with its value, of tables each key inside."""
    for key, value in document.items():
        if key in TABLES and isinstance(value, dict):
            yield from ((f"{key}.{name}", entry) for name, entry in value.items())
        else:
            yield key, value


def _put(document: dict[str, Any], place: str, value: object) -> None:
    table, _, name = place.partition(".")
    if name:
        document.setdefault(table, {})[name] = value
    else:
        document[place] = value


def _at(document: Mapping[str, Any], place: str) -> object:
    table, _, name = place.partition(".")
    return document[table][name] if name else document[place]


def _post_graph(path: Path, proto: onnx.ModelProto, document: Mapping[str, Any], origins: Mapping[str, str]) -> bytes:
    name = document.get("post")
    if not isinstance(name, str) or not name:
        return b""
    held = post_graph_of(proto) if origins["post"] == OWN_KEY else b""
    return held or read_graph(path.parent, name)


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
