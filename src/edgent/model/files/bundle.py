"""A bundle: several model files that answer the same question, as one model.

The files become one graph. Inputs of the same shape and pre-processing are shared; a network that sees pictures in a
size of its own has an input of its own, made of the same picture. Nothing else is shared. Every name of a file but the
first is put behind that file's own name, and the exits of all are numbered in order of their accuracy, so all that
works on a model works on a bundle: a planner sees branches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import onnx

from edgent.errors import ModelError
from edgent.model.metadata import ExitInfo, InputInfo, Metadata


class BundleMember(NamedTuple):
    """One file: its graph, every dimension of its inputs bound, and what it says of itself."""

    path: Path
    proto: onnx.ModelProto
    metadata: Metadata


def join(members: Sequence[BundleMember]) -> tuple[onnx.ModelProto, Metadata]:
    """One model out of several.

    Raises:
        ModelError: files of one name, of other opsets, labels or arrays as inputs, with accuracies unknown or measured
            on other data.
    """
    # A file's name is the prefix of all that is in it: with the same name twice, two tensors would be one.
    _check_names([member.path for member in members])
    first, *others = members
    _check_known(first)
    joined = onnx.ModelProto()
    joined.CopyFrom(first.proto)
    # What the first file says of itself holds for it alone; what all say together takes its place.
    del joined.metadata_props[:]
    metadata = [first.metadata]
    for member in others:
        _check_known(member)
        _check_alike(first, member)
        prefix = prefix_of(member.path)
        shared = [name for name, _ in _inputs(first.proto)] if _reads_alike(first, member) else []
        metadata.append(_behind(member, prefix, shared))
        _append(joined, member.proto, prefix, shared)
    return joined, _together(metadata)


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
    known_inputs = {value.name for value in joined.graph.input}
    joined.graph.input.extend(value for value in graph.input if value.name not in known_inputs)
    for part in ("node", "initializer", "sparse_initializer", "output", "value_info"):
        getattr(joined.graph, part).extend(getattr(graph, part))
    # The standard operators' version is the same in all (`_check_alike`); only other domains are added.
    known = {entry.domain for entry in joined.opset_import}
    joined.opset_import.extend(entry for entry in proto.opset_import if entry.domain not in known)
    joined.ir_version = max(joined.ir_version, proto.ir_version)


def _check_known(member: BundleMember) -> None:
    # Without an accuracy an exit has no number, and an accuracy of other data cannot be compared (`_check_alike`).
    exits = member.metadata.exits
    if not exits or any(exit.accuracy is None for exit in exits):
        raise ModelError(
            f"{member.path}: the accuracy of an exit is unknown, and a bundle orders exits by it: "
            f"edgent evaluate {member.path} --data DIR --embed"
        )


def _behind(member: BundleMember, prefix: str, shared: Collection[str]) -> Metadata:
    """What a member says of itself, under its names in the bundle."""

    def renamed(entry: ExitInfo) -> ExitInfo:
        return replace(entry, name=prefix + entry.name, outputs=tuple(prefix + name for name in entry.outputs))

    metadata = member.metadata
    # Its own input says for itself how a picture becomes it: what the bundle says of pictures is the first file's.
    own = {
        prefix + name: replace(metadata.inputs.get(name, InputInfo()), preprocessing=metadata.preprocessing)
        for name, _ in _inputs(member.proto)
        if name not in shared
    }
    return replace(metadata, exits=tuple(map(renamed, metadata.exits)), inputs=own)


def _together(members: Sequence[Metadata]) -> Metadata:
    exits = [entry for metadata in members for entry in metadata.exits]
    inputs = {name: entry for metadata in members for name, entry in metadata.inputs.items()}
    # From worst to best: the planner takes a later exit for the more accurate one.
    return replace(members[0], exits=tuple(sorted(exits, key=lambda entry: entry.accuracy or 0.0)), inputs=inputs)


def _check_names(paths: Sequence[Path]) -> None:
    stems = [path.stem for path in paths]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise ModelError(f"bundle: two files are called {twice[0]!r}; rename one")


def _check_alike(first: BundleMember, member: BundleMember) -> None:
    ours, theirs = first.metadata, member.metadata
    same = {
        "inputs": _reads_alike(first, member) or (_sees_pictures(first) and _sees_pictures(member)),
        "labels": ours.labels == theirs.labels,
        "task, or what its outputs mean": _answers(ours) == _answers(theirs),
        "opset": opset_of(first.proto) == opset_of(member.proto),
    }
    if differing := [what for what, alike in same.items() if not alike]:
        raise ModelError(f"bundle: {member.path} differs from {first.path} in its {differing[0]}; expected the same")
    if {entry.data for entry in ours.exits} != {entry.data for entry in theirs.exits}:
        raise ModelError(
            f"bundle: {member.path} differs from {first.path} in the data behind the accuracies; measure both on the "
            "same pictures: edgent evaluate FILE --data DIR --embed"
        )


def _reads_alike(first: BundleMember, member: BundleMember) -> bool:
    """Whether the tensors that one takes are those that the other takes."""
    ours, theirs = first.metadata, member.metadata
    return (_inputs(first.proto), ours.preprocessing, dict(ours.inputs)) == (
        _inputs(member.proto),
        theirs.preprocessing,
        dict(theirs.inputs),
    )


def _sees_pictures(member: BundleMember) -> bool:
    """Whether its only input is made of a picture."""
    return member.metadata.preprocessing is not None and len(_inputs(member.proto)) == 1


def _answers(metadata: Metadata) -> object:
    return metadata.task, metadata.head, metadata.post_graph, metadata.limits


def _inputs(proto: onnx.ModelProto) -> list[tuple[str, bytes]]:
    constants = {tensor.name for tensor in proto.graph.initializer}
    constants |= {sparse.values.name for sparse in proto.graph.sparse_initializer}
    return [(v.name, v.type.SerializeToString()) for v in proto.graph.input if v.name not in constants]
