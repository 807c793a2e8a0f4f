"""Products with stored 4-bit weights: the engine fuses some of them, and no division may change an answer for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.verify import run_pieces
from graphs import saved

SIDE = 64
X = {"x": np.random.default_rng(3).standard_normal((1, SIDE)).astype(np.float32)}


def network(kind: int, block: int, layers: str) -> onnx.ModelProto:
    """Layers by letters: a product with 4-bit weights (q), with floating ones (f), or a Relu (r)."""
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []
    name = "x"
    for i, letter in enumerate(layers):
        reads, name = name, "y" if i == len(layers) - 1 else f"t{i}"
        if letter == "r":
            nodes.append(helper.make_node("Relu", [reads], [name]))
            continue
        weights = f"w{i}"
        if letter == "f":
            floating = (random.standard_normal((SIDE, SIDE)) * 0.2).astype(np.float32)
            constants.append(numpy_helper.from_array(floating, weights))
        else:
            whole = random.integers(0, 16, SIDE * SIDE) - (8 if kind == TensorProto.INT4 else 0)
            constants.append(helper.make_tensor(f"q{i}", kind, [SIDE, SIDE], whole))
            scale = random.uniform(0.01, 0.05, (SIDE // block, SIDE) if block else ()).astype(np.float32)
            constants.append(numpy_helper.from_array(scale, f"s{i}"))
            blocks = {"block_size": block, "axis": 0} if block else {}
            nodes.append(helper.make_node("DequantizeLinear", [f"q{i}", f"s{i}"], [weights], **blocks))
        nodes.append(helper.make_node("MatMul", [reads, weights], [name]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, SIDE]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "four bits", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def as_written(path: Path) -> np.ndarray:
    """What the file answers where ONNX Runtime changes nothing of it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options).run(["y"], X)[0]


def divisions(n: int) -> Iterator[tuple[int, int]]:
    return ((upload, download) for upload in range(n + 1) for download in range(upload, n + 1))


@pytest.mark.parametrize("layers", ["q", "qrf", "frq", "qq", "qrqrf", "frqrfrq"])
@pytest.mark.parametrize("block", [0, 16, 32])
@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_every_division_answers_as_the_file_is_written(kind, block, layers, model_file):
    path = saved(network(kind, block, layers), model_file)
    right = as_written(path)
    branch = (model := load(path)).branches[0]
    for cuts in divisions(len(branch.layers)):
        answer = run_pieces(model, branch, Engine(), X, *cuts)["y"]
        np.testing.assert_allclose(answer, right, rtol=0, atol=1e-5 * np.abs(right).max(), err_msg=str(cuts))
