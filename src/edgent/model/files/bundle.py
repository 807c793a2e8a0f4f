"""A bundle: several model files that answer the same question, as one model.

The files become one graph over the inputs that they share; nothing else is shared. Every name of a file but the first
is put behind that file's own name, and the exits of all are numbered in order of their accuracy, so all that works on
a model works on a bundle: a planner sees branches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from edgent.errors import ModelError
from edgent.model.configuration.document import metadata_of, write_key
from edgent.model.files.constants import all_tensors
from edgent.model.files.external import is_external
from edgent.model.metadata import ExitInfo, Metadata


def join(files: Sequence[tuple[Path, onnx.ModelProto]]) -> onnx.ModelProto:
    """One model out of several, as `read` returns them.

    Raises:
        ModelError: files of one name, of other inputs, opsets, labels or pre-processing, with accuracies unknown or
            measured on other data, or with weights in files of their own.
    """
    # A file's name is the prefix of all that is in it: with the same name twice, two tensors would be one.
    _check_names([path for path, _ in files])
    (first_path, first), *others = files
    joined = onnx.ModelProto()
    joined.CopyFrom(first)
    inputs = {name for name, _ in _inputs(first)}
    metadata = [_known(first_path, first)]
    for path, proto in others:
        _check_alike(first_path, first, path, proto)
        prefix = prefix_of(path)
        metadata.append(_behind(_known(path, proto), prefix))
        _append(joined, proto, prefix, inputs)
    # What the first file says of itself holds for it alone; what all say together takes its place.
    del joined.metadata_props[:]
    together = _together(metadata)
    write_key(joined, together.document(), together.post_graph)
    return joined


def prefix_of(path: Path) -> str:
    """What stands before the names of a bundle's file, but for the first file and the inputs that all share."""
    return f"{path.stem}/"


def put_behind(graph: onnx.GraphProto, prefix: str, kept: Collection[str] = ()) -> None:
    """Puts every name of a graph, and of the bodies in it, behind a prefix, but for those kept."""

    def renamed(name: str) -> str:
        # "" is an optional input that is left out, and stays so.
        return name if not name or name in kept else prefix + name

    for node in graph.node:
        node.name = renamed(node.name)
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                put_behind(body, prefix, kept)
    sparse = [entry.values for entry in graph.sparse_initializer]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer, *sparse):
        value.name = renamed(value.name)


def opset_of(proto: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    return max(int(entry.version) for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))


def _append(joined: onnx.ModelProto, proto: onnx.ModelProto, prefix: str, inputs: Collection[str]) -> None:
    graph = onnx.GraphProto()
    graph.CopyFrom(proto.graph)
    put_behind(graph, prefix, inputs)
    for part in ("node", "initializer", "sparse_initializer", "output", "value_info"):
        getattr(joined.graph, part).extend(getattr(graph, part))
    # The standard operators' version is the same in all (`_check_alike`); only other domains are added.
    known = {entry.domain for entry in joined.opset_import}
    joined.opset_import.extend(entry for entry in proto.opset_import if entry.domain not in known)
    joined.ir_version = max(joined.ir_version, proto.ir_version)


def _known(path: Path, proto: onnx.ModelProto) -> Metadata:
    # Without an accuracy an exit has no number, and an accuracy of other data cannot be compared (`_check_alike`).
    metadata = metadata_of(proto)
    if not metadata.exits or any(exit.accuracy is None for exit in metadata.exits):
        raise ModelError(f"{path}: the accuracy of an exit is unknown, and a bundle orders exits by it; evaluate it")
    return metadata


def _behind(metadata: Metadata, prefix: str) -> Metadata:
    def renamed(entry: ExitInfo) -> ExitInfo:
        return replace(entry, name=prefix + entry.name, outputs=tuple(prefix + name for name in entry.outputs))

    return replace(metadata, exits=tuple(map(renamed, metadata.exits)))


def _together(members: Sequence[Metadata]) -> Metadata:
    exits = [entry for metadata in members for entry in metadata.exits]
    # From worst to best: the planner takes a later exit for the more accurate one.
    return replace(members[0], exits=tuple(sorted(exits, key=lambda entry: entry.accuracy or 0.0)))


def _check_names(paths: Sequence[Path]) -> None:
    stems = [path.stem for path in paths]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise ModelError(f"bundle: two files are called {twice[0]!r}; rename one")


def _check_alike(first_path: Path, first: onnx.ModelProto, path: Path, proto: onnx.ModelProto) -> None:
    ours, theirs = _known(first_path, first), _known(path, proto)
    same = {
        "inputs": _inputs(first) == _inputs(proto),
        "labels": ours.labels == theirs.labels,
        "pre-processing": ours.preprocessing == theirs.preprocessing,
        "task, or what its outputs mean": _answers(ours) == _answers(theirs),
        "opset": opset_of(first) == opset_of(proto),
        "data behind the accuracies": {e.data for e in ours.exits} == {e.data for e in theirs.exits},
    }
    if differing := [what for what, alike in same.items() if not alike]:
        raise ModelError(f"bundle: {path} differs from {first_path} in its {differing[0]}; expected the same")
    # Functions have names of their own, and weights in other files are found from the folder of one file: neither can
    # be put behind a prefix.
    if proto.functions or first.functions or any(map(is_external, (*all_tensors(first), *all_tensors(proto)))):
        raise ModelError(f"bundle: {path} or {first_path} has functions or weights in other files; save them inlined")


def _answers(metadata: Metadata) -> object:
    return metadata.task, metadata.head, metadata.post_graph, metadata.limits, dict(metadata.inputs)


def _inputs(proto: onnx.ModelProto) -> list[tuple[str, bytes]]:
    constants = {tensor.name for tensor in proto.graph.initializer}
    constants |= {sparse.values.name for sparse in proto.graph.sparse_initializer}
    return [(v.name, v.type.SerializeToString()) for v in proto.graph.input if v.name not in constants]
