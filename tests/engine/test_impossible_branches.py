"""A branch of an If that is impossible for the sizes that a model is loaded with, and does not run for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError, ModelError
from edgent.evaluation.verify import verify
from graphs import residual, saved

LONG = 8
"""The size that the one branch is made for; the other takes any."""

CONSTANTS = {
    "matrix": np.ones((LONG, 3), np.float32),
    "vector": np.ones(LONG, np.float32),
    "parts": np.array([3, 5], np.int64),
    "second": np.array([1], np.int64),
    "row": np.ones((1, LONG), np.float32),
}


def inner(name: str, node: onnx.NodeProto) -> onnx.GraphProto:
    return make_graph([node], name, [], [make_tensor_value_info(name, TensorProto.FLOAT, None)])


IMPOSSIBLE = {
    "a product": [make_node("MatMul", ["x", "matrix"], ["m"])],
    "a layer": [make_node("Gemm", ["x", "matrix"], ["m"])],
    "a sum": [make_node("Add", ["x", "vector"], ["m"])],
    "parts": [make_node("Split", ["x", "parts"], ["m", "rest"], axis=1)],
    "an axis that is not one": [make_node("Squeeze", ["x", "second"], ["m"])],
    "rows": [make_node("Concat", ["x", "row"], ["m"], axis=0)],
    "a body inside it": [
        make_node(
            "If", ["long"], ["m"],
            then_branch=inner("product", make_node("MatMul", ["x", "matrix"], ["product"])),
            else_branch=inner("sign", make_node("Neg", ["x"], ["sign"])),
        )
    ],
}  # fmt: skip


def body(name: str, nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    total = make_node("ReduceSum", [nodes[-1].output[0]], [name], keepdims=0)
    return make_graph([*nodes, total], name, [], [make_tensor_value_info(name, TensorProto.FLOAT, None)])


def model(impossible: list[onnx.NodeProto]) -> onnx.ModelProto:
    nodes = [
        make_node("Abs", ["x"], ["size"]),
        make_node("Identity", ["long"], ["is_long"]),
        make_node(
            "If", ["is_long"], ["total"],
            then_branch=body("yes", impossible), else_branch=body("no", [make_node("Relu", ["x"], ["r"])]),
        ),
        make_node("Add", ["total", "size"], ["y"]),
    ]  # fmt: skip
    inputs = [
        make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "n"]),
        make_tensor_value_info("long", TensorProto.BOOL, []),
    ]
    outputs = [make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(array, name) for name, array in CONSTANTS.items()]
    graph = make_graph(nodes, "g", inputs, outputs, constants)
    return make_model(graph, opset_imports=[make_opsetid("", 17)], ir_version=8)


def short() -> dict[str, np.ndarray]:
    return {"x": np.array([[-1.0, 0.5, 2.0, 3.0]], np.float32), "long": np.array(False)}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_a_branch_that_does_not_run_does_not_stand_in_the_way(kind: str, model_file: Path) -> None:
    loaded = load(saved(model(IMPOSSIBLE[kind]), model_file), dims={"n": 4})
    result = verify(loaded, Engine(), inputs=[short()])
    assert result.failed == () and result.verified == len(loaded.branches[0].layers) + 1
    [right] = onnxruntime.InferenceSession(str(model_file)).run(None, short())
    answers = Engine().session(loaded, ["x", "long"], ["y"]).run(short())
    assert np.array_equal(answers["y"], right) and right[0, 0] == 6.5


def test_where_it_runs_after_all_the_engine_says_so(model_file: Path) -> None:
    loaded = load(saved(model(IMPOSSIBLE["a product"]), model_file), dims={"n": 4})
    session = Engine().session(loaded, ["x", "long"], ["y"])
    with pytest.raises(EdgentError, match="failed in ONNX Runtime"):
        session.run(short() | {"long": np.array(True)})


def test_sizes_that_no_branch_takes_are_refused_at_once(model_file: Path) -> None:
    proto = model(IMPOSSIBLE["a product"])
    proto.graph.node.append(make_node("MatMul", ["y", "matrix"], ["z"]))
    proto.graph.node.extend([make_node("Squeeze", ["second"], ["s"]), make_node("Foo", ["z"], ["w"], domain="nobody")])
    proto.graph.output[0].name = "w"
    proto.opset_import.append(make_opsetid("nobody", 1))
    loaded = load(saved(proto, model_file), dims={"n": 4})
    with pytest.raises(ModelError, match="does not take it"):
        Engine().session(loaded, ["x", "long"], ["w"])


def test_only_a_part_with_bodies_is_tried_with_its_sizes_open(model_file: Path, tmp_path: Path) -> None:
    plain = load(saved(residual(), model_file))
    assert plain.segment(["x"], [plain.branches[0].outputs[0].name]).with_free_sizes() is None
    loaded = load(saved(model(IMPOSSIBLE["a sum"]), tmp_path / "bodies.onnx"), dims={"n": 4})
    free = loaded.segment(["x", "long"], ["y"]).with_free_sizes()
    assert free is not None
    [x, long] = onnx.ModelProto.FromString(free.proto).graph.input
    assert [dim.WhichOneof("value") for dim in x.type.tensor_type.shape.dim] == [None, None]
    assert long.type.tensor_type.shape.dim == [] and free.given == loaded.segment(["x", "long"], ["y"]).given
