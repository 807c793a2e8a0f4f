"""After `gather` every constant is an initialiser of the main graph, and nothing hides anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from constant_kinds import (
    KINDS,
    SIDE,
    a_body_in_a_body,
    a_body_that_answers_with_its_constant,
    body,
    constant_nodes_of_numbers,
    matrix,
    model,
    node,
    numbers,
    sparse_by_positions,
    sparse_in_a_body,
)
from edgent.model.files.constants import SMALL, bodies, is_small, of_graph
from edgent.model.files.external import is_external
from edgent.model.files.gather import gather


def gathered(proto: onnx.ModelProto, source: Path = Path("/nowhere")) -> onnx.GraphProto:
    gather(proto.graph, source)
    return proto.graph


def all_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    return [n for each in graph.node for n in (each, *(x for inner in bodies(each) for x in all_nodes(inner)))]


def branch(choice: onnx.NodeProto, name: str) -> onnx.GraphProto:
    return next(attribute.g for attribute in choice.attribute if attribute.name == name)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stays_in_bodies_and_attributes_is_small_and_inside(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(
        KINDS[kind](), path, save_as_external_data=True, location="w.bin", size_threshold=0, convert_attribute=True
    )
    graph = gathered(onnx.load(path, load_external_data=False), tmp_path)
    own = [tensor.SerializeToString() for tensor in graph.initializer]
    for tensor in of_graph(graph):
        assert is_small(tensor) or tensor.SerializeToString() in own
        assert not (is_external(tensor) and is_small(tensor))
    assert len(own) == len({tensor.name for tensor in graph.initializer})
    assert not any(n.op_type == "Constant" for n in graph.node) and not graph.sparse_initializer


def test_constant_nodes_keep_type_shape_and_values() -> None:
    graph = gathered(constant_nodes_of_numbers())
    by_name = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    expected = {
        "one": np.float32(1.25),
        "many": numbers(SIDE),
        "shape": np.array([SIDE, 1]),
        "axis": np.array(1),
    }
    assert by_name.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(by_name[name], array)
        assert by_name[name].dtype == array.dtype and by_name[name].shape == array.shape
    assert [n.op_type for n in graph.node] == ["Mul", "Add", "Reshape", "CumSum"]


@pytest.mark.parametrize(
    ("attribute", "value", "expected"), [("value_string", "a", b"a"), ("value_strings", ["a"], [b"a"])]
)
def test_constant_nodes_of_text_too(attribute: str, value: object, expected: object) -> None:
    (tensor,) = gathered(model([node("Constant", [], "t", **{attribute: value})])).initializer
    assert (tensor.name, numpy_helper.to_array(tensor).tolist()) == (
        "t",
        np.array(expected, object).astype(str).tolist(),
    )
    assert list(tensor.dims) == ([1] if isinstance(value, list) else [])


def test_a_constant_of_another_domain_is_left_alone() -> None:
    own = helper.make_node("Constant", [], ["c"], domain="ours", value_float=1.0)
    assert [n.op_type for n in gathered(model([own])).node] == ["Constant"]


def test_a_sparse_constant_keeps_its_name() -> None:
    (tensor,) = gathered(sparse_by_positions()).initializer
    assert (tensor.name, list(tensor.dims)) == ("w", [SIDE, SIDE])
    assert np.flatnonzero(numpy_helper.to_array(tensor)).tolist() == [1, 3 * SIDE + 4, SIDE * SIDE - 1]


def test_sparse_constants_of_bodies_become_large_ones_of_the_main_graph() -> None:
    graph = gathered(sparse_in_a_body())
    lifted = [tensor for tensor in graph.initializer if tensor.name.startswith("constant/")]
    assert [np.count_nonzero(numpy_helper.to_array(tensor)) for tensor in lifted] == [3, 3]
    for inner in bodies(graph.node[-2]):
        assert not inner.sparse_initializer and not inner.initializer and [n.op_type for n in inner.node] == ["MatMul"]


def test_constants_that_hid_each_other_have_names_of_their_own() -> None:
    graph = gathered(a_body_in_a_body())
    reads = [name for n in all_nodes(graph) for name in n.input if name.startswith("constant/")]
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    assert len(set(reads)) == 3
    then = branch(graph.node[-2], "then_branch")
    inner_then, inner_other = (branch(then.node[0], f"{side}_branch") for side in ("then", "else"))
    for reader, seed in ((inner_then.node[0], 3), (inner_other.node[0], 4), (then.node[1], 5)):
        np.testing.assert_array_equal(arrays[reader.input[1]], numbers(SIDE, SIDE, seed=seed))


def test_a_small_constant_goes_on_hiding_a_large_one() -> None:
    small = numpy_helper.from_array(numbers(SIDE), "w")
    inner = body([node("Add", ["x", "w"], "i")], [small])
    other = body([node("Constant", [], "w", value_floats=[1.0]), node("Mul", ["x", "w"], "j")])
    nodes = [node("If", ["c"], "k", then_branch=inner, else_branch=other), node("MatMul", ["k", "w"], "t")]
    outer = body(nodes, [matrix("w", 5)])
    inputs = [helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])]
    graph = gathered(
        model([node("If", ["c"], "y", then_branch=outer, else_branch=body([node("Neg", ["x"], "e")]))], inputs=inputs)
    )
    then = branch(graph.node[0], "then_branch")
    assert then.node[1].input[1] == graph.initializer[0].name == "constant/0"
    assert [inner.node[-1].input[1] for inner in bodies(then.node[0])] == ["w", "w"]


def test_the_parameters_of_a_body_go_on_hiding_a_large_one() -> None:
    value = helper.make_tensor_value_info
    step = body(
        [node("Tanh", ["w"], "after"), node("Identity", ["go"], "on")],
        inputs=[value("i", 7, []), value("go", 9, []), value("w", 1, [1, SIDE])],
        outputs=[value("on", 9, []), value("after", 1, None)],
    )
    nodes = [node("Loop", ["n", "", "x"], "l", body=step), node("MatMul", ["l", "w"], "t")]
    outer = body(nodes, [matrix("w", 5), numpy_helper.from_array(np.array(2), "n")])
    proto = model(
        [node("If", ["c"], "y", then_branch=outer, else_branch=body([node("Neg", ["x"], "e")]))],
        inputs=[value("c", 9, [])],
    )
    then = branch(gathered(proto).node[0], "then_branch")
    (loop,) = bodies(then.node[0])
    assert loop.node[0].input[0] == "w" and then.node[1].input[1] == "constant/0"


def test_a_body_answers_with_a_copy_of_a_constant_from_outside() -> None:
    proto = a_body_that_answers_with_its_constant()
    choice = next(n for n in proto.graph.node if n.op_type == "If")
    graph = gathered(proto)
    other = branch(choice, "else_branch")
    (copy,) = other.node
    assert copy.op_type == "Identity" and copy.output[0] == other.output[0].name != "e"
    assert copy.input[0] in {tensor.name for tensor in graph.initializer}


def test_new_names_are_nobodys() -> None:
    used = ["constant/0", "constant/1", "constant/2", "constant/3"]
    inner = body([node("MatMul", ["x", "w"], used[2])], [matrix("w", 1)])
    other = body([node("MatMul", ["x", "w"], "e"), node("Relu", ["e"], used[3])], [matrix("w", 2)])
    nodes = [node("Relu", ["x"], used[0]), node("If", ["c"], "y", then_branch=inner, else_branch=other)]
    inputs = [helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])]
    graph = gathered(model(nodes, [numpy_helper.from_array(np.float32(0), used[1])], inputs=inputs))
    assert [tensor.name for tensor in graph.initializer] == [used[1], "constant/4", "constant/5"]


def test_an_attribute_is_brought_in_though_a_large_constant_has_its_name(tmp_path: Path) -> None:
    own = helper.make_node("Own", ["x", "w"], ["y"], domain="ours", table=matrix("w", 1))
    proto = model([own], [matrix("w", 2)])
    onnx.save(
        proto,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="w.bin",
        size_threshold=0,
        convert_attribute=True,
    )
    graph = gathered(onnx.load(tmp_path / "m.onnx", load_external_data=False), tmp_path)
    assert is_external(graph.initializer[0])
    np.testing.assert_array_equal(numpy_helper.to_array(graph.node[0].attribute[0].t), numbers(SIDE, SIDE, seed=1))


def test_a_body_without_large_constants_stays_as_it_is() -> None:
    small = numpy_helper.from_array(np.zeros(SMALL // 4, np.float32), "w")
    constant = node("Constant", [], "k", value=numpy_helper.from_array(np.float32(1), ""))
    then = body([constant, node("Add", ["x", "k"], "t")], [small])
    before = then.SerializeToString()
    inputs = [helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, [])]
    graph = gathered(model([node("If", ["c"], "y", then_branch=then, else_branch=then)], inputs=inputs))
    assert [inner.SerializeToString() for inner in bodies(graph.node[0])] == [before, before]
