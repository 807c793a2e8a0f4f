"""Networks that mislead a verifier, and models that are not what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.loading import load
from edgent.model import Model
from graphs import Graph

CANCELLED = 1e4  # added and taken away again: what is left keeps the rounding of the large number


def mistaken(original: Path, faulty: Path, **dims: int) -> Model:
    """What runs is one file, and what it says it was made of is another: any mistake of ours."""
    return replace(load(faulty, dims=dims), path=original, members=(original,))


def with_weights(proto: onnx.ModelProto, edit: Callable[[np.ndarray], np.ndarray], only: str = "") -> onnx.ModelProto:
    changed = onnx.ModelProto.FromString(proto.SerializeToString())
    for tensor in changed.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and only in ("", tensor.name):
            tensor.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(tensor)), tensor.name))
    return changed


def noisy() -> onnx.ModelProto:
    """The engine adds the large number inside the convolution when it is whole, and beside it when it is divided."""
    g = Graph()
    large = g.constant(np.full((1, 8, 1, 1), CANCELLED, np.float32))
    lifted = g.node("Add", g.conv("x", 3, 8), large)
    return g.model(g.node("Relu", g.conv(g.node("Sub", lifted, large), 8, 8)))


def sorting() -> onnx.ModelProto:
    """A noisy network that answers with its largest values in order, and their places."""
    proto = noisy()
    graph = proto.graph
    nodes = [
        helper.make_node("Reshape", [graph.output[0].name, "flat"], ["row"]),
        helper.make_node("TopK", ["row", "how_many"], ["values", "places"]),
    ]
    graph.node.extend(nodes)
    graph.initializer.extend([numpy_helper.from_array(np.array([-1]), "flat")])
    graph.initializer.extend([numpy_helper.from_array(np.array([300]), "how_many")])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("values", TensorProto.FLOAT, None))
    graph.output.append(helper.make_tensor_value_info("places", TensorProto.INT64, None))
    return proto


def quantised() -> onnx.ModelProto:
    g = Graph()
    scale, zero = g.constant(np.float32(0.05)), g.constant(np.uint8(128))

    def coded(x: str) -> str:
        return g.node("DequantizeLinear", g.node("QuantizeLinear", x, scale, zero), scale, zero)

    return g.model(coded(g.node("Relu", g.conv(coded("x"), 3, 8))))


def lookup(rows: int) -> onnx.ModelProto:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, [1, 4])]
    return g.model(g.node("MatMul", g.node("Gather", g.weight(rows, 8), "x"), g.weight(8, 8)))


def random_op(op: str, **attributes: object) -> onnx.ModelProto:
    g = Graph()
    steady = g.conv("x", 3, 4)
    return g.model(steady, g.node("Add", steady, g.node(op, steady, **attributes)))
