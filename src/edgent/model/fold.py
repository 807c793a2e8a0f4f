"""Constants out of the graph: what needs no input is computed once, by the engine that runs the rest.

Shapes are known once every free dimension has a number, so `Shape` of a tensor is a constant too, and with it the
chains of Gather, Concat and Cast that exporters hang on it. Left in, they would be layers of no work, cuts through them
would be offered, and device and edge would send each other whole numbers that both can compute.

Folding must change no answer, not even in its last bit. So it is the engine that computes, with the kernels that run
the rest; what is not the same at each run, or is rounded otherwise when computed alone, stays where it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgent.errors import EdgentError
from edgent.model.files.weights import Weights
from edgent.model.fold_bounds import MOST_BYTES, Cost, check, cost_of
from edgent.model.shapes import (
    MOVES_ONLY,
    Interpreter,
    bodies,
    dtype_name,
    forget_declarations,
    infer,
    subgraph_reads,
    tensor_of,
)
from edgent.model.values import Tensor

Array = NDArray[np.generic]

_KEEP = {"DequantizeLinear", "QuantizeLinear"}  # a quantised weight is stored small on purpose
_PASSES = 8  # inference and folding feed each other; real exports settle after two or three

# The types that an array can hold. The engine computes with others too, but cannot hand them out.
_HANDED_OUT = {
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip

_HALF = {"float16", "bfloat16"}


def fold(proto: onnx.ModelProto, weights: Weights, interpreter: Interpreter) -> dict[str, onnx.ValueInfoProto]:
    """Folds constants until nothing changes, drops what no output needs; changes the model in place.

    Args:
        proto: a checked model whose inputs have no free dimensions.
        weights: takes the large constants, old and new.
        interpreter: computes them, and knows the shapes that ONNX does not.

    Returns:
        Type and shape of every value by name, as far as they can be known.

    Raises:
        ModelError: shapes that contradict each other, or constants beyond the bounds of `edgent.model.fold_bounds`.
    """
    # Declared shapes may be stale: what is folded must follow from the graph itself.
    forget_declarations(proto.graph)
    # Large constants leave the graph first: every pass copies the graph, and would copy them with it.
    weights.take(proto.graph)
    _drop_unused(proto.graph)
    # What the file itself brought is paid for; only what folding adds counts towards the bound.
    own = {tensor.name: _size(tensor) for tensor in proto.graph.initializer}
    values = infer(proto, interpreter)
    # Each folded shape lets inference find more shapes, and these make more nodes constant.
    for _ in range(_PASSES):
        constants = _Constants(proto, weights, values)
        held = sum(_size(tensor) for tensor in proto.graph.initializer if tensor.name not in own)
        # Cost before computation: a file of a hundred bytes can ask for terabytes (`edgent.model.fold_bounds`).
        check(constants.nodes, constants.wanted(), held=held, most=MOST_BYTES + 2 * sum(own.values()))
        if not constants.replace(interpreter):
            break
        values = infer(proto, interpreter)
    # What folding made useless need not be written to the disk.
    weights.keep(tensor.name for tensor in proto.graph.initializer)
    return values


class _Constants:
    """What is constant in a graph: found first, computed then.

    Attributes:
        arrays: the shapes that nodes ask for, by the name of the output.
        nodes: what can be computed, with its cost, in the graph's order.
    """

    def __init__(self, proto: onnx.ModelProto, weights: Weights, values: Mapping[str, onnx.ValueInfoProto]) -> None:
        self.proto, self.weights, self.values = proto, weights, values
        self.initialisers = {tensor.name: tensor for tensor in proto.graph.initializer}
        self.answers = {value.name for value in proto.graph.output}
        self.opset = max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=0)
        # One pass in the graph's order finds all that is constant, for each node comes after those that it reads.
        self.arrays: dict[str, Array] = {}
        self.nodes: list[tuple[onnx.NodeProto, Cost]] = []
        # "" is an optional input that is left out; it never keeps a node from being constant.
        known = {"", *self.initialisers}
        for node in proto.graph.node:
            # A shape is constant even where its tensor is not, so this does not ask whether the inputs are known.
            if (shape := self._shape_asked(node)) is not None:
                self.arrays[node.output[0]] = shape
            elif known.issuperset(node.input) and (cost := self._cost(node)) is not None:
                self.nodes.append((node, cost))
            else:
                continue
            known.update(node.output)

    def wanted(self) -> list[str]:
        """What the nodes that stay read of the others, whose numbers take their place."""
        # A chain of constant nodes needs numbers only at its end: what is between is never stored.
        # A node that stays (an answer, or a type that no array holds) remains a node, and needs numbers to read.
        computed = [node for node, _ in self.nodes if not self._stays(node)]
        gone = self.arrays.keys() | {name for node in computed for name in node.output if name}
        if not gone:
            return []
        staying = (node for node in self.proto.graph.node if gone.isdisjoint(node.output))
        wanted = gone.intersection(name for node in staying for name in subgraph_reads(node))
        # In the graph's order, so that the same file always gives the same constants in the same order.
        return [name for node in self.proto.graph.node for name in node.output if name in wanted]

    def replace(self, interpreter: Interpreter) -> bool:
        """Puts numbers in the place of nodes.

        Returns:
            Whether anything changed. What the engine refuses stays: it will say so itself when it gets the model.
        """
        arrays = {**self.arrays, **self._computed(interpreter)}
        if not arrays:
            return False
        graph = self.proto.graph
        _keep_nodes(graph, [node for node in graph.node if arrays.keys().isdisjoint(node.output)])
        # Each array is let go once it is stored: together with the stored copies they could take twice the memory.
        for name in list(arrays):
            graph.initializer.append(self.weights.put(name, arrays.pop(name)))
        _drop_unused(graph)
        return True

    def _shape_asked(self, node: onnx.NodeProto) -> Array | None:
        """What a Shape or Size node makes, where the shape is known."""
        # An answer stays what a node makes; see `_stays`.
        is_answer = not self.answers.isdisjoint(node.output)
        if node.op_type not in ("Shape", "Size") or node.domain or is_answer:
            return None
        shape = self._tensor(node.input[0]).shape
        if shape is None:
            return None
        if node.op_type == "Size":
            return np.array(math.prod(shape), dtype=np.int64)
        # Shape takes `start` and `end` from opset 15 on; both may be negative, as in a slice of Python.
        limits = {attribute.name: attribute.i for attribute in node.attribute}
        return np.array(shape[limits.get("start") : limits.get("end")], dtype=np.int64)

    def _cost(self, node: onnx.NodeProto) -> Cost | None:
        """What it costs to compute a node, whose inputs are constant; None where it is not to be computed."""
        # Nodes of other domains and with bodies are left to the engine: nothing here knows their cost or whether they
        # are deterministic.
        if node.domain or node.op_type in _KEEP or _trains(node) or any(True for _ in bodies(node)):
            return None
        # A random number drawn once at loading would be the same in all answers.
        if not _is_deterministic(node.op_type, self.opset):
            return None
        read, written = ([self._tensor(name) for name in side if name] for side in (node.input, node.output))
        return None if _rounds(node, [*read, *written]) else cost_of(node, read, written)

    def _tensor(self, name: str) -> Tensor:
        if name in self.initialisers:
            return _tensor(self.initialisers[name])
        return tensor_of(self.values[name])

    def _stays(self, node: onnx.NodeProto) -> bool:
        """Whether a node is computed only for those behind it, and stays itself: an answer is made by a node."""
        names = [name for name in node.output if name]
        return any(name in self.answers or self._tensor(name).dtype not in _HANDED_OUT for name in names)

    def _computed(self, interpreter: Interpreter) -> dict[str, Array]:
        names = [name for name in self.wanted() if name not in self.arrays]
        if not names:
            return {}
        # A graph of its own with all constant nodes, of which only those are kept that lead to what is wanted: the
        # engine that computes it is the one that runs the rest, so that folding changes no last bit.
        proto = onnx.ModelProto(ir_version=self.proto.ir_version, opset_import=self.proto.opset_import)
        proto.graph.name = "constants"
        proto.graph.node.extend(node for node, _ in self.nodes)
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        _drop_unused(proto.graph)
        feeds = self._supply(proto.graph)
        try:
            return interpreter.compute(proto, feeds)
        # Not an error of ours: the model may still run, only unfolded, and the engine explains itself better.
        except EdgentError:
            return {}

    def _supply(self, graph: onnx.GraphProto) -> dict[str, Array]:
        """Gives a graph the constants that it reads: the large ones are fed, so that none is copied."""
        outputs = {name for node in graph.node for name in node.output}
        feeds: dict[str, Array] = {}
        for name in sorted({name for node in graph.node for name in node.input if name} - outputs):
            if name in self.arrays:
                graph.initializer.append(numpy_helper.from_array(self.arrays[name], name))
            elif name not in self.weights.tensors:
                graph.initializer.append(self.initialisers[name])
            # Large weights are fed, not copied into the graph: protobuf ends at 2 GB.
            elif self._tensor(name).dtype in _HANDED_OUT:
                tensor = self.initialisers[name]
                graph.input.append(onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))
                feeds[name] = self.weights.array(tensor)
            else:
                graph.initializer.append(numpy_helper.from_array(self.weights.array(self.initialisers[name]), name))
        return feeds


@cache
def _is_deterministic(op: str, version: int) -> bool:
    """Whether a node of ONNX's own domain makes the same at each run; no if nobody knows the operator."""
    # ONNX says of each operator and version whether it draws random numbers: so no list of them is kept here.
    try:
        schema: Any = onnx.defs.get_schema(op, version, "")  # its type stub lacks what is asked of it
    except onnx.defs.SchemaError:
        return False
    return bool(schema.node_determinism != onnx.defs.OpSchema.NodeDeterminism.NonDeterministic)


