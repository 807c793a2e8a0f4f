"""Builds small ONNX graphs out of random numbers, keeping count of every shape on the way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgent.model.model import Segment
from edgent.model.values import Tensor

Shape = tuple[int, ...]
OPSET = 17
_IR_VERSION = 8
# Repeated for all weights: drawing new numbers for each would take long for large layers, and change no timing.
_POOL = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32)


class Builder:
    """Builds one graph; every layer is a method that takes and returns names of tensors.

    The weights repeat one short list of random numbers: the graphs are for timing, their answers mean nothing.
    """

    def __init__(self) -> None:
        self.shapes: dict[str, Shape] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[str] = []

    def input(self, shape: Shape) -> str:
        """An input of the graph."""
        name = f"input{len(self._inputs)}"
        self.shapes[name] = shape
        self._inputs.append(name)
        return name

    def node(self, op: str, inputs: list[str], shape: Shape, **attributes: Any) -> str:
        """Any node with one output of a known shape; node and output have the same name."""
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.shapes[name] = shape
        return name

    def also(self, name: str, shape: Shape, what: str = "other") -> str:
        """Another output of the node that was added last, by that node's name; returns its own."""
        other = f"{name}_{what}"
        self._nodes[-1].output.append(other)
        self.shapes[other] = shape
        return other

    def like(self, op: str, x: str, *more: str, **attributes: Any) -> str:
        """A node whose output has the shape of its first input."""
        return self.node(op, [x, *more], self.shapes[x], **attributes)

    def constant(self, shape: Shape, scale: float = 1.0, shift: float = 0.0) -> str:
        """A constant of random weights."""
        numbers = np.resize(_POOL, math.prod(shape)) * np.float32(scale) + np.float32(shift)
        return self._initialiser(TensorProto.FLOAT, shape, numbers.astype(np.float32).tobytes())

    def integers(self, *numbers: int) -> str:
        """A constant list of whole numbers: a shape, axes."""
        return self._initialiser(TensorProto.INT64, (len(numbers),), np.array(numbers, np.int64).tobytes())

    def segment(self, asked: list[str]) -> Segment:
        """The graph as a segment that an engine can run, with its weights inside."""
        graph = helper.make_graph(
            self._nodes, "specimen", [self._value(n) for n in self._inputs], [self._value(n) for n in asked]
        )
        graph.initializer.extend(self._constants)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)
        inputs, ends = ([self._tensor(name) for name in names] for names in (self._inputs, asked))
        return Segment(given=tuple(inputs), asked=tuple(ends), proto=proto.SerializeToString(), weights=Path())

    def _initialiser(self, kind: int, shape: Shape, raw: bytes) -> str:
        name = f"w{len(self._constants)}"
        self._constants.append(TensorProto(name=name, data_type=kind, dims=shape, raw_data=raw))
        return name

    def _value(self, name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name])

    def _tensor(self, name: str) -> Tensor:
        return Tensor(name=name, dtype="float32", shape=self.shapes[name])

    # --- layers ---------------------------------------------------------------------------------------------------

    def conv(
        self, x: str, maps: int, side: int | tuple[int, ...] = 3, *, stride: int = 1, groups: int = 1,
        bias: bool = True, padded: bool = True, eight_bit: bool = False,
    ) -> str:  # fmt: skip
        """A convolution in two dimensions, or in as many as `side` has; `padded` keeps the map's size at stride 1."""
        batch, channels, *size = self.shapes[x]
        kernel = (side, side) if isinstance(side, int) else side
        pads = [k // 2 if padded else 0 for k in kernel]
        out = [(length + 2 * pad - k) // stride + 1 for length, pad, k in zip(size, pads, kernel, strict=True)]
        # Scaled by the fan-in, so that activations neither vanish nor explode: subnormal or infinite numbers are
        # slower.
        fan = channels // groups * math.prod(kernel)
        shape = (maps, channels // groups, *kernel)
        inputs = [x, self.quantised_constant(shape) if eight_bit else self.constant(shape, scale=fan**-0.5)]
        inputs += [self.constant((maps,), scale=0.1)] if bias else []
        return self.node(
            "Conv", inputs, (batch, maps, *out),
            kernel_shape=kernel, strides=[stride] * len(kernel), pads=pads * 2, group=groups,
        )  # fmt: skip

    def norm(self, x: str) -> str:
        """Batch normalisation."""
        shape = (self.shapes[x][1],)
        numbers = [self.constant(shape, 0.1, 1.0), self.constant(shape, 0.1), self.constant(shape, 0.1)]
        return self.like("BatchNormalization", x, *numbers, self.constant(shape, 0.01, 1.0))

    def activation(self, x: str, kind: str) -> str:
        """An activation by name; composed ones become the nodes that exporters write."""
        if kind == "Clip":
            return self.like("Clip", x, self._scalar(0.0), self._scalar(6.0))
        if kind == "Silu":
            return self.like("Mul", x, self.like("Sigmoid", x))
        if kind == "Gelu":
            scaled = self.like("Div", x, self._scalar(math.sqrt(2.0)))
            grown = self.like("Add", self.like("Erf", scaled), self._scalar(1.0))
            return self.like("Mul", self.like("Mul", x, grown), self._scalar(0.5))
        return self.like(kind, x)

    def pool(self, kind: str, x: str, side: int, stride: int, *, padded: bool = True) -> str:
        """MaxPool or AveragePool."""
        batch, channels, *size = self.shapes[x]
        pad = side // 2 if padded else 0
        out = [(length + 2 * pad - side) // stride + 1 for length in size]
        return self.node(
            kind, [x], (batch, channels, *out),
            kernel_shape=[side, side], strides=[stride, stride], pads=[pad] * 4,
        )  # fmt: skip

    def mean(self, x: str) -> str:
        """Global average pooling."""
        return self.node("GlobalAveragePool", [x], (*self.shapes[x][:2], 1, 1))

    def concat(self, parts: list[str], axis: int = 1) -> str:
        """Concatenation."""
        shape = list(self.shapes[parts[0]])
        shape[axis] = sum(self.shapes[part][axis] for part in parts)
        return self.node("Concat", parts, tuple(shape), axis=axis)

    def add(self, x: str, y: str) -> str:
        """A sum of two tensors of one shape."""
        return self.like("Add", x, y)

    def reshape(self, x: str, *shape: int) -> str:
        """Another shape of the same elements."""
        return self.node("Reshape", [x, self.integers(*shape)], shape)

    def transpose(self, x: str, *order: int) -> str:
        """Axes in another order."""
        return self.node("Transpose", [x], tuple(self.shapes[x][axis] for axis in order), perm=order)

    def corner(self, x: str) -> str:
        """The first number of a tensor: the whole tensor is computed, but next to nothing is returned."""
        zeros, ones = ([number] * len(self.shapes[x]) for number in (0, 1))
        return self.node("Slice", [x, self.integers(*zeros), self.integers(*ones)], tuple(ones))

    def gemm(self, x: str, width: int) -> str:
        """A fully connected layer on (batch, features)."""
        rows, features = self.shapes[x]
        weights = self.constant((width, features), scale=features**-0.5)
        return self.node("Gemm", [x, weights, self.constant((width,), 0.1)], (rows, width), transB=1)

    def linear(self, x: str, width: int, *, bias: bool = True) -> str:
        """A fully connected layer on the last axis, as exporters write it for tokens."""
        *lead, features = self.shapes[x]
        weights = self.constant((features, width), scale=features**-0.5)
        product = self.node("MatMul", [x, weights], (*lead, width))
        return self.like("Add", product, self.constant((width,), 0.1)) if bias else product

    def matmul(self, x: str, y: str) -> str:
        """A product of two computed tensors."""
        return self.node("MatMul", [x, y], (*self.shapes[x][:-1], self.shapes[y][-1]))

    def scaled(self, x: str, factor: float) -> str:
        """A product with one number."""
        return self.like("Mul", x, self._scalar(factor))

    def layer_norm(self, x: str) -> str:
        """Layer normalisation over the last axis."""
        width = (self.shapes[x][-1],)
        return self.like("LayerNormalization", x, self.constant(width, 0.1, 1.0), self.constant(width, 0.1), axis=-1)

    def resize(self, x: str, factor: int, mode: str) -> str:
        """Upsampling by a whole factor."""
        batch, channels, height, width = self.shapes[x]
        name = self._initialiser(TensorProto.FLOAT, (4,), np.array([1, 1, factor, factor], np.float32).tobytes())
        shape = (batch, channels, height * factor, width * factor)
        return self.node(
            "Resize", [x, "", name], shape, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )

    def transposed(self, x: str, maps: int, factor: int) -> str:
        """A transposed convolution that enlarges a map by a whole factor."""
        batch, channels, height, width = self.shapes[x]
        weights = self.constant((channels, maps, factor, factor), scale=channels**-0.5)
        return self.node(
            "ConvTranspose", [x, weights, self.constant((maps,), 0.1)],
            (batch, maps, height * factor, width * factor), kernel_shape=[factor] * 2, strides=[factor] * 2,
        )  # fmt: skip

    def recurrent(self, kind: str, x: str, hidden: int) -> str:
        """An LSTM or GRU over (steps, batch, features), in one direction."""
        steps, batch, features = self.shapes[x]
        rows = {"LSTM": 4, "GRU": 3}[kind] * hidden
        weights = [self.constant((1, rows, length), scale=length**-0.5) for length in (features, hidden)]
        y = self.node(
            kind, [x, *weights, self.constant((1, 2 * rows), 0.1)], (steps, 1, batch, hidden), hidden_size=hidden
        )
        return self.reshape(y, steps, batch, hidden)

    def split(self, x: str) -> tuple[str, str]:
        """Two halves of the channels."""
        shape = self.shapes[x]
        half = self.node("Split", [x], (shape[0], shape[1] // 2, *shape[2:]), axis=1)
        return half, self.also(half, self.shapes[half])

    def reduced(self, kind: str, x: str) -> str:
        """A reduction over the last axis, which stays with length 1."""
        axes = {"axes": [-1]} if kind != "ReduceSum" else {}
        more = [self.integers(-1)] if kind == "ReduceSum" else []
        return self.node(kind, [x, *more], (*self.shapes[x][:-1], 1), keepdims=1, **axes)

    def quantised(self, x: str) -> str:
        """The same numbers by way of 8 bits; what lies between two of these runs in 8 bits where an engine can."""
        scale, zero = self._scalar(0.05), self._initialiser(TensorProto.UINT8, (), bytes([0]))
        return self.like("DequantizeLinear", self.like("QuantizeLinear", x, scale, zero), scale, zero)

    def quantised_now(self, x: str) -> tuple[str, str, str]:
        """The numbers in 8 bits, with the scale and the zero point that are computed from them."""
        y = self.like("DynamicQuantizeLinear", x)
        return y, self.also(y, (), "scale"), self.also(y, (), "zero")

    def integer_conv(self, x: str, zero: str, maps: int, side: int) -> str:
        """A convolution of numbers of 8 bits with weights of 8 bits, padded."""
        batch, channels, *size = self.shapes[x]
        # Without a sign, as quantisers write them: with one, ONNX Runtime takes four times as long.
        weights = self._eight_bit((maps, channels, side, side), TensorProto.UINT8)
        return self.node(
            "ConvInteger", [x, weights, zero], (batch, maps, *size), kernel_shape=[side] * 2, pads=[side // 2] * 4
        )

    def integer_product(self, x: str, zero: str, width: int) -> str:
        """A product of numbers of 8 bits with weights of 8 bits."""
        *lead, features = self.shapes[x]
        return self.node("MatMulInteger", [x, self._eight_bit((features, width)), zero], (*lead, width))

    def quantised_constant(self, shape: Shape) -> str:
        """Weights of 8 bits with a scale for all."""
        zero = self._initialiser(TensorProto.INT8, (), bytes([0]))
        return self.node("DequantizeLinear", [self._eight_bit(shape), self._scalar(0.002), zero], shape)

    def _eight_bit(self, shape: Shape, kind: int = TensorProto.INT8) -> str:
        numbers = np.resize(_POOL, math.prod(shape)) * np.float32(40)
        return self._initialiser(kind, shape, numbers.clip(-127, 127).astype(np.int8).tobytes())

    def _scalar(self, number: float) -> str:
        return self._initialiser(TensorProto.FLOAT, (), np.float32(number).tobytes())
