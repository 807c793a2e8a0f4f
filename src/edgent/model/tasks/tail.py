"""Nodes behind the outputs of a graph, written for every opset from 11 on."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgent.model.shapes import subgraph_reads
from edgent.model.values import Tensor

FIRST_OPSET = 11
"""Before it TopK, NonMaxSuppression and Gather were others."""

_AXES_ARE_AN_INPUT = 18  # the opset since which a reduction is told its axes by a tensor; sums are since another
_AXES_OF_SUMS_ARE_AN_INPUT = 13


class Tail:
    """Appends nodes to a graph; whatever they make has a name that nothing in the graph has.

    Args:
        proto: the model; its graph is changed.
        prefix: what stands before every name.
    """

    def __init__(self, proto: onnx.ModelProto, prefix: str = "") -> None:
        self.graph, self.prefix = proto.graph, prefix
        self.opset = max(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
        self._taken = set(_names(proto.graph))
        self._numbers = count()

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Appends a node with one output, which is returned."""
        (output,) = self.nodes(op, *inputs, outputs=1, **attributes)
        return output

    def nodes(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Appends a node with several outputs."""
        names = [self.fresh(op) for _ in range(outputs)]
        self.graph.node.append(helper.make_node(op, list(inputs), names, name=names[0], **attributes))
        return names

    def constant(self, value: NDArray[Any]) -> str:
        """Adds a constant."""
        name = self.fresh("constant")
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def integers(self, *numbers: int) -> str:
        """Adds a constant list of whole numbers: a shape, axes, positions."""
        return self.constant(np.array(numbers, np.int64))

    def floats(self, *numbers: float) -> str:
        """Adds a constant list of numbers."""
        return self.constant(np.array(numbers, np.float32))

    def reshape(self, x: str, *shape: int) -> str:
        """Appends a Reshape; -1 stands for what is left, 0 for the size that is there."""
        return self.node("Reshape", x, self.integers(*shape))

    def columns(self, x: str, start: int, stop: int) -> str:
        """The columns start .. stop - 1 of a matrix."""
        return self.node("Slice", x, self.integers(start), self.integers(stop), self.integers(1))

    def rows(self, x: str, start: int, stop: int) -> str:
        """The rows start .. stop - 1 of a matrix."""
        return self.node("Slice", x, self.integers(start), self.integers(stop), self.integers(0))

    def largest_of_rows(self, x: str) -> str:
        """The largest number of each row of a matrix: [n, columns] -> [n]."""
        if self.opset < _AXES_ARE_AN_INPUT:
            return self.node("ReduceMax", x, axes=[1], keepdims=0)
        return self.node("ReduceMax", x, self.integers(1), keepdims=0)

    def sums_along(self, x: str, axis: int) -> str:
        """The sums along one axis, which is no more there."""
        if self.opset < _AXES_OF_SUMS_ARE_AN_INPUT:
            return self.node("ReduceSum", x, axes=[axis], keepdims=0)
        return self.node("ReduceSum", x, self.integers(axis), keepdims=0)

    def rows_at(self, x: str, positions: str) -> str:
        """The rows at some positions."""
        return self.node("Gather", x, positions, axis=0)

    def positions(self, truths: str) -> str:
        """Where a list of truth values is true: [n] -> [m]."""
        return self.reshape(self.node("NonZero", truths), -1)

    def answer(self, x: str, name: str) -> str:
        """Makes a tensor an output of the graph, under a name that it keeps where it is free."""
        free = wanted if (wanted := self.prefix + name) not in self._taken else self.fresh(name)
        self._taken.add(free)
        self.graph.node.append(helper.make_node("Identity", [x], [free], name=free))
        self.graph.output.append(onnx.ValueInfoProto(name=free))
        return free

    def fresh(self, word: str) -> str:
        """A name that nothing in the graph has."""
        name = next(name for n in self._numbers if (name := f"{self.prefix}answer/{word}/{n}") not in self._taken)
        self._taken.add(name)
        return name


def widened(tail: Tail, tensor: Tensor) -> str:
    """A tensor as it is, of half precision as float32: shares would be equal, and sums of squares overflow."""
    return tail.node("Cast", tensor.name, to=TensorProto.FLOAT) if tensor.dtype == "float16" else tensor.name


def _names(graph: onnx.GraphProto) -> set[str]:
    values = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    return values.union(*({*node.output, *subgraph_reads(node)} for node in graph.node))
