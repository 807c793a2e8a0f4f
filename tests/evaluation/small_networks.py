"""Networks whose answers are known without running them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgent.model import Metadata, Preprocessing
from edgent.model.configuration.document import KEY, write_json

SIDE = 8
FORM = Preprocessing(size=(SIDE, SIDE), scale=1.0)


def shades(folder: Path, name: str = "shades", classes: int = 4, labels: tuple[str, ...] = ()) -> Path:
    """Says how bright a picture is: class k of n where its mean shade is nearest to k * 255 / (n - 1).

    Scores are 2 m s - m * m of the mean shade s and each class's shade m: the largest is the nearest's.
    """
    means = np.linspace(0, 255, classes, dtype=np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("ReduceMean", ["pooled"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["scores"]),
    ]
    constants = [numpy_helper.from_array(2 * means[None], "w"), numpy_helper.from_array(-(means**2), "b")]
    return _saved(
        folder / f"{name}.onnx", nodes, constants, ["batch", classes], Metadata(labels=labels, preprocessing=FORM)
    )


def _saved(path: Path, nodes: list, constants: list, shape: list, metadata: Metadata) -> Path:
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {KEY: write_json(metadata)})
    onnx.save(model, path)
    return path


def answers(folder: Path, value: np.ndarray, metadata: Metadata, name: str = "fixed") -> Path:
    """Answers with the same numbers whatever the picture is."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["value", "nothing"], ["scores"]),
    ]
    constants = [
        numpy_helper.from_array(value.astype(np.float32), "value"),
        numpy_helper.from_array(np.float32(0), "zero"),
    ]
    return _saved(folder / f"{name}.onnx", nodes, constants, list(value.shape), metadata)
