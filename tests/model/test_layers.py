"""Layers beside a search that follows each node to its reader, on random graphs; and the order that cuts count in."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent.model.layers import SHAPE_ONLY, branches_of
from edgent.model.metadata import ExitInfo
from edgent.model.values import Tensor

OPERATORS = ("Relu", "Add", "Sigmoid", *sorted(SHAPE_ONLY))


def graph(random: np.random.Generator) -> onnx.GraphProto:
    """Nodes that read what was made before; some make constants of constants, as quantised weights are."""
    values, constants, nodes = ["x"], ["w"], []
    for number in range(int(random.integers(3, 16))):
        name = f"t{number}"
        if random.random() < 0.2:
            nodes.append(helper.make_node("Cast", [str(random.choice(constants))], [name], name=name, to=1))
            constants.append(name)
            continue
        op = str(random.choice(OPERATORS))
        reads = [str(random.choice(values))]
        if op == "Add":
            reads.append(str(random.choice([*values, *constants])))
        nodes.append(helper.make_node(op, reads, [name], name=name))
        values.append(name)
    computed = values[1:] or [nodes[-1].output[0]]
    answers = sorted({computed[-1], str(random.choice(computed))})
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in answers]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    return helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(np.float32(1), "w")])


def tensors_of(proto: onnx.GraphProto) -> dict[str, Tensor]:
    names = {"x", *(name for node in proto.node for name in node.output)}
    return {name: Tensor(name=name, dtype="float32", shape=(1,)) for name in names}


def branches(proto: onnx.GraphProto):
    tensors = tensors_of(proto)
    exits = [ExitInfo(name=value.name, outputs=(value.name,)) for value in proto.output]
    return branches_of(proto, exits, (tensors["x"],), tensors)


def ancestors(proto: onnx.GraphProto, output: str) -> set[int]:
    """By a search from the output, in no order."""
    maker = {node.output[0]: place for place, node in enumerate(proto.node)}
    seen, open_names = set(), [output]
    while open_names:
        place = maker.get(open_names.pop())
        if place is not None and place not in seen:
            seen.add(place)
            open_names += proto.node[place].input
    return seen


def constant_names(proto: onnx.GraphProto) -> set[str]:
    names, answers = {"w"}, {value.name for value in proto.output}
    for node in proto.node:
        if node.op_type == "Cast" and set(node.input) <= names and node.output[0] not in answers:
            names.add(node.output[0])
    return names


def grouped(proto: onnx.GraphProto, output: str) -> list[tuple[int, ...]]:
    """Each node is followed to its first reader for as long as it is one that joins."""
    places, constants = sorted(ancestors(proto, output)), constant_names(proto)

    def home(place: int) -> int:
        node = proto.node[place]
        readers = [other for other in places if node.output[0] in proto.node[other].input]
        joins = node.op_type in SHAPE_ONLY or node.output[0] in constants
        return home(readers[0]) if joins and readers else place

    homes = {place: home(place) for place in places}
    return [tuple(p for p in places if homes[p] == end) for end in sorted(set(homes.values()))]


@pytest.mark.parametrize("seed", range(200))
def test_a_node_that_joins_lies_in_the_layer_of_its_first_reader_and_layers_keep_the_files_order(seed: int) -> None:
    proto = graph(np.random.default_rng(seed))
    for branch in branches(proto):
        assert [layer.nodes for layer in branch.layers] == grouped(proto, branch.name)


@pytest.mark.parametrize("seed", range(200))
def test_what_a_layer_reads_from_outside_was_made_before_it_or_is_the_input(seed: int) -> None:
    proto = graph(np.random.default_rng(seed))
    for branch in branches(proto):
        there = {"x"}
        for layer in branch.layers:
            assert set(layer.inputs) <= there
            there |= set(layer.outputs)
        assert branch.name in there


def test_exits_are_numbered_in_their_order_and_share_the_layers_that_both_need() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["shared"], name="shared"),
        helper.make_node("Sigmoid", ["shared"], ["early"], name="early"),
        helper.make_node("Flatten", ["shared"], ["flat"], name="flat"),
        helper.make_node("Relu", ["flat"], ["late"], name="late"),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("early", "late")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    early, late = branches(helper.make_graph(nodes, "g", inputs, outputs))
    assert (early.exit, late.exit) == (0, 1)
    assert [layer.name for layer in early.layers] == ["shared", "early"]
    assert [(layer.name, layer.nodes) for layer in late.layers] == [("shared", (0,)), ("late", (2, 3))]


def test_a_shape_only_node_that_is_the_answer_is_a_layer_by_itself() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Reshape", ["a", "shape"], ["b"])]
    outputs = [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    shape = numpy_helper.from_array(np.array([1], np.int64), "shape")
    (branch,) = branches(helper.make_graph(nodes, "g", inputs, outputs, [shape]))
    # Without names of their own, nodes are called like what they make.
    assert [(layer.name, layer.op) for layer in branch.layers] == [("a", "Relu"), ("b", "Reshape")]
