"""Types and shapes are what the engine makes, whatever a file declares; what nobody knows is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgent import model as files
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError, ModelError
from edgent.evaluation.verify import run_pieces
from edgent.model import Model, Tensor
from edgent.model.costs import branch_flops, layer_costs
from graphs import Graph, residual, saved
from whole import plain, run, same

X = {"x": np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)}


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def declare(proto: onnx.ModelProto, kind: int, shape: list[int | str] | None) -> None:
    """Says the same of every value between the nodes."""
    answers = {value.name for value in proto.graph.output}
    names = [name for node in proto.graph.node for name in node.output if name not in answers]
    proto.graph.value_info.extend(helper.make_tensor_value_info(name, kind, shape) for name in names)


@pytest.mark.parametrize("shape", [[7, 9], [1, 8, 8, 9], [], ["unk__1", 8, 8, 8], [-1, -1, -1, -1], [0, 0, 0, 0], None])
def test_declarations_change_neither_sizes_nor_answers(shape: list[int | str] | None, model_file: Path) -> None:
    """The oracle is the file without them: plain ONNX Runtime believes some, and refuses others."""
    expected, right = dict(load(saved(residual(), model_file)).tensors), plain(model_file, X)
    proto = residual()
    declare(proto, TensorProto.FLOAT, shape)
    answer = proto.graph.output[0].name
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(answer, TensorProto.FLOAT, shape))
    model = load(saved(proto, model_file))
    assert dict(model.tensors) == expected
    assert same(run(model, X), right)
    branch = model.branches[0]
    for cut in range(len(branch.layers) + 1):
        answers = run_pieces(model, branch, Engine(), X, cut, len(branch.layers))
        np.testing.assert_allclose(answers[answer], right[0], rtol=1e-4, atol=1e-5)


def test_a_declared_type_is_not_believed(model_file: Path) -> None:
    proto = residual()
    declare(proto, TensorProto.INT64, [1, 8, 8, 8])
    model = load(saved(proto, model_file))
    assert {tensor.dtype for tensor in model.tensors.values()} == {"float32"}


def test_declarations_inside_bodies_are_not_believed(model_file: Path) -> None:
    g = Graph()
    halves = {}
    for branch, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        wrong = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [5])
        output = helper.make_tensor_value_info("b", TensorProto.FLOAT, [7, 9])
        nodes = [helper.make_node(op, ["x"], ["inner"]), helper.make_node("Exp", ["inner"], ["b"])]
        halves[branch] = helper.make_graph(nodes, "body", [], [output], value_info=[wrong])
    positive = g.node("Greater", g.node("ReduceSum", "x", keepdims=0), g.constant(np.array(0, np.float32)))
    chosen = g.node("If", positive, **halves)
    model = load(saved(g.model(g.node("Relu", chosen)), model_file))
    assert model.tensors[chosen].shape == (1, 3, 8, 8)
    sign = np.negative if X["x"].sum() > 0 else np.abs
    np.testing.assert_allclose(run(model, X)[0], np.exp(sign(X["x"])), rtol=1e-6)


def foreign(
    *, domain: str = "com.microsoft", op: str = "FusedMatMul", numbers: int = 8, **attributes: object
) -> onnx.ModelProto:
    """A product by a foreign operator, and a shape that hangs on it."""
    g = Graph()
    product = g.node(op, "x", g.constant(floats(8, numbers)), domain=domain)
    rows = g.node("Gather", g.node("Shape", product), g.constant(np.array([2, 1, 0, 3])))
    proto = g.model(g.node("Relu", g.node("Reshape", product, rows)))
    proto.opset_import.append(helper.make_opsetid(domain, 1))
    return proto


@pytest.mark.parametrize("numbers", [8, 800])
def test_the_engine_knows_its_own_operators(numbers: int, model_file: Path) -> None:
    model = load(saved(foreign(numbers=numbers), model_file))
    assert model.tensors["fusedmatmul0"] == Tensor(name="fusedmatmul0", dtype="float32", shape=(1, 3, 8, numbers))
    assert [node.op_type for node in model.proto.graph.node] == ["FusedMatMul", "Reshape", "Relu"]
    assert model.branches[0].outputs[0].shape == (8, 3, 1, numbers)
    assert same(run(model, X), plain(model_file, X))
    for cut in range(3):
        answers = run_pieces(model, model.branches[0], Engine(), X, cut, 2)
        assert same(list(answers.values()), plain(model_file, X))


def test_an_operator_that_nobody_knows_has_neither_type_nor_shape(model_file: Path) -> None:
    model = load(saved(foreign(domain="com.example", op="Frobnicate"), model_file))
    assert model.tensors["frobnicate0"] == Tensor(name="frobnicate0", dtype=None, shape=None)
    assert model.branches[0].outputs[0].shape is None


def test_tables_of_ai_onnx_ml(model_file: Path) -> None:
    g = Graph()
    scaled = g.node("Binarizer", g.node("Flatten", "x"), domain="ai.onnx.ml", threshold=0.5)
    proto = g.model(g.node("Neg", scaled))
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    model = load(saved(proto, model_file))
    assert model.branches[0].outputs[0] == Tensor(name="neg2", dtype="float32", shape=(1, 192))
    assert same(run(model, X), plain(model_file, X))


class Says:
    """An interpreter that knows what it is told; nothing is computed."""

    def __init__(self, *tensors: Tensor, refuses: bool = False) -> None:
        self.tensors = tensors
        self.refuses = refuses
        self.asked: list[onnx.GraphProto] = []

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
        raise EdgentError("no")

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        self.asked.append(proto.graph)
        if self.refuses:
            raise EdgentError("no")
        return {tensor.name: tensor for tensor in self.tensors}


def told(path: Path, interpreter: Says) -> Model:
    return files.load(path, interpreter=interpreter)


def test_the_engine_is_asked_for_what_is_unknown_and_gets_no_large_numbers(model_file: Path) -> None:
    says = Says(Tensor(name="fusedmatmul0", dtype="float32", shape=(1, 3, 8, 800)))
    model = told(saved(foreign(numbers=800), model_file), says)
    (asked,) = says.asked
    assert sorted(output.name for output in asked.output) == ["fusedmatmul0", "relu4", "reshape3", "shape1"]
    assert [(value.name, len(value.type.tensor_type.shape.dim)) for value in asked.input] == [("x", 4), ("w0", 2)]
    assert [tensor.name for tensor in asked.initializer] == ["w1"]
    assert model.tensors["fusedmatmul0"].shape == (1, 3, 8, 800)


@pytest.mark.parametrize("path", ["standard", "known"])
def test_the_engine_is_not_asked_where_it_knows_no_more(path: str, model_file: Path) -> None:
    g = Graph()
    proto = g.model(g.node("Neg", g.node("Cast", g.node("NonZero", "x"), to=1))) if path == "standard" else residual()
    says = Says()
    told(saved(proto, model_file), says)
    assert says.asked == []


def test_what_the_engine_refuses_to_describe_is_unknown(model_file: Path) -> None:
    model = told(saved(foreign(), model_file), Says(refuses=True))
    assert model.tensors["fusedmatmul0"] == Tensor(name="fusedmatmul0", dtype=None, shape=None)


@pytest.mark.parametrize("dtype", ["float32", "string", "bfloat16", "int64"])
def test_a_type_may_be_known_without_a_shape(dtype: str, model_file: Path) -> None:
    g = Graph()
    proto = g.model(g.node("Frobnicate", "x", domain="com.example"))
    proto.opset_import.append(helper.make_opsetid("com.example", 1))
    says = Says(Tensor(name="frobnicate0", dtype=dtype, shape=None))
    model = told(saved(proto, model_file), says)
    assert model.tensors["frobnicate0"] == Tensor(name="frobnicate0", dtype=dtype, shape=None)


def test_what_is_no_tensor_to_the_engine_is_none(model_file: Path) -> None:
    model = told(saved(foreign(), model_file), Says(Tensor(name="fusedmatmul0", dtype=None, shape=None)))
    assert model.tensors["fusedmatmul0"].dtype is None


def test_a_shape_beyond_all_numbers_is_refused_where_it_first_is_too_large(model_file: Path) -> None:
    """Inference overflows further on: the last has a negative size."""
    g = Graph()
    x = g.node("Flatten", "x", axis=0)
    for _ in range(70):
        x = g.node("Concat", x, x, axis=1)
    with pytest.raises(ModelError, match=r"takes [\d.]+ GB, more than 2.15 GB"):
        load(saved(g.model(g.node("Relu", x)), model_file))


COSTLY: dict[str, onnx.NodeProto] = {
    "of another domain": helper.make_node("Conv", ["x"], ["y"], domain="com.example"),
    "one with groups": helper.make_node("Conv", ["x"], ["y"], domain="com.example", group=3),
    "a product": helper.make_node("MatMul", ["x"], ["y"], domain="com.example"),
    "text": helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING),
    "four bits": helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT4),
    "a short float": helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16),
    "a sequence": helper.make_node("SplitToSequence", ["x"], ["y"]),
    "what depends on the data": helper.make_node("NonZero", ["x"], ["y"]),
}


@pytest.mark.parametrize("name", COSTLY)
def test_costs_survive_what_is_unknown(name: str, model_file: Path) -> None:
    g = Graph(opset=21)
    node = COSTLY[name]
    g.nodes.append(node)
    proto = g.model("y")
    if name == "a sequence":
        proto.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None))
    elif node.op_type == "Cast":
        proto.graph.output[0].type.tensor_type.elem_type = node.attribute[0].i
    elif node.op_type == "NonZero":
        proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    if node.domain:
        proto.opset_import.append(helper.make_opsetid(node.domain, 1))
    proto.ir_version = 10
    model = load(saved(proto, model_file))
    (cost,) = layer_costs(model, model.branches[0])
    assert cost.kind == node.op_type
    assert cost.bytes_in == 4 * 192
    assert (cost.flops is None) == (node.op_type != "Cast")
    assert branch_flops(model, model.branches[0]) == cost.flops
