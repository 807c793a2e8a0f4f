"""Classifiers of pictures that see them in a size of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgent.model import ExitInfo, Metadata, Preprocessing
from edgent.model.configuration.document import KEY, write_json


def classifier(path: Path, side: int, accuracy: float, *, classes: int = 4, free: bool = False, **form) -> Path:
    """Two convolutions, a mean over the picture, and scores; its weights are random, by its size."""
    rng = np.random.default_rng(side)

    def constant(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.standard_normal(shape) / 3).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["input", "w1"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "w3", "b3"], ["scores"]),
    ]
    constants = [constant("w1", 6, 3, 3, 3), constant("w2", 5, 6, 3, 3), constant("w3", 5, classes)]
    shape = ["batch" if free else 1, 3, side, side]
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], classes])],
        initializer=[*constants, constant("b3", classes)],
    )
    metadata = Metadata(
        task="classification",
        exits=(ExitInfo(name="out", outputs=("scores",), accuracy=accuracy, samples=100, data="some"),),
        labels=tuple(f"class {k}" for k in range(classes)),
        preprocessing=Preprocessing(size=(side, side), **form),
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(proto, {KEY: write_json(metadata)})
    onnx.save(proto, path)
    return path
