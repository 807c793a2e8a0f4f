"""Constants are what the engine makes of them; nothing is folded that is drawn anew, learns, or is a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgent import model as files
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError
from edgent.model import Tensor
from graphs import Graph, saved
from whole import plain, same, whole

X = {"x": np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)}
_RANDOM = np.random.default_rng(2)
Make = Callable[[Graph], str]


def floats(*shape: int) -> np.ndarray:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def ends_in(g: Graph, constant: str, kind: int | None = None) -> onnx.ModelProto:
    """A model that answers with an input and with a constant, each made by a node of its own."""
    kept = g.node("Identity", constant)
    proto = g.model(kept, g.node("Relu", "x"))
    declared = proto.graph.output[0]
    declared.ClearField("type")
    if kind is None:
        inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(proto).graph.value_info}
        kind = inferred[kept].type.tensor_type.elem_type
    declared.type.tensor_type.elem_type = kind
    return proto


def operators(path: Path) -> list[str]:
    return [node.op_type for node in load(path).proto.graph.node]


class Recorder:
    """An interpreter that remembers what it was asked; it computes zeros, or nothing at all."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.computed: list[onnx.ModelProto] = []
        self.feeds: list[Mapping[str, Any]] = []
        self.described: list[onnx.ModelProto] = []

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.computed.append(proto)
        self.feeds.append(feeds)
        if self.refuses:
            raise EdgentError("no")
        return {output.name: np.zeros(3, np.float32) for output in proto.graph.output}

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        self.described.append(proto)
        return {}


def op(name: str, *arrays: np.ndarray | None, outputs: int = 1, answer: int = 0, **attributes: object) -> Make:
    """A node of constants; `answer` says which of its outputs is looked at."""

    def make(g: Graph) -> str:
        reads = ["" if array is None else g.constant(array) for array in arrays]
        first = g.node(name, *reads, outputs=outputs, **attributes)
        return first if answer == 0 else f"{first}_{answer}"

    return make


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


def test_the_standard_domain_by_its_long_name(model_file: Path) -> None:
    g = Graph()
    proto = ends_in(g, g.node("Neg", g.constant(floats(3))))
    proto.opset_import[0].domain = "ai.onnx"
    assert operators(saved(proto, model_file)) == ["Identity", "Relu"]


SHAPES: dict[str, Make] = {
    "all": lambda g: g.node("Shape", "x"),
    "from the second": lambda g: g.node("Shape", "x", start=1),
    "up to the last": lambda g: g.node("Shape", "x", end=-1),
    "the middle": lambda g: g.node("Shape", "x", start=1, end=3),
    "from the back": lambda g: g.node("Shape", "x", start=-2),
    "beyond": lambda g: g.node("Shape", "x", start=-9, end=9),
    "none": lambda g: g.node("Shape", "x", start=3, end=1),
    "size": lambda g: g.node("Size", "x"),
    "of a constant": lambda g: g.node("Shape", g.constant(floats(7, 5, 9))),
    "of what is computed": lambda g: g.node("Shape", g.conv("x", 3, 5)),
    "a chain": lambda g: g.node(
        "Concat",
        g.node("Unsqueeze", g.node("Gather", g.node("Shape", "x"), g.constant(np.array(2))), g.constant(np.array([0]))),
        g.node("Cast", g.node("Cast", g.node("Shape", "x", start=2), to=1), to=7),
        axis=0,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_constants(name: str, model_file: Path) -> None:
    g = Graph()
    path = saved(ends_in(g, SHAPES[name](g)), model_file)
    assert sorted(operators(path)) == ["Identity", "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_the_shape_of_a_tensor_whose_shape_depends_on_the_data_stays(model_file: Path) -> None:
    g = Graph()
    path = saved(ends_in(g, g.node("Shape", g.node("NonZero", "x"))), model_file)
    assert "Shape" in operators(path)
    assert same(whole(path, X), plain(path, X))


@pytest.mark.parametrize("name", ["Shape", "Size"])
def test_a_shape_that_is_an_answer_is_made_by_a_node(name: str, model_file: Path) -> None:
    g = Graph()
    answer = g.node(name, "x")
    proto = g.model(g.node("Relu", "x"), answer)
    proto.graph.output[1].type.tensor_type.elem_type = TensorProto.INT64
    path = saved(proto, model_file)
    assert operators(path) == [name, "Relu"]
    assert same(whole(path, X), plain(path, X))


def test_shapes_that_follow_from_shapes_vanish(model_file: Path) -> None:
    g = Graph()
    x = "x"
    for _ in range(6):
        sides = g.node("Shape", x)
        long = g.node("Expand", x, g.node("Max", sides, g.node("Sub", sides, g.constant(np.array([1])))))
        x = g.node("Reshape", long, g.node("Where", g.node("Less", sides, sides), sides, g.node("Abs", sides)))
    path = saved(g.model(g.node("Relu", x)), model_file)
    assert set(operators(path)) == {"Expand", "Reshape", "Relu"}
    assert same(whole(path, X), plain(path, X))


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


def test_what_the_engine_refuses_stays_in_the_graph(model_file: Path) -> None:
    g = Graph()
    constant = g.node("Neg", g.constant(floats(3)))
    recorder = Recorder(refuses=True)
    model = files.load(saved(ends_in(g, constant), model_file), interpreter=recorder)
    assert len(recorder.computed) == 1
    assert [node.op_type for node in model.proto.graph.node] == ["Neg", "Identity", "Relu"]


def test_shapes_vanish_also_where_the_engine_refuses_the_rest(model_file: Path) -> None:
    g = Graph()
    model = files.load(
        saved(ends_in(g, g.node("Neg", g.node("Shape", "x"))), model_file), interpreter=Recorder(refuses=True)
    )
    assert [node.op_type for node in model.proto.graph.node] == ["Neg", "Identity", "Relu"]
    assert numpy_helper.to_array(model.proto.graph.initializer[0]).tolist() == [1, 3, 8, 8]


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


@pytest.mark.parametrize(("height", "width"), [(8, 12), (12, 8)])
def test_constants_that_depend_on_the_dimensions_are_each_bindings_own(
    height: int, width: int, model_file: Path
) -> None:
    g = Graph()
    for axis, name in ((2, "height"), (3, "width")):
        g.inputs[0].type.tensor_type.shape.dim[axis].dim_param = name
    sides = g.node("Cast", g.node("Shape", "x", start=2), to=1)
    path = saved(g.model(g.node("Mul", "x", g.node("Gather", sides, g.constant(np.array(1))))), model_file)
    (constant,) = load(path, dims={"height": height, "width": width}).proto.graph.initializer
    assert numpy_helper.to_array(constant) == width
