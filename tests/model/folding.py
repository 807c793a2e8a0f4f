"""Models that end in a constant, and an interpreter that remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.model import Tensor
from graphs import Graph

X = {"x": np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)}
_RANDOM = np.random.default_rng(2)
Make = Callable[[Graph], str]


def floats(*shape: int) -> np.ndarray:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def ends_in(g: Graph, constant: str, kind: int | None = None) -> onnx.ModelProto:
    """A model that answers with an input and with a constant, each made by a node of its own."""
    kept = g.node("Identity", constant)
    proto = g.model(kept, g.node("Relu", "x"))
    declared = proto.graph.output[0]
    declared.ClearField("type")
    if kind is None:
        inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(proto).graph.value_info}
        kind = inferred[kept].type.tensor_type.elem_type
    declared.type.tensor_type.elem_type = kind
    return proto


def operators(path: Path) -> list[str]:
    return [node.op_type for node in load(path).proto.graph.node]


class Recorder:
    """An interpreter that remembers what it was asked; it computes zeros, or nothing at all."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.computed: list[onnx.ModelProto] = []
        self.feeds: list[Mapping[str, Any]] = []
        self.described: list[onnx.ModelProto] = []

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.computed.append(proto)
        self.feeds.append(feeds)
        if self.refuses:
            raise EdgentError("no")
        return {output.name: np.zeros(3, np.float32) for output in proto.graph.output}

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        self.described.append(proto)
        return {}


def op(name: str, *arrays: np.ndarray | None, outputs: int = 1, answer: int = 0, **attributes: object) -> Make:
    """A node of constants; `answer` says which of its outputs is looked at."""

    def make(g: Graph) -> str:
        reads = ["" if array is None else g.constant(array) for array in arrays]
        first = g.node(name, *reads, outputs=outputs, **attributes)
        return first if answer == 0 else f"{first}_{answer}"

    return make
