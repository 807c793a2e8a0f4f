"""Types and shapes of every value: inferred afresh, whatever the file declares; where ONNX stops, the engine is asked.

A declaration may be wrong or stale. Sizes and cuts would be wrong with it, and an engine that is given it in a piece of
the model refuses the piece, or forgets the shapes that follow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import shape_inference

from edgent.errors import EdgentError, ModelError
from edgent.model.values import Tensor

# They do no arithmetic: no operations are counted for them, and folding them in half precision rounds nothing.
MOVES_ONLY = {
    "Cast", "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip

# The operators whose values ONNX's data propagation computes while it infers shapes.
_FOLLOWED = {"Add", "Cast", "Concat", "Gather", "Mul", "Size", "Slice", "Squeeze", "Sub", "Unsqueeze"}
_MOST_FOLLOWED = 2**18  # numbers; they take some 20 MB
_MOST_RANK = 64


class Interpreter(Protocol):
    """The engine, as far as loading needs it. Both raise an EdgentError where it does not take the graph."""

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs of a graph, by the kernels that a session uses."""

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        """Type and shape of each output of a graph, which is not run."""


def forget_declarations(graph: onnx.GraphProto) -> None:
    """Drops what a file says of its outputs, and of intermediate values, also in bodies."""
    # Inference keeps a declaration that is there, right or wrong, and infers only what is missing.
    for value in graph.output:
        value.ClearField("type")
    for body in (graph, *_all_bodies(graph)):
        del body.value_info[:]


def infer(proto: onnx.ModelProto, interpreter: Interpreter) -> dict[str, onnx.ValueInfoProto]:
    """Type and shape of every value by name, as far as they can be known.

    Args:
        proto: without declarations; what the engine says is added to it as such.
        interpreter: is asked where operators of other domains leave something unknown.

    Raises:
        ModelError: the graph is no graph to ONNX's inference.
    """
    # ONNX's own inference first: it takes milliseconds, where an engine takes as long as for making a session.
    values = _inferred(proto)
    asked = {value.name for value in proto.graph.value_info}
    unknown = [name for name in values if name not in asked and tensor_of(values[name]).shape is None]
    # Only other domains: for ONNX's own operators the engine knows no more than inference does, and asking costs a
    # session.
    if unknown and any(node.domain for node in all_nodes(proto.graph)):
        # As a declaration, so that inference goes on from it to everything behind.
        proto.graph.value_info.extend(_described(proto, unknown, interpreter))
        values = _inferred(proto)
    return values


def tensor_of(value: onnx.ValueInfoProto) -> Tensor:
    """What a value is, as a tensor; dtype None where it is something else (a sequence, say) or nobody knows."""
    kind = value.type.tensor_type
    # Sequences, maps and optionals have no size that could be planned with.
    if not value.type.HasField("tensor_type") or not kind.elem_type:
        return Tensor(name=value.name, dtype=None, shape=None)
    shape = None
    # A dimension of 0 is a size; only a missing or negative one is unknown.
    if kind.HasField("shape") and all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in kind.shape.dim):
        shape = tuple(int(dim.dim_value) for dim in kind.shape.dim)
    return Tensor(name=value.name, dtype=dtype_name(kind.elem_type), shape=shape)


@cache
def dtype_name(elem_type: int) -> str:
    """Numpy's name for a type of ONNX."""
    # Numpy would call it an object, which says nothing.
    if elem_type == onnx.TensorProto.STRING:
        return "string"
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).name)


def output_shapes(
    node: onnx.NodeProto,
    opset: int,
    shapes: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, onnx.TensorProto],
) -> dict[str, tuple[int, ...]]:
    """Shapes of a node's outputs, of those that follow from what it reads.

    Args:
        node: by itself; one whose activation an engine has fused in makes what it makes without.
        opset: the version of ONNX's operators.
        shapes: of the tensors that it reads.
        constants: those that it reads; of weights that lie in another file only the shape counts.
    """
    kind = node.op_type.removeprefix("Fused")
    read = [name for name in node.input if name]
    if not onnx.defs.has(kind, opset, "") or not all(name in shapes or name in constants for name in read):
        return {}
    schema = onnx.defs.get_schema(kind, opset)
    known = [attribute for attribute in node.attribute if attribute.name in schema.attributes]
    bare = onnx.NodeProto(op_type=kind, input=node.input, output=node.output, attribute=known)
    types = {
        name: onnx.helper.make_tensor_type_proto(
            constants[name].data_type if name in constants else onnx.TensorProto.FLOAT,
            constants[name].dims if name in constants else shapes[name],
        )
        for name in read
    }
    values = {name: constants[name] for name in read if name in constants and not constants[name].external_data}
    try:
        made = shape_inference.infer_node_outputs(schema, bare, types, values)
    # Of C++, and of several types: the types of what is computed are not known here, and are not all floats.
    except Exception:
        return {}
    tensors = (tensor_of(onnx.ValueInfoProto(name=name, type=kind)) for name, kind in made.items())
    return {tensor.name: tensor.shape for tensor in tensors if tensor.shape is not None}


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node: those of If, Loop and Scan."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node of a graph, and of the bodies inside it."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from all_nodes(body)


