"""Constants out of the graph: what can be computed without any input is computed once.

Shapes are known once every free dimension has a number, so `Shape` of a tensor is a constant too, and with it the
chains of Gather, Concat and Cast that exporters hang on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference

from edgent.errors import ModelError
from edgent.model.values import Tensor
from edgent.model.weights import Weights

Array = NDArray[np.generic]

# A quantised weight is stored small on purpose; random numbers differ at each run.
_KEEP = {"DequantizeLinear", "QuantizeLinear", "RandomNormal", "RandomUniform", "Bernoulli", "Multinomial"}
_MOST_BYTES = 2**31  # a file of 100 bytes can ask for any amount (ConstantOfShape)
_PASSES = 4  # inference and folding feed each other; real exports settle after two


def fold(proto: onnx.ModelProto, weights: Weights) -> dict[str, onnx.ValueInfoProto]:
    """Folds constants until nothing changes, drops what no output needs; changes the model in place.

    Args:
        proto: a checked model whose inputs have no free dimensions.
        weights: takes the large constants, old and new.

    Returns:
        Type and shape of every value by name, as far as inference knows them.

    Raises:
        ModelError: shapes that contradict each other, or constants of more than 2 GiB.
    """
    for _ in range(_PASSES):
        weights.take(proto.graph)
        values = _infer(proto)
        if not _Pass(proto, weights, values).run():
            break
    _drop_unused(proto.graph)
    weights.keep(tensor.name for tensor in proto.graph.initializer)
    return values


def tensor_of(value: onnx.ValueInfoProto) -> Tensor:
    """What a value is, as a tensor; dtype None where it is something else (a sequence, say)."""
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.elem_type:
        return Tensor(name=value.name, dtype=None, shape=None)
    shape = None
    if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
        shape = tuple(int(dim.dim_value) for dim in kind.shape.dim)
    return Tensor(name=value.name, dtype=_dtype_name(kind.elem_type), shape=shape)


def subgraph_reads(node: onnx.NodeProto) -> list[str]:
    """Tensors that a node reads: its inputs, and what the bodies of If, Loop and Scan take from around them."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            inside = {value.name for value in body.input} | {tensor.name for tensor in body.initializer}
            inside |= {name for inner in body.node for name in inner.output}
            read = [name for inner in body.node for name in subgraph_reads(inner)]
            names += [name for name in (*read, *(value.name for value in body.output)) if name not in inside]
    return list(dict.fromkeys(names))


def _infer(proto: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    try:
        graph = shape_inference.infer_shapes(proto, data_prop=True).graph
    except Exception as error:
        raise ModelError(f"the shapes in this model contradict each other: {str(error).strip()[:160]}") from error
    values = {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
    for node in graph.node:
        for name in node.output:
            if name:
                values.setdefault(name, onnx.ValueInfoProto(name=name))
    return values


def _dtype_name(elem_type: int) -> str:
    if elem_type == onnx.TensorProto.STRING:
        return "string"
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).name)


class _Pass:
    """One walk over the nodes: each is computed, or kept."""

    def __init__(self, proto: onnx.ModelProto, weights: Weights, values: Mapping[str, onnx.ValueInfoProto]) -> None:
        self.proto = proto
        self.weights = weights
        self.values = values
        self.constants = {tensor.name: tensor for tensor in proto.graph.initializer}
        self.made: dict[str, Array] = {}

    def run(self) -> bool:
        """Whether anything was folded."""
        graph = self.proto.graph
        answers = {value.name for value in graph.output}
        kept = []
        for node in graph.node:
            made = None if answers.intersection(node.output) or node.op_type in _KEEP else self.evaluate(node)
            if made is None:
                kept.append(node)
            else:
                self.made.update(made)
                _refuse_above_limit(sum(array.nbytes for array in self.made.values()))
        if not self.made:
            return False
        del graph.node[:]
        graph.node.extend(kept)
        graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in self.made.items())
        return True

    def evaluate(self, node: onnx.NodeProto) -> dict[str, Array] | None:
        """The node's outputs, or None where they depend on an input."""
        if node.op_type == "Shape" and not node.attribute and node.input[0] in self.values:
            shape = tensor_of(self.values[node.input[0]]).shape
            if shape is not None:
                return {node.output[0]: np.array(shape, dtype=np.int64)}
        reads = [name for name in node.input if name]
        if reads != subgraph_reads(node) or not all(name in self.constants or name in self.made for name in reads):
            return None
        feeds = {name: self.value(name) for name in reads}
        if node.op_type == "ConstantOfShape":
            _refuse_above_limit(math.prod(map(int, feeds[reads[0]])) * 4)
        return _run(node, feeds, self.proto)

    def value(self, name: str) -> Array:
        """The numbers of a constant, old or new."""
        return self.made[name] if name in self.made else self.weights.array(self.constants[name])


def _refuse_above_limit(size: int) -> None:
    if size > _MOST_BYTES:
        raise ModelError(f"the constants of this model take {size:,} bytes, more than {_MOST_BYTES:,}; refused")


def _run(node: onnx.NodeProto, feeds: dict[str, Array], proto: onnx.ModelProto) -> dict[str, Array] | None:
    from onnx.reference import ReferenceEvaluator  # slow to import, and most models fold nothing

    names = [name for name in node.output if name]
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feeds.items()
    ]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
    graph = onnx.helper.make_graph([node], "constant", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=list(proto.opset_import), ir_version=proto.ir_version)
    try:
        arrays = ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # an operator the reference does not know stays a node of the graph
        return None
    if not all(isinstance(array, np.ndarray) for array in arrays):
        return None
    return dict(zip(names, arrays, strict=True))


def _drop_unused(graph: onnx.GraphProto) -> None:
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(subgraph_reads(node))
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(weights)
