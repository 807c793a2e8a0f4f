"""The work of a layer, from its shapes alone: arithmetic, bytes, and the paper's variables.

Counted and never measured, so it is the same on every machine; what a machine makes of it in seconds is for `latency`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx

from edgent.model.flops import Shape, attribute_of, flops
from edgent.model.values import Branch, Layer

if TYPE_CHECKING:
    from edgent.model.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """One layer's work for one request; None where a shape is unknown.

    Attributes:
        kind: the ONNX operator, or "Depthwise" for a convolution with one channel per group.
        flops: arithmetic operations, be they of floats or integers; a multiply-add counts two.
        bytes_in: bytes of the tensors read, without weights.
        bytes_out: bytes of the tensors made.
        bytes_weights: bytes of the constants read.
        paper: the paper's independent variables for this layer type (paper, section III: regression models);
            empty for types the paper does not have.
    """

    kind: str
    flops: float | None
    bytes_in: int | None
    bytes_out: int | None
    bytes_weights: int
    paper: tuple[float, ...]


def layer_costs(model: Model, branch: Branch) -> tuple[LayerCost, ...]:
    """The cost of each layer of a branch, in its order."""
    # Looked up once for all layers: a network of thousands of layers has as many constants.
    constants = {tensor.name: tensor for tensor in model.proto.graph.initializer}
    return tuple(_layer_cost(model, layer, constants) for layer in branch.layers)


def branch_flops(model: Model, branch: Branch) -> float | None:
    """Floating point operations of a branch; None where a layer's shapes are unknown."""
    # A sum without an unknown layer would be a smaller number that looks complete.
    flops = [cost.flops for cost in layer_costs(model, branch)]
    return None if None in flops else math.fsum(value for value in flops if value is not None)


def _layer_cost(model: Model, layer: Layer, constants: dict[str, onnx.TensorProto]) -> LayerCost:
    # A layer is a node with the shape-only nodes before it: the last one is what it computes.
    node = model.proto.graph.node[layer.nodes[-1]]
    read = _Reader(model, constants)
    inputs = [read.shape(name) for name in node.input if name]
    outputs = [read.shape(name) for name in node.output if name]
    known_in = [shape for shape in inputs if shape is not None]
    known = bool(outputs) and len(known_in) == len(inputs) and None not in outputs
    weights = {name for index in layer.nodes for name in model.proto.graph.node[index].input if name in constants}
    return LayerCost(
        kind="Depthwise" if _is_depthwise(node, inputs) else node.op_type,
        flops=flops(node, known_in, outputs[0] or ()) if known else None,
        bytes_in=_total([model.tensors[name].nbytes for name in layer.inputs]),
        bytes_out=_total([model.tensors[name].nbytes for name in node.output if name]),
        bytes_weights=sum(read.constant_bytes(name) for name in weights),
        paper=_paper_variables(node, known_in, outputs[0] or ()) if known else (),
    )


class _Reader:
    def __init__(self, model: Model, constants: dict[str, onnx.TensorProto]) -> None:
        self.model = model
        self.constants = constants

    def shape(self, name: str) -> Shape | None:
        if name in self.constants:
            return tuple(self.constants[name].dims)
        tensor = self.model.tensors.get(name)
        return None if tensor is None else tensor.shape

    def constant_bytes(self, name: str) -> int:
        tensor = self.constants[name]
        item: int = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        return int(math.prod(tensor.dims)) * item


def _paper_variables(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> tuple[float, ...]:
    """The independent variables of the paper's regressions, one tuple per layer type."""
    match node.op_type if not node.domain else "":
        case "Conv":
            stride = attribute_of(node, "strides", [1])[0]
            # x1 = input feature maps, x2 = (filter size / stride)^2 x number of filters: the paper's, section III.
            filters, maps, side = inputs[1][0], inputs[0][1], inputs[1][-1]
            return (float(maps), (side / stride) ** 2 * filters)
        case "Relu" | "LRN" | "Dropout":
            return (float(math.prod(inputs[0])),)
        case "MaxPool" | "AveragePool" | "Gemm" | "MatMul" | "GlobalAveragePool" | "GlobalMaxPool":
            return (float(math.prod(inputs[0])), float(math.prod(output)))
        case _:
            return ()


def _is_depthwise(node: onnx.NodeProto, inputs: list[Shape | None]) -> bool:
    # A kind of its own: it reads as many bytes as another convolution and computes a small part of it, so memory and
    # not arithmetic decides its time.
    if node.op_type != "Conv" or node.domain or not inputs or not inputs[0]:
        return False
    groups = attribute_of(node, "group", 1)
    return bool(groups > 1 and inputs[0][1:2] == (groups,))


def _total(sizes: list[int | None]) -> int | None:
    # One unknown size makes the sum unknown: a part of it would pass for the whole.
    return None if None in sizes else sum(size for size in sizes if size is not None)
