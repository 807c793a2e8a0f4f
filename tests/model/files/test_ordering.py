"""Nodes in any order become nodes in one that ONNX takes; the answers are those of plain ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from edgent.model.files.ordering import put_in_order

NODES = {
    "double": helper.make_node("Add", ["x", "x"], ["double"], name="double"),
    "root": helper.make_node("Sqrt", ["double"], ["root"], name="root"),
    "sign": helper.make_node("Neg", ["x"], ["sign"], name="sign"),
    "sum": helper.make_node("Add", ["root", "sign"], ["y"], name="sum"),
}


def graph(*order: str, **others: onnx.NodeProto) -> onnx.GraphProto:
    nodes = NODES | others
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    return helper.make_graph([nodes[name] for name in order], "g", ends[:1], ends[1:])


def ordered(*order: str, **others: onnx.NodeProto) -> list[str]:
    one = graph(*order, **others)
    put_in_order(one)
    return [node.name for node in one.node]


@pytest.mark.parametrize("order", [("double", "root", "sign", "sum"), ("sign", "double", "root", "sum")])
def test_what_is_in_order_stays_as_it_is(order: tuple[str, ...]) -> None:
    assert ordered(*order) == list(order)


def test_each_node_comes_after_those_that_it_reads_and_the_others_keep_their_order() -> None:
    assert ordered("sum", "sign", "root", "double") == ["sign", "double", "root", "sum"]


def test_a_body_waits_for_what_it_reads_from_around_it() -> None:
    output = helper.make_tensor_value_info("made", TensorProto.FLOAT, [1, 4])
    body = helper.make_graph([helper.make_node("Neg", ["double"], ["made"])], "body", [], [output])
    choice = helper.make_node("If", ["condition"], ["y"], name="choice", then_branch=body, else_branch=body)
    assert ordered("choice", "double", choice=choice) == ["double", "choice"]


def test_a_file_whose_casts_come_last_answers_as_in_plain_onnx_runtime(tmp_path: Path) -> None:
    proto = helper.make_model(graph("sum", "root", "sign", "double"), opset_imports=[helper.make_opsetid("", 17)])
    proto.ir_version = 8
    onnx.save(proto, tmp_path / "m.onnx")
    x = np.array([[1, 4, 9, 16]], np.float32)
    (expected,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": x})
    model = load(tmp_path / "m.onnx")
    np.testing.assert_array_equal(Engine().session(model, ["x"], ["y"]).run({"x": x})["y"], expected)


def test_a_circle_is_refused_in_one_line(tmp_path: Path) -> None:
    turned = helper.make_node("Sqrt", ["y"], ["root"], name="root")
    proto = helper.make_model(graph("sum", "sign", "root", root=turned), opset_imports=[helper.make_opsetid("", 17)])
    proto.ir_version = 8
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="is not a valid ONNX model") as caught:
        load(tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