def _trains(node: onnx.NodeProto) -> bool:
    """Whether it is a normalisation that learns: by its mode, or before there was one by its further outputs."""
    # Of constants alone it would normalise by their own mean and variance, and hand out changed statistics.
    mode = any(attribute.name == "training_mode" and attribute.i for attribute in node.attribute)
    return node.op_type == "BatchNormalization" and (mode or len(node.output) > 1)


def _rounds(node: onnx.NodeProto, tensors: Iterable[Tensor]) -> bool:
    """Whether it computes in half precision: an engine rounds such numbers less often where it has the whole chain."""
    return node.op_type not in MOVES_ONLY and any(tensor.dtype in _HALF for tensor in tensors)


def _tensor(initialiser: onnx.TensorProto) -> Tensor:
    return Tensor(
        name=initialiser.name, dtype=dtype_name(initialiser.data_type), shape=tuple(map(int, initialiser.dims))
    )


def _size(initialiser: onnx.TensorProto) -> int:
    return _tensor(initialiser).nbytes or 0


def _drop_unused(graph: onnx.GraphProto) -> None:
    # Backwards from the outputs: all that could read a node has been looked at before it is.
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(subgraph_reads(node))
            kept.append(node)
    _keep_nodes(graph, kept[::-1])
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    if len(weights) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(weights)


def _keep_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    if len(nodes) < len(graph.node):  # a node with a body is costly to copy
        del graph.node[:]
        graph.node.extend(nodes)