def subgraph_reads(node: onnx.NodeProto) -> list[str]:
    """Tensors that a node reads: its inputs, and what the bodies of If, Loop and Scan take from around them."""
    names = [name for name in node.input if name]
    # A body sees the names around it. What it neither takes as input nor makes itself it reads from outside, so the
    # node depends on that tensor although it is not among its inputs.
    for body in bodies(node):
        inside = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
        inside |= {name for inner in body.node for name in inner.output}
        read = [name for inner in body.node for name in subgraph_reads(inner)]
        names += [name for name in (*read, *(value.name for value in body.output)) if name not in inside]
    return list(dict.fromkeys(names))


def _all_bodies(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    return (body for node in all_nodes(graph) for body in bodies(node))


def _inferred(proto: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    try:
        bare = _without_body_shapes(proto)
        graph = shape_inference.infer_shapes(bare, data_prop=_are_few(proto.graph)).graph
    # Inference raises types of its own, from C++; whatever they are, the file is at fault.
    except Exception as error:
        raise ModelError(f"the shapes in this model contradict each other: {str(error).strip()[:160]}") from error
    values = {value.name: value for value in (*graph.output, *graph.value_info, *graph.input)}
    # What inference says nothing of is a value all the same: it may cross a cut, though nobody knows its size.
    for node in graph.node:
        for name in node.output:
            if name:
                values.setdefault(name, onnx.ValueInfoProto(name=name))
    return values


def _are_few(graph: onnx.GraphProto) -> bool:
    """Whether inference may follow the numbers of shapes through the graph: it holds each, and Concat doubles them."""
    counts = {t.name: math.prod(t.dims) for t in graph.initializer if t.data_location != onnx.TensorProto.EXTERNAL}
    # Counted in the graph's order, in which every tensor is made before it is read.
    total = 0
    for node in all_nodes(graph):
        if node.op_type in ("Constant", "Shape"):
            # A constant holds no more numbers than it has bytes, and a shape no more than a tensor has dimensions.
            count = node.ByteSize() + _MOST_RANK
        elif node.op_type in _FOLLOWED:
            read = [counts.get(name, 0) for name in node.input]
            # An upper bound: the other operators make at most as many numbers as their largest input has.
            count = sum(read) if node.op_type == "Concat" else max(read, default=0)
        else:
            continue
        counts.update(dict.fromkeys(node.output, count))
        total += count
    return total <= _MOST_FOLLOWED


def _without_body_shapes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy for inference, where there are bodies: to run them, an engine needs the shapes that Scan declares."""
    if not any(True for _ in _all_bodies(proto.graph)):
        return proto
    # The model itself keeps the declarations, for the engine; only what inference reads goes without.
    bare = onnx.ModelProto()
    bare.CopyFrom(proto)
    for body in _all_bodies(bare.graph):
        # Inference would trust these declarations, which may be as wrong as any other.
        for value in (*body.input, *body.output):
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    return bare


def _described(proto: onnx.ModelProto, names: Iterable[str], interpreter: Interpreter) -> list[onnx.ValueInfoProto]:
    """What the engine says of values; nothing where it does not take the graph."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    # Every unknown value becomes an output, so that the engine says what each of them is.
    del whole.graph.output[:], whole.graph.initializer[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    for tensor in proto.graph.initializer:
        # Large weights become inputs: their values do not matter for shapes, and copying them would.
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            whole.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        else:
            whole.graph.initializer.append(tensor)
    try:
        tensors = interpreter.describe(whole)
    except EdgentError:
        return []
    return [_value_of(tensor) for tensor in tensors.values() if tensor.dtype is not None]


def _value_of(tensor: Tensor) -> onnx.ValueInfoProto:
    if tensor.dtype == "string":
        kind = onnx.TensorProto.STRING
    else:
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return onnx.helper.make_tensor_value_info(tensor.name, kind, tensor.shape)
