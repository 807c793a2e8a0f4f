"""What a layer costs before anyone measured it: arithmetic, bytes, and the paper's variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx

from edgent.model.shapes import MOVES_ONLY
from edgent.model.values import Branch, Layer

if TYPE_CHECKING:
    from edgent.model.model import Model

Shape = tuple[int, ...]


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
    constants = {tensor.name: tensor for tensor in model.proto.graph.initializer}
    return tuple(_layer_cost(model, layer, constants) for layer in branch.layers)


def branch_flops(model: Model, branch: Branch) -> float | None:
    """Floating point operations of a branch; None where a layer's shapes are unknown."""
    flops = [cost.flops for cost in layer_costs(model, branch)]
    return None if None in flops else math.fsum(value for value in flops if value is not None)


def _layer_cost(model: Model, layer: Layer, constants: dict[str, onnx.TensorProto]) -> LayerCost:
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


def flops(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    """Arithmetic operations of a node, by the shapes of what it reads and of its first output."""
    count = _FLOPS.get(node.op_type) if not node.domain else None
    if count is not None:
        return count(node, inputs, output)
    return float(math.prod(output)) if node.op_type not in MOVES_ONLY else 0.0


def _conv(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return 2.0 * math.prod(output) * math.prod(inputs[1][1:])


def _quantised_conv(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return 2.0 * math.prod(output) * math.prod(inputs[3][1:])  # the weight stands behind the input, its scale and zero


def _conv_transpose(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return 2.0 * math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _gemm(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    transposed = _attribute(node, "transA", 0)
    return 2.0 * math.prod(output) * inputs[0][-2 if transposed else -1]


def _matmul(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return 2.0 * math.prod(output) * inputs[0][-1]


def _pool(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return float(math.prod(output) * math.prod(_attribute(node, "kernel_shape", [1])))


def _global_pool(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return float(math.prod(inputs[0]))


def _lrn(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return float(math.prod(output) * (2 * _attribute(node, "size", 1) + 3))


def _einsum(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    """One multiply-add for each combination of all its letters; what an ellipsis stands for counts in each term."""
    terms = _attribute(node, "equation", b"").decode().replace(" ", "").partition("->")[0].split(",")
    sizes = {letter: size for term, shape in zip(terms, inputs, strict=False) for letter, size in _letters(term, shape)}
    return 2.0 * math.prod(sizes.values())


def _letters(term: str, shape: Shape) -> list[tuple[str, int]]:
    before, dots, after = term.partition("...")
    middle = len(shape) - len(before) - len(after)
    names = [*before, *(f"{dots}{axis - middle}" for axis in range(middle)), *after]
    return list(zip(names, shape, strict=False))


_FLOPS: dict[str, Callable[[onnx.NodeProto, list[Shape], Shape], float]] = {
    "Conv": _conv,
    "ConvInteger": _conv,
    "QLinearConv": _quantised_conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _matmul,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "ReduceMean": _global_pool,
    "LRN": _lrn,
    "LpPool": _pool,
    "Einsum": _einsum,
}


def _paper_variables(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> tuple[float, ...]:
    """The independent variables of the paper's regressions, one tuple per layer type."""
    match node.op_type if not node.domain else "":
        case "Conv":
            stride = _attribute(node, "strides", [1])[0]
            filters, maps, side = inputs[1][0], inputs[0][1], inputs[1][-1]
            return (float(maps), (side / stride) ** 2 * filters)
        case "Relu" | "LRN" | "Dropout":
            return (float(math.prod(inputs[0])),)
        case "MaxPool" | "AveragePool" | "Gemm" | "MatMul" | "GlobalAveragePool" | "GlobalMaxPool":
            return (float(math.prod(inputs[0])), float(math.prod(output)))
        case _:
            return ()


def _is_depthwise(node: onnx.NodeProto, inputs: list[Shape | None]) -> bool:
    if node.op_type != "Conv" or node.domain or not inputs or not inputs[0]:
        return False
    groups = _attribute(node, "group", 1)
    return bool(groups > 1 and inputs[0][1:2] == (groups,))


def _attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default


def _total(sizes: list[int | None]) -> int | None:
    return None if None in sizes else sum(size for size in sizes if size is not None)
