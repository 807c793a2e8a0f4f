"""Cuts of quantised networks: every one that is offered answers bit by bit as plain ONNX Runtime does on the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from graphs import Graph, saved


class Quantised(Graph):
    """A graph whose operators stand between pairs: `pair` quantises what an operator made, and dequantises it."""

    def __init__(self, kind: str = "uint8", **options: object) -> None:
        super().__init__(side=10, **options)
        self.kind = np.dtype(kind)
        self.quantised: list[str] = []

    def numbers(self, scale: float, zero: int, kind: np.dtype | None = None) -> list[str]:
        return [self.constant(np.float32(scale)), self.constant(np.array(zero, kind or self.kind))]

    def pair(self, x: str, scale: float = 0.04, *, zero: int | None = None, like: list[str] | None = None) -> str:
        middle = 128 if self.kind == np.uint8 else 0
        told = like or self.numbers(scale, middle if zero is None else zero)
        self.quantised.append(self.node("QuantizeLinear", x, *told))
        return self.node("DequantizeLinear", self.quantised[-1], *told)

    def stored(self, *shape: int) -> str:
        """A weight of int8, dequantised."""
        whole = np.clip(self.random.standard_normal(shape) * 40, -127, 127).astype(np.int8)
        fan = max(1, int(np.prod(shape[1:])))
        return self.node(
            "DequantizeLinear", self.constant(whole), *self.numbers(1 / 40 / np.sqrt(fan), 0, np.dtype(np.int8))
        )

    def layer(self, x: str, inputs: int, outputs: int, size: int = 3) -> str:
        return self.node("Conv", x, self.stored(outputs, inputs, size, size), pads=[size // 2] * 4)


def chain(kind: str) -> onnx.ModelProto:
    g = Quantised(kind)
    first = g.pair(g.node("Relu", g.layer(g.pair("x"), 3, 8)), zero=np.iinfo(g.kind).min)
    second = g.pair(g.layer(first, 8, 8))
    flat = g.node("Flatten", g.pair(g.node("GlobalAveragePool", second), 0.01))
    return g.model(g.node("MatMul", flat, g.stored(8, 10)))


def branching(kind: str) -> onnx.ModelProto:
    """One dequantised tensor with several readers, an addition and a concatenation."""
    g = Quantised(kind)
    first = g.pair(g.layer(g.pair("x"), 3, 8))
    inner = g.pair(g.layer(first, 8, 8))
    added = g.pair(g.node("Add", inner, first), 0.06)
    both = g.pair(g.node("Concat", g.pair(g.layer(added, 8, 4, 1)), g.pair(g.node("Sigmoid", added), 0.01), axis=1))
    pooled = g.node("AveragePool", both, kernel_shape=[5, 5], strides=[5, 5])
    flat = g.pair(g.node("Flatten", g.pair(pooled)))
    return g.model(g.node("Softmax", g.pair(g.node("MatMul", flat, g.stored(48, 10)), 0.1)))


def moving(kind: str) -> onnx.ModelProto:
    """Pairs around what only moves values, alike and with scales of their own, and two pairs in a row."""
    g = Quantised(kind)
    alike = g.numbers(0.05, 128 if kind == "uint8" else 0)
    one = g.pair(g.layer(g.pair("x"), 3, 4), like=alike)
    pooled = g.pair(g.node("MaxPool", one, kernel_shape=[2, 2], strides=[2, 2]), like=alike)
    turned = g.pair(g.node("Transpose", pooled, perm=[0, 1, 3, 2]), 0.031)
    twice = g.pair(g.pair(turned, 0.043), 0.029)
    return g.model(g.pair(g.layer(twice, 4, 4), 0.2))


def at_the_end(kind: str) -> onnx.ModelProto:
    """A softmax between pairs, whose kernel answers otherwise than the floating one."""
    g = Quantised(kind)
    flat = g.node("Flatten", g.pair(g.node("GlobalAveragePool", g.pair(g.layer(g.pair("x"), 3, 8))), 0.01))
    scores = g.pair(g.node("MatMul", flat, g.stored(8, 10)))
    return g.model(g.pair(g.node("Softmax", scores), 1 / 256, zero=np.iinfo(g.kind).min))


def floating_before(kind: str) -> onnx.ModelProto:
    """A floating trunk before the first pair, and floating layers after the last."""
    g = Quantised(kind)
    trunk = g.node("Relu", g.conv(g.node("Relu", g.conv("x", 3, 8)), 8, 8))
    inner = g.pair(g.layer(g.pair(g.node("Exp", g.node("Neg", trunk)), 0.01), 8, 8))
    out = g.node("Flatten", g.node("GlobalAveragePool", g.node("Tanh", inner)))
    return g.model(g.node("MatMul", out, g.weight(8, 10)))


MAKERS = chain, branching, moving, at_the_end, floating_before
NETWORKS = {f"{make.__name__} {kind}": (make, kind) for make in MAKERS for kind in ("uint8", "int8")}


@pytest.fixture(params=NETWORKS)
def file(request, tmp_path) -> Path:
    make, kind = NETWORKS[request.param]
    return saved(make(kind), tmp_path / f"{make.__name__}.onnx")


def whole(path: Path, inputs) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [session.run(None, {"x": x})[0] for x in inputs]


def divided(model, engine, upload: int, download: int, inputs) -> list[np.ndarray]:
    """Head, middle and suffix, each a session of its own."""
    branch = model.branches[0]
    up, down = branch.boundary(upload, download)
    answer = branch.outputs[0].name
    before = {name for layer in branch.layers[:upload] for name in layer.outputs}
    later = {name for layer in branch.layers[download:] for name in layer.inputs}
    kept = [name for name in dict.fromkeys([*(t.name for t in up), *sorted(later)]) if name in before]
    parts = [(["x"], kept), ([t.name for t in up], [t.name for t in down])]
    if answer not in parts[1][1]:
        parts.append((sorted(later & {"x", *before, *parts[1][1]}), [answer]))
    answers = []
    for x in inputs:
        values = {"x": x}
        for given, asked in parts:
            if asked:
                values |= engine.session(model, given, asked).run({name: values[name] for name in given})
        answers.append(values[answer])
    return answers


def offered(model) -> list[tuple[int, int]]:
    return [(int(u), int(d)) for u, d in np.argwhere(np.triu(model.branches[0].divisible, k=1))]


def inputs(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [random.standard_normal((1, 3, 10, 10)).astype(np.float32) for _ in range(count)]


def test_every_offered_pair_of_cuts_answers_bit_by_bit_as_the_whole(file):
    model, engine, given = load(file), Engine(capacity=400), inputs(6)
    right = whole(file, given)
    assert len(offered(model)) >= 6
    for upload, download in offered(model):
        found = divided(model, engine, upload, download, given)
        assert all(map(np.array_equal, found, right)), (upload, download)


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_no_label_differs_on_hundreds_of_inputs_at_any_offered_cut(kind, tmp_path):
    path = saved(branching(kind), tmp_path / "net.onnx")
    model, engine, given = load(path), Engine(capacity=400), inputs(300)
    right = [int(answer.argmax()) for answer in whole(path, given)]
    assert len(set(right)) > 1
    n = len(model.branches[0].layers)
    cuts = [pair for pair in offered(model) if pair[0] == 0 or pair[1] == n]
    assert len(cuts) >= 10
    for upload, download in cuts:
        assert [int(a.argmax()) for a in divided(model, engine, upload, download, given)] == right, (upload, download)


def test_cuts_that_are_not_offered_do_change_answers(tmp_path):
    path = saved(at_the_end("uint8"), tmp_path / "net.onnx")
    model, engine, given = load(path), Engine(capacity=400), inputs(20)
    right, n = whole(path, given), len(model.branches[0].layers)
    inside = [cut for cut in range(n) if not model.branches[0].divisible[cut, n]]
    differing = [cut for cut in inside if not all(map(np.array_equal, divided(model, engine, cut, n, given), right))]
    assert differing


@pytest.mark.parametrize("make", [chain, branching])
def test_the_quantised_tensors_are_what_crosses_and_a_quarter_of_the_bytes(make, tmp_path):
    g = make("uint8")
    model = load(saved(g, tmp_path / "net.onnx"))
    branch = model.branches[0]
    n = len(branch.layers)
    crossing = [branch.boundary(cut, n).up for cut in range(1, n) if branch.divisible[cut, n]]
    made = {node.output[0] for node in g.graph.node if node.op_type == "QuantizeLinear"}
    assert {t.name for tensors in crossing for t in tensors} & made
    assert all(t.dtype == "uint8" for tensors in crossing for t in tensors if t.name in made)
    floating = [tensors for tensors in crossing if any(t.dtype == "float32" for t in tensors)]
    assert all(branch.boundary(n - 1, n).up == tensors or "MatMul" in g.graph.node[-1].op_type for tensors in floating)


def test_a_cut_inside_is_refused_in_one_line_that_names_the_tensor(tmp_path):
    model = load(saved(chain("uint8"), tmp_path / "net.onnx"))
    branch = model.branches[0]
    at = next(k for k, layer in enumerate(branch.layers, 1) if layer.op == "Conv")
    with pytest.raises(
        ModelError, match=rf"cuts {at}..{len(branch.layers)} of exit 0 .*'conv\d+' lies inside"
    ) as caught:
        branch.sent(at, len(branch.layers))
    assert "\n" not in str(caught.value)


def test_a_stored_weight_belongs_to_both_sides_and_never_crosses(tmp_path):
    """Its `DequantizeLinear` may stand first in the file, and have readers on both sides of a cut."""
    g = Quantised()
    weight = g.node("Transpose", g.stored(3, 3, 3, 3), perm=[0, 1, 3, 2])
    one = g.pair(g.node("Conv", g.pair("x"), weight, pads=[1, 1, 1, 1]))
    two = g.pair(g.node("Conv", one, weight, pads=[1, 1, 1, 1]))
    path = saved(g.model(two), tmp_path / "net.onnx")
    model = load(path)
    branch = model.branches[0]
    assert [layer.op for layer in branch.layers] == ["QuantizeLinear", "DequantizeLinear", "Conv"] * 2 + [
        "QuantizeLinear", "DequantizeLinear",
    ]  # fmt: skip
    assert all(weight not in (*layer.inputs, *layer.outputs) for layer in branch.layers)
    engine, given = Engine(capacity=100), inputs(3)
    for pair in offered(model):
        assert all(map(np.array_equal, divided(model, engine, *pair, given), whole(path, given)))


def test_a_weight_that_is_an_answer_stays_a_layer(tmp_path):
    g = Quantised()
    weight = g.stored(4, 3, 3, 3)
    model = load(saved(g.model(g.node("Conv", g.pair("x"), weight), weight), tmp_path / "net.onnx"))
    assert [layer.op for layer in model.branches[0].layers].count("DequantizeLinear") == 2


def test_networks_without_pairs_have_nothing_fused(tmp_path):
    from graphs import GRAPHS

    for name, make in GRAPHS.items():
        branch = load(saved(make(), tmp_path / f"{name}.onnx")).branches[0]
        assert not branch.fused
        assert branch.divisible.all()


def test_the_scale_of_two_pairs_is_compared_by_value(tmp_path):
    """Two pairs around a pooling with equal numbers under different names are no double pair; with others they are."""
    for second, expected in ((0.04, True), (0.05, False)):
        g = Quantised()
        inner = g.pair(g.node("MaxPool", g.pair(g.layer(g.pair("x"), 3, 4)), kernel_shape=[2, 2]), second)
        model = load(saved(g.model(g.pair(g.layer(inner, 4, 4))), tmp_path / "net.onnx"))
        assert (g.quantised[1] not in model.branches[0].fused) == expected
        assert (g.quantised[2] not in model.branches[0].fused) == expected


def test_int8_parts_begin_and_end_with_whole_pairs(tmp_path):
    g = Quantised("int8")
    proto = g.model(g.pair(g.layer(g.pair(g.layer(g.pair("x"), 3, 4)), 4, 4)))
    model = load(saved(proto, tmp_path / "net.onnx"))
    between = g.quantised[1]
    head = onnx.ModelProto.FromString(model.segment(["x"], [between]).proto).graph
    tail = onnx.ModelProto.FromString(model.segment([between], [proto.graph.output[0].name]).proto).graph
    pairs = [[node.op_type for node in part.node if node.op_type.endswith("tizeLinear")] for part in (head, tail)]
    assert (pairs[0][-1], pairs[1][0]) == ("DequantizeLinear", "QuantizeLinear")
    assert head.node[-1].output[0] == between
    assert tail.node[0].input[0] == between
