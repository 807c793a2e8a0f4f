"""Small graphs, one for each way in which a file can keep a constant, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
SIDE = 40  # a matrix of this side is too large to stay in the graph


def value(name: str, kind: int = FLOAT, shape: Sequence[int] | None = (1, SIDE)) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def matrix(name: str, seed: int = 0) -> onnx.TensorProto:
    return numpy_helper.from_array(numbers(SIDE, SIDE, seed=seed), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    *,
    outputs: Sequence[onnx.ValueInfoProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] = (),
    opset: int = 21,
    sparse: Sequence[onnx.SparseTensorProto] = (),
) -> onnx.ModelProto:
    """Out of x [1, 40], in which the last node's output is the answer."""
    answers = list(outputs) or [value(nodes[-1].output[0], shape=None)]
    graph = helper.make_graph(
        nodes, "g", [value("x"), *inputs], answers, list(constants), sparse_initializer=list(sparse)
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def node(op: str, reads: Sequence[str], makes: str | Sequence[str], **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, list(reads), [makes] if isinstance(makes, str) else list(makes), **attributes)


def body(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (),
    outputs: Sequence[onnx.ValueInfoProto] = (),
    sparse: Sequence[onnx.SparseTensorProto] = (),
) -> onnx.GraphProto:
    answers = list(outputs) or [value(nodes[-1].output[0], shape=None)]
    return helper.make_graph(nodes, "b", list(inputs), answers, list(constants), sparse_initializer=list(sparse))


def sparse_matrix(name: str, *, flat: bool = False, kind: type = np.float32) -> onnx.SparseTensorProto:
    """Of shape [40, 40], with three values."""
    places = np.array([[0, 1], [3, 4], [39, 39]], dtype=np.int64)
    values = numpy_helper.from_array(np.array([1.5, -2, 3], dtype=kind), name)
    indices = places @ [SIDE, 1] if flat else places
    return helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "places"), [SIDE, SIDE])


