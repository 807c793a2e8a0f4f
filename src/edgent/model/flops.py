"""How many operations a node takes, by its shapes: a multiply-add counts two.

By the definition of the operator and not as an engine may compute it: a fast algorithm (Winograd's, say) does fewer
multiplications for the same result, and is then simply quicker per operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import onnx

from edgent.model.shapes import MOVES_ONLY

Shape = tuple[int, ...]


def attribute_of(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """An attribute's value, or what stands for it where it is left out."""
    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default


def flops(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    """Arithmetic operations of a node, by the shapes of what it reads and of its first output."""
    count = _FLOPS.get(node.op_type) if not node.domain else None
    if count is not None:
        return count(node, inputs, output)
    # Element-wise operators: one operation for each result. Operators that only move values do no arithmetic.
    return float(math.prod(output)) if node.op_type not in MOVES_ONLY else 0.0


def _conv(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # Each result is a dot product over channels / groups x height x width of the weights: [filters, channels / groups,
    # ...].
    return 2.0 * math.prod(output) * math.prod(inputs[1][1:])


def _quantised_conv(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    return 2.0 * math.prod(output) * math.prod(inputs[3][1:])  # the weight stands behind the input, its scale and zero


def _conv_transpose(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # Transposed, each input value is spread over the weights, so inputs and not outputs are counted.
    return 2.0 * math.prod(inputs[0]) * math.prod(inputs[1][1:])


def _gemm(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # The inner dimension: the last axis of A, or the one before where A is transposed.
    transposed = attribute_of(node, "transA", 0)
    return 2.0 * math.prod(output) * inputs[0][-2 if transposed else -1]


def _matmul(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # The inner dimension is the last axis of A; leading axes are batches, which the output has too.
    return 2.0 * math.prod(output) * inputs[0][-1]


def _pool(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # One comparison or addition for each value in the window of each result.
    return float(math.prod(output) * math.prod(attribute_of(node, "kernel_shape", [1])))


def _global_pool(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # Each input value is added once.
    return float(math.prod(inputs[0]))


def _lrn(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    # For each result: squares and sum over `size` channels, then scale, power and division.
    return float(math.prod(output) * (2 * attribute_of(node, "size", 1) + 3))


def _einsum(node: onnx.NodeProto, inputs: list[Shape], output: Shape) -> float:
    """One multiply-add for each combination of all its letters; what an ellipsis stands for counts in each term."""
    terms = attribute_of(node, "equation", b"").decode().replace(" ", "").partition("->")[0].split(",")
    sizes = {letter: size for term, shape in zip(terms, inputs, strict=False) for letter, size in _letters(term, shape)}
    return 2.0 * math.prod(sizes.values())


def _letters(term: str, shape: Shape) -> list[tuple[str, int]]:
    # An ellipsis stands for the axes that the letters leave over. They are numbered from the right, as they broadcast.
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
