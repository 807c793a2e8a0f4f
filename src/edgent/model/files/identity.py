"""A model's digest: two models have one digest when they give the same answers for the same reason.

It covers all that changes an answer, and nothing else:

    graph        operators with their domains and attributes, and the names that tie them together, in the file's
                 order; bodies and functions; the versions of the operator sets
    constants    type, shape and bytes of each, wherever it stands
    inputs       name, type and every dimension as it was bound, so each binding of free dimensions has its own digest
    exits        the outputs of each, in their order
    preparation  from a picture to the input; what becomes of arrays of another size
    answers      the task, what the outputs mean, and the graph that makes the answer out of them

Not in it are labels, accuracies, names of exits and nodes, documentation, producers, and what the file says of shapes
in between: any of these may change without changing an answer.

It is the SHA-256 of a *canonical form*: lists and strings, written as JSON with sorted keys. A constant stands in it as
the SHA-256 of its bytes (`edgent.model.files.constants`), so it does not matter whether these lie inside, in another
file, or in several, and each is read once, a piece at a time. An attribute stands in it as the hash of its serialised
form, and the order of attributes, of initialisers and of operator sets has no meaning and is that of their names.

The form is taken from the file as it stands, before dimensions are bound, functions inlined and constants folded: what
these make depends on versions of other libraries, and device and edge need not have the same. `VERSION` is part of the
form: whoever changes it changes every digest.

What a configuration leaves as it was before there was a choice is left out of the form, so that a choice which comes
with a later release changes no digest.

A *bundle* has a digest made of those of its files, and of the order of all its exits, by which they are numbered. So
a device that holds some of the files, and is told the digests of the others, knows the bundle's; and each file can be
checked alone.

The first 12 hex digits are the model's *version*, which travels with every request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from edgent.model.files.constants import HOLDERS, graphs_of, pieces, sparse_of, tensors_of
from edgent.model.metadata import BoxLimits, InputInfo, Metadata

VERSION = 1
APPENDED = 2
"""Of what `edgent.model.tasks` appends: whoever changes a head changes the digest of each model that has one."""


def hashes(tensors: Iterable[onnx.TensorProto], source: Path) -> dict[str, bytes]:
    """SHA-256 of the bytes of each constant, by name.

    Args:
        tensors: of different names.
        source: folder of the model's file.
    """
    return {tensor.name: content_hash(tensor, source) for tensor in tensors}


def content_hash(tensor: onnx.TensorProto, source: Path) -> bytes:
    """SHA-256 of the bytes of a constant."""
    total = hashlib.sha256()
    # A piece at a time: a model may be larger than memory.
    for piece in pieces(tensor, source):
        total.update(piece)
    return total.digest()


def contents(model: onnx.ModelProto, initialisers: Mapping[str, bytes], source: Path) -> str:
    """What a file holds, but for its inputs and its metadata: the SHA-256 of its canonical form.

    Args:
        model: as `read` returns it.
        initialisers: `hashes` of the main graph's.
        source: folder of the model's file.
    """
    return _sha256(_Form(source).model(model, initialisers))


def digest(
    contents: str,
    inputs: Sequence[onnx.ValueInfoProto],
    exits: Iterable[Sequence[str]],
    metadata: Metadata,
) -> str:
    """The digest of a model, 64 hex digits.

    Args:
        contents: of its file.
        inputs: bound.
        exits: the names of the outputs of each.
        metadata: what it says of its inputs and answers.
    """
    form = {
        "version": VERSION,
        "contents": contents,
        # With the bound dimensions: other sizes give another network, with other cuts and other times.
        "inputs": [[value.name, *_type(value.type)] for value in inputs],
        # Which outputs make an exit, and in which order, decides what an answer is.
        "exits": [list(outputs) for outputs in exits],
        "preprocessing": None if metadata.preprocessing is None else metadata.preprocessing.canonical(),
    }
    return _sha256(form | _answers(metadata))


def _answers(metadata: Metadata) -> dict[str, Any]:
    """What is made of inputs and outputs where a configuration says it; nothing where it does not."""
    # Only what differs from the default stands in the form: so a choice that a later release brings changes no digest
    # of a model that does not use it.
    usual = InputInfo().canonical()
    sizings = {name: form for name, entry in metadata.inputs.items() if (form := entry.canonical()) != usual}
    post = hashlib.sha256(metadata.post_graph).hexdigest() if metadata.post else ""
    limits = metadata.limits.document() if metadata.limits != BoxLimits() else None
    appended = APPENDED if metadata.head or metadata.post or metadata.task == "segmentation" else 0
    said = {
        "task": metadata.task,
        "head": metadata.head,
        "post": post,
        "limits": limits,
        "sizings": sizings,
        "appended": appended,
    }
    return {key: value for key, value in said.items() if value}


def bundle_digest(members: Mapping[str, str], exits: Iterable[Sequence[str]]) -> str:
    """The digest of a bundle, 64 hex digits.

    Args:
        members: the digests of its files by name; a name stands before the tensors of each file but the first.
        exits: the names of the outputs of each, in the bundle's order, with what stands before them.
    """
    form = {
        "version": VERSION,
        "members": [list(member) for member in members.items()],
        "exits": [list(outputs) for outputs in exits],
    }
    return _sha256(form)


class _Form:
    """Makes the canonical form of a model whose constants lie in a folder."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def model(self, model: onnx.ModelProto, initialisers: Mapping[str, bytes]) -> dict[str, Any]:
        return {
            "opsets": _opsets(model.opset_import),
            # Inputs are in `digest`, as they were bound.
            "graph": self.graph(model.graph, initialisers) | {"inputs": None},
            "functions": [self.function(function) for function in model.functions],
        }

    def graph(self, graph: onnx.GraphProto, initialisers: Mapping[str, bytes] | None = None) -> dict[str, Any]:
        # The main graph's constants were hashed when the file was read, the large ones at some cost; bodies' are small.
        known = hashes(graph.initializer, self.source) if initialisers is None else initialisers
        return {
            "inputs": [value.name for value in graph.input],
            "outputs": [value.name for value in graph.output],
            # Sorted by name: the order of initialisers has no meaning, and exporters change it.
            "constants": sorted([t.name, t.data_type, list(t.dims), known[t.name].hex()] for t in graph.initializer),
            "sparse": sorted([sparse.values.name, *self.sparse(sparse)] for sparse in graph.sparse_initializer),
            # Nodes keep their order: cuts count layers in it, so two orders are two models to a plan.
            "nodes": [self.node(node) for node in graph.node],
        }

    def function(self, function: onnx.FunctionProto) -> dict[str, Any]:
        return {
            "name": [function.domain, function.name, function.overload],
            "opsets": _opsets(function.opset_import),
            "inputs": list(function.input),
            "outputs": list(function.output),
            "attributes": [sorted(function.attribute), self.attributes(function.attribute_proto)],
            "nodes": [self.node(node) for node in function.node],
        }

    def node(self, node: onnx.NodeProto) -> list[Any]:
        operator = [_domain(node.domain), node.op_type, node.overload]
        # Without the node's name: it is for people. The names of tensors stay, for they tie the graph together.
        # Renaming one tensor consistently changes the digest, although no answer: that errs on the safe side.
        return [*operator, list(node.input), list(node.output), self.attributes(node.attribute)]

    def attributes(self, attributes: Iterable[onnx.AttributeProto]) -> list[Any]:
        return [[a.name, self.attribute(a)] for a in sorted(attributes, key=lambda attribute: attribute.name)]

    def attribute(self, attribute: onnx.AttributeProto) -> Any:
        # Constants and bodies inside an attribute count by content, wherever their bytes lie.
        if attribute.type in HOLDERS:
            tensors = [self.tensor(tensor) for tensor in tensors_of(attribute)]
            sparse = [self.sparse(tensor) for tensor in sparse_of(attribute)]
            return [tensors, sparse, [self.graph(body) for body in graphs_of(attribute)]]
        # Documentation changes no answer. The attribute is copied, for the caller's model must stay as it is.
        if attribute.doc_string:
            attribute = onnx.AttributeProto.FromString(attribute.SerializeToString())
            attribute.ClearField("doc_string")
        # `deterministic` fixes the order of map fields, which protobuf leaves open otherwise.
        return hashlib.sha256(attribute.SerializeToString(deterministic=True)).hexdigest()

    def tensor(self, tensor: onnx.TensorProto) -> list[Any]:
        return [tensor.data_type, list(tensor.dims), content_hash(tensor, self.source).hex()]

    def sparse(self, sparse: onnx.SparseTensorProto) -> list[Any]:
        return [list(sparse.dims), self.tensor(sparse.values), self.tensor(sparse.indices)]


def _opsets(imports: Iterable[onnx.OperatorSetIdProto]) -> list[tuple[str, int]]:
    # An operator may mean another thing in another version of its set, so versions count; their order does not.
    return sorted((_domain(entry.domain), entry.version) for entry in imports)


def _domain(name: str) -> str:
    """The standard operators' domain has two names, "" and "ai.onnx", which must give one digest."""
    return "" if name == "ai.onnx" else name


def _type(kind: onnx.TypeProto) -> list[Any]:
    # Sequences and maps are rare as inputs: their serialised form is exact, and has no dimension that could be bound.
    if not kind.HasField("tensor_type"):
        return [kind.SerializeToString(deterministic=True).hex()]
    tensor = kind.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim]
    return [tensor.elem_type, dims if tensor.HasField("shape") else None]


def _sha256(form: dict[str, Any]) -> str:
    # Keys are sorted and white space is always json's own, so one form has one text on every machine.
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
