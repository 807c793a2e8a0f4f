"""Nothing is folded that is drawn anew, learns, is a loop or rounds, nor what the engine refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgent import model as files
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from graphs import Graph, saved
from model.folding import Make, Recorder, X, ends_in, floats, op, operators
from whole import plain, same, whole


def test_short_floats_are_not_computed_with(model_file: Path) -> None:
    """Plain ONNX Runtime has no kernel for it either: whoever runs it rounds in a way of his own."""
    g = Graph()
    g.weights.append(helper.make_tensor("short", TensorProto.BFLOAT16, [4], floats(4)))
    g.node("Cast", g.node("Mul", "short", "short"), to=TensorProto.FLOAT)
    recorder = Recorder()
    model = files.load(saved(ends_in(g, g.nodes[-1].output[0]), model_file), interpreter=recorder)
    assert not recorder.computed
    assert [node.op_type for node in model.proto.graph.node] == ["Mul", "Cast", "Identity", "Relu"]


def random_like(name: str) -> Make:
    return lambda g: g.node(name, g.node("ConstantOfShape", g.constant(np.array([1, 3, 8, 8]))), dtype=1)


DRAWN: dict[str, Make] = {
    "RandomNormal": op("RandomNormal", shape=[1, 3, 8, 8]),
    "RandomUniform": op("RandomUniform", shape=[1, 3, 8, 8]),
    "RandomNormalLike": random_like("RandomNormalLike"),
    "RandomUniformLike": random_like("RandomUniformLike"),
    "Bernoulli": op("Bernoulli", np.full((1, 3, 8, 8), 0.5, np.float32)),
    "Dropout": op("Dropout", np.ones((1, 3, 8, 8), np.float32), np.array(0.5, np.float32), np.array(True)),
    "Multinomial": op("Multinomial", np.zeros((8, 9), np.float32), sample_size=8, dtype=6),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_random_is_drawn_anew_at_each_run(name: str, model_file: Path) -> None:
    g = Graph()
    path = saved(g.model(g.node("Add", "x", g.node("Cast", DRAWN[name](g), to=1))), model_file)
    model = load(path)
    assert name in [node.op_type for node in model.proto.graph.node]
    session = Engine().session(model, ["x"], [model.branches[0].outputs[0].name])
    first, *others = (next(iter(session.run(X).values())) for _ in range(4))
    assert not all(np.array_equal(first, other) for other in others)


def body(g: Graph, *nodes: onnx.NodeProto, inputs: tuple[str, ...] = (), output: str = "b") -> onnx.GraphProto:
    kinds = {"i": (TensorProto.INT64, []), "more": (TensorProto.BOOL, []), "a": (TensorProto.FLOAT, [2])}
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [2])]
    if "more" in inputs:
        outputs.insert(0, helper.make_tensor_value_info("on", TensorProto.BOOL, []))
    return helper.make_graph(
        nodes, "body", [helper.make_tensor_value_info(name, *kinds[name]) for name in inputs], outputs
    )


def condition(g: Graph) -> str:
    halves = {
        branch: body(g, helper.make_node(name, [g.constant(floats(2))], ["b"]))
        for branch, name in (("then_branch", "Neg"), ("else_branch", "Abs"))
    }
    return g.node("If", g.constant(np.array(True)), **halves)


def loop(g: Graph) -> str:
    nodes = [helper.make_node("Identity", ["more"], ["on"]), helper.make_node("Add", ["a", "a"], ["b"])]
    inner = body(g, *nodes, inputs=("i", "more", "a"))
    return g.node("Loop", g.constant(np.array(3)), g.constant(np.array(True)), g.constant(floats(2)), body=inner)


STAYS: dict[str, tuple[int, Make]] = {
    "If": (17, condition),
    "Loop": (17, loop),
    "DequantizeLinear": (17, op("DequantizeLinear", np.arange(4, dtype=np.int8), np.array(0.5, np.float32))),
    "QuantizeLinear": (17, op("QuantizeLinear", floats(4), np.array(0.5, np.float32))),
    "Mul": (17, op("Mul", floats(4).astype(np.float16), floats(4).astype(np.float16))),  # rounded by the engine
    "ReduceMean": (17, op("ReduceMean", floats(4, 7).astype(np.float16), axes=[1])),
    "Dropout": (17, op("Dropout", floats(4))),
    "Cast": (17, op("Cast", np.array(["1.5", "2"], object), to=1)),
    "Reshape": (17, op("Reshape", np.array(["a", "b"], object), np.array([2, 1]))),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_a_node(name: str, model_file: Path) -> None:
    opset, make = STAYS[name]
    g = Graph(opset=opset)
    path = saved(ends_in(g, make(g)), model_file)
    assert operators(path) == [name, "Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


@pytest.mark.parametrize(
    ("opset", "outputs", "options", "is_computed"),
    [
        (17, 3, {"training_mode": 1}, False),
        (17, 1, {"training_mode": 1}, False),
        (9, 5, {}, False),
        (9, 1, {}, True),
        (17, 1, {"training_mode": 0}, True),
    ],
)
def test_a_normalisation_that_learns_is_not_computed(
    opset: int, outputs: int, options: dict[str, int], is_computed: bool, model_file: Path
) -> None:
    g = Graph(opset=opset)
    numbers = [floats(2, 3, 4), *(floats(3) for _ in range(3)), np.ones(3, np.float32)]
    proto = ends_in(g, op("BatchNormalization", *numbers, outputs=outputs, **options)(g), TensorProto.FLOAT)
    recorder = Recorder()
    files.load(saved(proto, model_file), interpreter=recorder)
    assert bool(recorder.computed) == is_computed


def test_operators_of_other_domains_are_not_computed(model_file: Path) -> None:
    g = Graph()
    product = g.node("FusedMatMul", g.constant(floats(2, 3)), g.constant(floats(3, 4)), domain="com.microsoft")
    proto = ends_in(g, g.node("Neg", product), TensorProto.FLOAT)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    path = saved(proto, model_file)
    assert operators(path) == ["FusedMatMul", "Neg", "Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_what_the_engine_refuses_stays_in_the_graph(model_file: Path) -> None:
    g = Graph()
    constant = g.node("Neg", g.constant(floats(3)))
    recorder = Recorder(refuses=True)
    model = files.load(saved(ends_in(g, constant), model_file), interpreter=recorder)
    assert len(recorder.computed) == 1
    assert [node.op_type for node in model.proto.graph.node] == ["Neg", "Identity", "Relu"]
