"""Writes the post-processing graph of FastestDet: an example of a head that nobody but its author has.

    python benchmarks/fastestdet_decode.py decode.onnx

FastestDet (github.com/dog-qiuqiu/FastestDet, BSD-3) puts out [1, 5 + classes, rows, columns]: for each cell of a grid
an objectness, four numbers of a box, and the shares of the classes. Its own programs read them so:

    score     objectness ** 0.6 * share of the best class ** 0.4
    centre    (column + tanh(first), row + tanh(second)) / grid
    size      (sigmoid(third), sigmoid(fourth))

in fractions of the picture; then, of boxes of a score above 0.25 and of one class that overlap by more than 0.45, the
better one stays. The graph has to have the opset of the model, 11, and its answer the form of a detection: float32
[n, 6], x1, y1, x2, y2 in pixels of the input, score, class.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 11
CLASSES, GRID, SIDE = 80, 22, 352
SCORE, IOU, MOST = 0.25, 0.45, 300


class _Graph:
    """Nodes by what they are, each with one output of a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, op: str, *inputs: Any, **attributes: Any) -> str:
        name = f"{op}{len(self.nodes)}"
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return name

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name


def decode(name: str = "758", *, classes: int = CLASSES, grid: int = GRID, side: int = SIDE) -> onnx.ModelProto:
    """The graph that reads an output of that name."""
    add = _Graph()
    rows = add("Transpose", add("Reshape", name, [5 + classes, grid * grid]), perm=[1, 0])

    def columns(start: int, stop: int) -> str:
        return add("Slice", rows, [start], [stop], [1])

    shares = columns(5, 5 + classes)
    best = add("ArgMax", shares, axis=1, keepdims=1)
    share = add("GatherElements", shares, best, axis=1)
    score = add("Mul", add("Pow", columns(0, 1), np.float32(0.6)), add("Pow", share, np.float32(0.4)))
    cells = np.stack([np.tile(np.arange(grid), grid), np.repeat(np.arange(grid), grid)], axis=1)
    centre = add("Mul", add("Add", add("Tanh", columns(1, 3)), cells.astype(np.float32)), np.float32(side / grid))
    half = add("Mul", add("Sigmoid", columns(3, 5)), np.float32(side / 2))
    boxes = add("Concat", add("Sub", centre, half), add("Add", centre, half), axis=1)
    by_class = add("Where", add("Equal", best, [np.arange(classes)]), score, np.float32([0]))
    kept = add(
        "NonMaxSuppression",
        add("Reshape", boxes, [1, -1, 4]),
        add("Reshape", add("Transpose", by_class, perm=[1, 0]), [1, classes, -1]),
        [MOST],
        np.float32([IOU]),
        np.float32([SCORE]),
    )
    whole = add("Concat", boxes, score, add("Cast", best, to=TensorProto.FLOAT), axis=1)
    answer = add("Gather", whole, add("Reshape", add("Slice", kept, [2], [3], [1]), [-1]), axis=0)
    graph = helper.make_graph(
        add.nodes,
        "decode",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 5 + classes, grid, grid])],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, ["n", 6])],
        initializer=add.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=6)


if __name__ == "__main__":
    onnx.save(decode(), Path(sys.argv[1] if len(sys.argv) > 1 else "decode.onnx"))
