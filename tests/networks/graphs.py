"""Small graphs with seeded weights, one per shape of network, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Builds an ONNX model node by node; each call returns the name of what the node makes."""

    def __init__(self, *, opset: int = 17, batch: int | str = 1, channels: int = 3, side: int = 8) -> None:
        self.opset = opset
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, channels, side, side])]

    def node(self, op: str, *reads: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"{op.lower()}{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(reads), names, name=names[0], **attributes))
        return names[0]

    def constant(self, array: np.ndarray, name: str = "") -> str:
        name = name or f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *shape: int) -> str:
        fan = max(1, int(np.prod(shape[1:])))
        return self.constant((self.random.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def conv(self, x: str, inputs: int, outputs: int, size: int = 3) -> str:
        return self.node(
            "Conv", x, self.weight(outputs, inputs, size, size), self.weight(outputs), pads=[size // 2] * 4
        )

    def model(self, *answers: str) -> onnx.ModelProto:
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in answers]
        graph = helper.make_graph(self.nodes, "g", self.inputs, outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def residual(**options: object) -> onnx.ModelProto:
    g = Graph(**options)
    first = g.node("Relu", g.conv("x", 3, 8))
    inner = g.conv(g.node("Relu", g.conv(first, 8, 8)), 8, 8)
    return g.model(g.node("Relu", g.node("Add", inner, first)))


def dense(**options: object) -> onnx.ModelProto:
    g = Graph(**options)
    one = g.conv("x", 3, 4)
    two = g.conv(g.node("Concat", "x", one, axis=1), 7, 4)
    three = g.conv(g.node("Concat", "x", one, two, axis=1), 11, 4)
    return g.model(g.node("Concat", one, two, three, axis=1))


def inception(**options: object) -> onnx.ModelProto:
    g = Graph(**options)
    stem = g.node("Relu", g.conv("x", 3, 8))
    pooled = g.node("MaxPool", stem, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return g.model(g.node("Concat", g.conv(stem, 8, 4, 1), g.conv(stem, 8, 4, 3), g.conv(pooled, 8, 4, 1), axis=1))


def attention(**options: object) -> onnx.ModelProto:
    g = Graph(**options)
    tokens = g.node("Reshape", "x", g.constant(np.array([1, 3, 64])))
    rows = g.node("Transpose", tokens, perm=[0, 2, 1])
    query, key, value = (g.node("MatMul", rows, g.weight(3, 8)) for _ in range(3))
    scores = g.node("Softmax", g.node("MatMul", query, g.node("Transpose", key, perm=[0, 2, 1])), axis=-1)
    return g.model(g.node("MatMul", g.node("Add", g.node("MatMul", scores, value), query), g.weight(8, 8)))


def shape_chain(**options: object) -> onnx.ModelProto:
    """Flattens through Shape, Gather, Unsqueeze and Concat, as exporters do for a symbolic batch."""
    g = Graph(**options)
    made = g.conv("x", 3, 4)
    size = g.node("Gather", g.node("Shape", made), g.constant(np.array(0)), axis=0)
    lead = g.node("Unsqueeze", size, g.constant(np.array([0])))
    flat = g.node("Reshape", made, g.node("Concat", lead, g.constant(np.array([-1])), axis=0))
    return g.model(g.node("MatMul", flat, g.weight(4 * 64, 5)))


def shared_weights(**options: object) -> onnx.ModelProto:
    g = Graph(**options)
    weight = g.weight(3, 3, 3, 3)
    once = g.node("Conv", "x", weight, pads=[1, 1, 1, 1])
    return g.model(g.node("Conv", g.node("Relu", once), weight, pads=[1, 1, 1, 1]))


def omitted_inputs(**options: object) -> onnx.ModelProto:
    """Clip without its lower bound, Resize without its region of interest."""
    g = Graph(**options)
    clipped = g.node("Clip", g.conv("x", 3, 4), "", g.constant(np.array(0.5, dtype=np.float32)))
    scales = g.constant(np.array([1, 1, 2, 2], dtype=np.float32))
    return g.model(g.conv(g.node("Resize", clipped, "", scales), 4, 2))


def several(**options: object) -> onnx.ModelProto:
    """Two inputs, two outputs, one of them made early."""
    g = Graph(**options)
    g.inputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8]))
    early = g.conv("x", 3, 4)
    return g.model(early, g.node("Add", g.node("Relu", early), g.conv("y", 3, 4)))


GRAPHS: dict[str, Callable[..., onnx.ModelProto]] = {
    function.__name__: function
    for function in (
        residual, dense, inception, attention, shape_chain, shared_weights, omitted_inputs, several,
    )
}  # fmt: skip


def saved(model: onnx.ModelProto, path: Path, **options: object) -> Path:
    onnx.save(model, path, **options)
    return path
