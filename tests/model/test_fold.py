"""Constants are what the engine makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent import model as files
from graphs import Graph, saved
from model.folding import Make, Recorder, X, ends_in, floats, op, operators
from whole import plain, same, whole

LSTM = [5 * floats(3, 1, 4), floats(1, 8, 4), floats(1, 8, 2), floats(1, 16)]
COMPUTED: dict[str, tuple[int, Make]] = {
    "softmax of old": (11, op("Softmax", floats(2, 3, 4), axis=1)),
    "logsoftmax of old": (11, op("LogSoftmax", floats(2, 3, 4), axis=1)),
    "hardmax of old": (11, op("Hardmax", floats(2, 3, 4))),
    "softmax": (17, op("Softmax", floats(2, 3, 4))),
    "maxpool padded below": (
        17, op("MaxPool", floats(1, 1, 7, 7), kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    ),
    "averagepool rounded up": (
        17, op("AveragePool", floats(1, 1, 7, 7), kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    ),
    "lstm clipped": (17, op("LSTM", *LSTM, outputs=3, answer=2, hidden_size=2, clip=0.5)),
    "lstm's activations": (
        17, op("LSTM", *LSTM, outputs=3, answer=1, hidden_size=2, activations=["HardSigmoid", "Relu", "Tanh"]),
    ),
    "lstm's lengths": (
        17,
        op("LSTM", floats(3, 2, 4), *LSTM[1:], np.array([3, 1], np.int32), outputs=3, answer=1, hidden_size=2),
    ),
    "gru": (17, op("GRU", floats(3, 1, 4), floats(1, 6, 4), floats(1, 6, 2), outputs=2, answer=1, hidden_size=2)),
    "resize": (
        17,
        op(
            "Resize", floats(1, 2, 5, 4), None, np.array([1, 1, 1.7, 0.6], np.float32),
            mode="linear", coordinate_transformation_mode="align_corners",
        ),
    ),
    "conv": (17, op("Conv", floats(1, 2, 6, 6), floats(3, 2, 3, 3))),
    "convtranspose": (17, op("ConvTranspose", floats(1, 2, 3, 3), floats(2, 3, 3, 3), strides=[2, 2])),
    "matmul": (17, op("MatMul", floats(40, 50), floats(50, 60))),
    "einsum": (17, op("Einsum", floats(3, 4), floats(4, 5), equation="ij,jk->ki")),
    "lrn": (17, op("LRN", floats(1, 5, 3, 3), size=3)),
    "nonzero": (17, op("NonZero", np.array([[1, 0], [3, 4]], np.float32))),
    "unique": (17, op("Unique", np.array([3, 1, 3], np.int64), outputs=4, answer=1)),
    "compress": (17, op("Compress", floats(4, 2), np.array([True, False, True, True]), axis=0)),
    "topk's places": (17, op("TopK", floats(3, 9), np.array([4]), outputs=2, answer=1)),
    "batch normalisation": (
        17, op("BatchNormalization", floats(2, 3, 4), floats(3), floats(3), floats(3), np.ones(3, np.float32)),
    ),
    "a half turned into a whole": (17, op("Cast", floats(4, 4).astype(np.float16), to=TensorProto.FLOAT)),
    "halves set on end": (17, op("Transpose", floats(40, 30).astype(np.float16))),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPUTED)
def test_a_constant_is_what_the_engine_makes_of_it(name: str, model_file: Path) -> None:
    opset, make = COMPUTED[name]
    g = Graph(opset=opset)
    path = saved(ends_in(g, make(g)), model_file)
    assert operators(path) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


KINDS = [
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("rows", [3, 3000])
def test_constants_of_every_type_that_an_array_holds(dtype: str, rows: int, model_file: Path) -> None:
    g = Graph()
    array = np.abs(20 * floats(rows, 2)).astype(dtype)
    path = saved(ends_in(g, g.node("Transpose", g.constant(array))), model_file)
    assert operators(path) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))
    assert plain(path, X)[0].tobytes() == array.T.tobytes()


def test_the_standard_domain_by_its_long_name(model_file: Path) -> None:
    g = Graph()
    proto = ends_in(g, g.node("Neg", g.constant(floats(3))))
    proto.opset_import[0].domain = "ai.onnx"
    assert operators(saved(proto, model_file)) == ["Identity", "Relu"]


def test_what_depends_on_the_numbers_of_a_constant_is_computed(model_file: Path) -> None:
    g = Graph()
    ones = g.node("ConstantOfShape", g.node("Mul", g.constant(np.array([2, 1])), g.constant(np.array([3, 4]))))
    places = g.node("NonZero", g.node("Equal", ones, g.constant(np.array(0, np.float32))))
    path = saved(ends_in(g, g.node("Transpose", places)), model_file)
    assert operators(path) == ["Identity", "Relu"]
    assert plain(path, X)[0].shape == (24, 2)
    assert same(whole(path, X), plain(path, X))


def test_what_is_behind_a_constant_answer_is_computed_too(model_file: Path) -> None:
    g = Graph()
    answer = g.node("Neg", g.constant(floats(1, 3, 8, 8)))
    path = saved(g.model(answer, g.node("Add", "x", g.node("Exp", answer))), model_file)
    assert sorted(operators(path)) == ["Add", "Neg"]
    assert same(whole(path, X), plain(path, X))


def test_numbers_that_no_array_holds_are_passed_on_inside_the_engine(model_file: Path) -> None:
    g = Graph()
    short = g.node("Cast", g.constant(floats(1, 3, 8, 8)), to=TensorProto.BFLOAT16)
    path = saved(g.model(g.node("Add", "x", g.node("Cast", short, to=TensorProto.FLOAT))), model_file)
    assert operators(path) == ["Add"]
    assert same(whole(path, X), plain(path, X))


@pytest.mark.parametrize("numbers", [4, 4000])
def test_weights_that_no_array_holds_are_computed_with(numbers: int, model_file: Path) -> None:
    g = Graph()
    g.weights.append(helper.make_tensor("short", TensorProto.BFLOAT16, [numbers], floats(numbers)))
    path = saved(ends_in(g, g.node("Cast", "short", to=TensorProto.FLOAT)), model_file)
    assert operators(path) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_what_no_answer_needs_is_neither_computed_nor_refused(model_file: Path) -> None:
    g = Graph()
    g.node("ConstantOfShape", g.constant(np.array([2**40])))
    g.node("Relu", "x")
    path = saved(g.model(g.nodes[-1].output[0]), model_file)
    assert operators(path) == ["Relu"]


def test_all_constants_are_computed_in_one_run_of_the_engine(model_file: Path) -> None:
    g = Graph()
    large, small = g.constant(floats(400)), g.constant(floats(400)[:3])
    one, two = g.node("Neg", g.node("Exp", large)), g.node("Neg", g.node("Exp", small))
    g.node("Abs", "x")
    proto = g.model(g.node("Add", g.node("Sum", "x", one), two), g.nodes[-1].output[0])
    recorder = Recorder()
    model = files.load(saved(proto, model_file), interpreter=recorder)
    (graph,) = (asked.graph for asked in recorder.computed)
    assert [node.op_type for node in graph.node] == ["Exp", "Neg", "Exp", "Neg"]
    assert [output.name for output in graph.output] == [one, two]
    assert [value.name for value in graph.input] == [large] == list(recorder.feeds[0])
    assert [tensor.name for tensor in graph.initializer] == [small]
    assert sorted(tensor.name for tensor in model.proto.graph.initializer) == sorted([one, two])


CONSTANTS: dict[str, tuple[dict[str, Any], Any]] = {
    "a tensor": ({"value": numpy_helper.from_array(np.arange(6.0).reshape(2, 3))}, np.arange(6.0).reshape(2, 3)),
    "a float": ({"value_float": 0.5}, np.array(0.5, np.float32)),
    "floats": ({"value_floats": [0.5, 2.0]}, np.array([0.5, 2], np.float32)),
    "an int": ({"value_int": 7}, np.array(7)),
    "ints": ({"value_ints": [7, -8, 9]}, np.array([7, -8, 9])),
    "a text": ({"value_string": "a"}, np.array(b"a", object)),
    "texts": ({"value_strings": ["a", "b"]}, np.array([b"a", b"b"], object)),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_node_is_an_initialiser_without_any_computing(name: str, model_file: Path) -> None:
    attributes, expected = CONSTANTS[name]
    g = Graph()
    path = saved(ends_in(g, g.node("Constant", **attributes)), model_file)
    recorder = Recorder()
    (tensor,) = files.load(path, interpreter=recorder).proto.graph.initializer
    array = numpy_helper.to_array(tensor)
    assert not recorder.computed
    assert array.shape == expected.shape
    assert array.dtype == expected.dtype
    assert np.array_equal(array, expected) or array.astype(str).tolist() == expected.astype(str).tolist()
    assert same(whole(path, X), plain(path, X))


def test_a_constant_node_that_is_an_answer_needs_no_layer(model_file: Path) -> None:
    g = Graph()
    answer = g.node("Constant", value_floats=[1.0, 2.0])
    path = saved(g.model(g.node("Relu", "x"), answer), model_file)
    assert operators(path) == ["Relu"]
    assert same(whole(path, X), plain(path, X))


def test_a_sparse_constant_is_what_the_engine_makes_of_it(model_file: Path) -> None:
    values, places = helper.make_tensor("v", 1, [2], [1.0, 2.0]), helper.make_tensor("i", 7, [2], [1, 3])
    g = Graph()
    constant = g.node("Constant", sparse_value=helper.make_sparse_tensor(values, places, [6]))
    path = saved(ends_in(g, g.node("Neg", constant)), model_file)
    assert operators(path) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))