def _packed(kind: int, length: int, opset: int = 21) -> onnx.ModelProto:
    """One number for each of x, all together of fewer bytes than numbers."""
    values = np.random.default_rng(1).integers(0, 2, length).tolist()
    constant = helper.make_tensor("q", kind, [length], values)
    rest = [node("Gather", ["wide", "which"], "some"), node("Add", ["x", "some"], "sum"), node("Relu", ["sum"], "y")]
    which = numpy_helper.from_array(np.arange(SIDE) * (length // SIDE), "which")
    return model([node("Cast", ["q"], "wide", to=FLOAT), *rest], [constant, which], opset=opset)


def _dequantised(kind: int) -> onnx.ModelProto:
    """4097 numbers of half a byte: the last byte is half empty."""
    values = np.random.default_rng(2).integers(0, 7, 4097).tolist()
    scale = numpy_helper.from_array(np.float32(0.25), "scale")
    which = numpy_helper.from_array(np.arange(4097 - SIDE, 4097), "which")
    nodes = [node("DequantizeLinear", ["q", "scale"], "wide"), node("Gather", ["wide", "which"], "some")]
    return model(
        [*nodes, node("Mul", ["x", "some"], "y")], [helper.make_tensor("q", kind, [4097], values), scale, which]
    )


def _labels(count: int) -> onnx.ModelProto:
    names = helper.make_tensor("names", STRING, [count], [f"name of class {k}".encode() for k in range(count)])
    nodes = [node("Gemm", ["x", "w"], "scores"), node("ArgMax", ["scores"], "best", axis=1, keepdims=0)]
    weights = numpy_helper.from_array(numbers(SIDE, count), "w")
    outputs = [value("scores", shape=[1, count]), value("label", STRING, [1])]
    return model([*nodes, node("Gather", ["names", "best"], "label")], [weights, names], outputs=outputs)


def text_in_a_constant_node() -> onnx.ModelProto:
    texts = [f"a somewhat long text, number {k}" for k in range(SIDE)]
    nodes = [
        node("Constant", [], "names", value_strings=texts),
        node("ArgMax", ["x"], "best", axis=1, keepdims=0),
        node("Gather", ["names", "best"], "label"),
    ]
    return model(nodes, outputs=[value("label", STRING, [1])])


def text_of_two_dimensions() -> onnx.ModelProto:
    texts = helper.make_tensor("names", STRING, [SIDE, 2], [f"{k}, ünïcode".encode() for k in range(2 * SIDE)])
    nodes = [node("ArgMax", ["x"], "best", axis=1, keepdims=0), node("Gather", ["names", "best"], "label")]
    return model(nodes, [texts], outputs=[value("label", STRING, [1, 2])])


def sparse_by_coordinates() -> onnx.ModelProto:
    return model([node("MatMul", ["x", "w"], "y")], sparse=[sparse_matrix("w")])


def sparse_by_positions() -> onnx.ModelProto:
    return model([node("MatMul", ["x", "w"], "m"), node("Relu", ["m"], "y")], sparse=[sparse_matrix("w", flat=True)])


def sparse_of_doubles() -> onnx.ModelProto:
    nodes = [node("Cast", ["w"], "v", to=FLOAT), node("MatMul", ["x", "v"], "y")]
    return model(nodes, sparse=[sparse_matrix("w", kind=np.float64)])


def sparse_in_a_constant_node() -> onnx.ModelProto:
    nodes = [node("Constant", [], "w", sparse_value=sparse_matrix("")), node("MatMul", ["x", "w"], "y")]
    return model(nodes)


def sparse_in_a_body() -> onnx.ModelProto:
    then = body([node("MatMul", ["x", "w"], "t")], sparse=[sparse_matrix("w")])
    other = body([node("Constant", [], "v", sparse_value=sparse_matrix("")), node("MatMul", ["x", "v"], "e")])
    return _if(then, other)


def a_large_answer() -> onnx.ModelProto:
    nodes = [node("Relu", ["x"], "r"), node("Neg", ["r"], "y")]
    return model(nodes, [matrix("anchors")], outputs=[value("y"), value("anchors", shape=[SIDE, SIDE])])


def a_small_answer_between_others() -> onnx.ModelProto:
    anchors = numpy_helper.from_array(np.arange(5, dtype=np.int64), "anchors")
    nodes = [node("Relu", ["x"], "r"), node("Neg", ["r"], "y")]
    return model(nodes, [anchors], outputs=[value("r"), value("anchors", INT64, [5]), value("y")])


def an_answer_that_a_layer_reads() -> onnx.ModelProto:
    nodes = [node("MatMul", ["x", "w"], "m"), node("Relu", ["m"], "y")]
    return model(nodes, [matrix("w")], outputs=[value("y"), value("w", shape=[SIDE, SIDE])])


def an_answer_of_a_constant_node() -> onnx.ModelProto:
    nodes = [node("Constant", [], "c", value_ints=[4, 5, 6]), node("Relu", ["x"], "y")]
    return model(nodes, outputs=[value("c", INT64, [3]), value("y")])


def an_answer_of_text() -> onnx.ModelProto:
    names = helper.make_tensor("names", STRING, [2], [b"cat", b"dog"])
    return model([node("Relu", ["x"], "y")], [names], outputs=[value("y"), value("names", STRING, [2])])


def constant_nodes_of_numbers() -> onnx.ModelProto:
    nodes = [
        node("Constant", [], "one", value_float=1.25),
        node("Constant", [], "many", value_floats=numbers(SIDE).tolist()),
        node("Constant", [], "shape", value_ints=[SIDE, 1]),
        node("Constant", [], "axis", value_int=1),
        node("Mul", ["x", "one"], "scaled"),
        node("Add", ["scaled", "many"], "sum"),
        node("Reshape", ["sum", "shape"], "tall"),
        node("CumSum", ["tall", "axis"], "y"),
    ]
    return model(nodes)


def a_constant_node() -> onnx.ModelProto:
    return model([node("Constant", [], "w", value=matrix("inner")), node("MatMul", ["x", "w"], "y")])


def bodies_of_an_if() -> onnx.ModelProto:
    then = body([node("MatMul", ["x", "w"], "t")], [matrix("w", 1)])
    other = body([node("Constant", [], "w", value=matrix("", 2)), node("MatMul", ["x", "w"], "e")])
    return _if(then, other)


def a_body_that_answers_with_its_constant() -> onnx.ModelProto:
    then = body([node("Identity", ["w"], "t")], [matrix("w", 1)])
    other = body([node("Constant", [], "e", value=matrix("", 2))], outputs=[value("e", shape=None)])
    return _if(then, other)


def a_body_in_a_body() -> onnx.ModelProto:
    inner = body([node("MatMul", ["x", "w"], "ii")], [matrix("w", 3)])
    other = body([node("MatMul", ["x", "w"], "ie")], [matrix("w", 4)])
    nodes = [node("If", ["c"], "i", then_branch=inner, else_branch=other), node("MatMul", ["i", "w"], "t")]
    return _if(body(nodes, [matrix("w", 5)]), body([node("Neg", ["x"], "e")]))


def a_loop() -> onnx.ModelProto:
    inside = body(
        [node("MatMul", ["before", "w"], "m"), node("Tanh", ["m"], "after"), node("Identity", ["go"], "on")],
        [matrix("w", 6)],
        inputs=[value("i", INT64, []), value("go", TensorProto.BOOL, []), value("before")],
        outputs=[value("on", TensorProto.BOOL, []), value("after")],
    )
    three = numpy_helper.from_array(np.array(3), "three")
    nodes = [node("Loop", ["three", "", "x"], "l", body=inside), node("Relu", ["l"], "y")]
    return model(nodes, [three])


def a_scan() -> onnx.ModelProto:
    inside = body(
        [node("MatMul", ["row", "w"], "out")],
        [matrix("w", 7)],
        inputs=[value("row", shape=[SIDE])],
        outputs=[value("out", shape=[SIDE])],
    )
    return model([node("Relu", ["x"], "r"), node("Scan", ["r"], "y", body=inside, num_scan_inputs=1)])


def nothing_at_all() -> onnx.ModelProto:
    """Constants of no numbers: a vector, and a matrix of forty columns."""
    empty = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in (("v", 0), ("m", (0, SIDE)))]
    nodes = [
        node("Concat", ["x", "m"], "c", axis=0),
        node("Relu", ["c"], "r"),
        node("Flatten", ["r"], "f", axis=0),
        node("Squeeze", ["f"], "s"),
        node("Concat", ["s", "v"], "y", axis=0),
    ]
    return model(nodes, empty)


def a_shape() -> onnx.ModelProto:
    shape = numpy_helper.from_array(np.array([4, 10]), "shape")
    nodes = [node("MatMul", ["x", "w"], "m"), node("Reshape", ["m", "shape"], "r"), node("Softmax", ["r"], "y")]
    return model(nodes, [matrix("w"), shape])


def _if(then: onnx.GraphProto, other: onnx.GraphProto) -> onnx.ModelProto:
    nodes = [
        node("ReduceSum", ["x"], "total", keepdims=0),
        node("Greater", ["total", "zero"], "c"),
        node("If", ["c"], "o", then_branch=then, else_branch=other),
        node("Relu", ["o"], "y"),
    ]
    return model(nodes, [numpy_helper.from_array(np.float32(0), "zero")])


_NARROW = ("FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "BOOL", "UINT16")

KINDS: dict[str, Callable[[], onnx.ModelProto]] = {
    **{f"{name} numbers": lambda name=name: _packed(getattr(TensorProto, name), 4096) for name in _NARROW},
    **{f"dequantised {name}": lambda name=name: _dequantised(getattr(TensorProto, name)) for name in ("INT4", "UINT4")},
    "few labels": lambda: _labels(4),
    "many labels": lambda: _labels(200),
    **{
        function.__name__: function
        for function in (
            text_in_a_constant_node, text_of_two_dimensions,
            sparse_by_coordinates, sparse_by_positions, sparse_of_doubles, sparse_in_a_constant_node, sparse_in_a_body,
            a_large_answer, a_small_answer_between_others, an_answer_that_a_layer_reads, an_answer_of_a_constant_node,
            an_answer_of_text,
            constant_nodes_of_numbers, a_constant_node, bodies_of_an_if, a_body_that_answers_with_its_constant,
            a_body_in_a_body, a_loop, a_scan, nothing_at_all, a_shape,
        )
    },
}  # fmt: skip
