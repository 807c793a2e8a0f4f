"""What constants cost is known before they are computed, and what is too much is refused: by arithmetic alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgent import model as files
from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model import Tensor
from edgent.model.fold_bounds import MOST_BYTES, MOST_OPERATIONS, Cost, check, cost_of
from graphs import Graph, saved

Make = Callable[[Graph], str]


def tensor(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=shape)


def node(op: str, reads: str, makes: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, list(reads), list(makes), name=f"node {makes}", **attributes)


def cost(*made: tuple[str, int], scratch: int = 0, operations: float = 0.0) -> Cost:
    return Cost(outputs=dict(made), scratch=scratch, operations=operations)


def test_a_simple_node_costs_what_it_makes_and_touches_each_number_once() -> None:
    counted = cost_of(node("Add", "ab", "c"), [tensor("a", 3, 4), tensor("b", 4)], [tensor("c", 3, 4)])
    assert counted == Cost(outputs={"c": 48}, scratch=0, operations=12 + 4 + 12)


@pytest.mark.parametrize(
    ("read", "made"),
    [
        (Tensor(name="a", dtype="float32", shape=None), tensor("b", 2)),
        (Tensor(name="a", dtype=None, shape=None), tensor("b", 2)),
        (tensor("a", 2, dtype="string"), tensor("b", 2)),
        (tensor("a", 2), Tensor(name="b", dtype="float32", shape=None)),
        (tensor("a", 2), tensor("b", 2, dtype="string")),
    ],
)
def test_a_cost_that_nobody_knows(read: Tensor, made: Tensor) -> None:
    assert cost_of(node("Neg", "a", "b"), [read], [made]) is None


def test_sizes_do_not_overflow() -> None:
    counted = cost_of(node("ConstantOfShape", "a", "b"), [tensor("a", 2)], [tensor("b", 2**40, 2**40)])
    assert counted is not None
    assert counted.outputs == {"b": 2**82}


OPERATIONS: dict[str, tuple[onnx.NodeProto, list[tuple[int, ...]], tuple[int, ...], float]] = {
    "a product of matrices": (node("MatMul", "ab", "c"), [(10, 20), (20, 30)], (10, 30), 2 * 10 * 20 * 30),
    "a convolution": (
        node("Conv", "ab", "c"), [(1, 3, 9, 9), (5, 3, 3, 3)], (1, 5, 7, 7), 2 * 5 * 49 * 27,
    ),
    "pooling": (node("LpPool", "a", "c", kernel_shape=[5, 5]), [(1, 1, 9, 9)], (1, 1, 5, 5), 25 * 25),
    "a sum over letters": (
        node("Einsum", "ab", "c", equation="ij, jk -> ik"), [(10, 20), (20, 30)], (10, 30), 2 * 10 * 20 * 30,
    ),
    "a sum over letters and dots": (
        node("Einsum", "ab", "c", equation="...ij,...jk->...ik"), [(7, 6, 10, 20), (6, 20, 30)], (7, 6, 10, 30),
        2 * 7 * 6 * 10 * 20 * 30,
    ),
    "boxes against boxes": (
        node("NonMaxSuppression", "ab", "c"), [(1, 50, 4), (1, 1, 50)], (9, 3), (200 + 50 + 27) ** 2,
    ),
    "samples of a region": (
        node("RoiAlign", "ab", "c", sampling_ratio=10), [(1, 1, 4, 4), (2, 4)], (2, 1, 1, 1), (16 + 8 + 2) ** 2 * 100,
    ),
    "a recurrent network": (
        node("RNN", "abc", "d"), [(5, 1, 2), (1, 3, 2), (1, 3, 3)], (5, 1, 1, 3), (10 + 6 + 9 + 15) ** 2,
    ),
    "what only moves": (node("Transpose", "a", "c"), [(10, 20)], (20, 10), 400),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str) -> None:
    operator, shapes, made, expected = OPERATIONS[name]
    read = [tensor(letter, *shape) for letter, shape in zip("abc", shapes, strict=False)]
    counted = cost_of(operator, read, [tensor("z", *made)])
    assert counted is not None
    assert counted.operations == expected


def test_a_convolution_lays_its_input_out_as_a_matrix() -> None:
    counted = cost_of(
        node("Conv", "ab", "c"), [tensor("a", 1, 1, 9, 9), tensor("b", 1, 1, 3, 3)], [tensor("c", 1, 1, 7, 7)]
    )
    assert counted is not None
    assert counted.scratch == 8 * 2 * 49 * 9 >= 4 * 49 * 9


def test_only_sums_over_three_and_more_hold_what_is_between() -> None:
    three = cost_of(node("Einsum", "abc", "d", equation="i,j,k->"), [tensor(n, 100) for n in "abc"], [tensor("d")])
    two = cost_of(node("Einsum", "ab", "d", equation="i,j->"), [tensor(n, 100) for n in "ab"], [tensor("d")])
    assert three is not None
    assert two is not None
    assert (three.scratch, two.scratch) == (8 * 2 * 100**3, 0)


@pytest.mark.parametrize("op", ["NonZero", "Unique", "Compress", "NonMaxSuppression"])
def test_what_depends_on_the_numbers_is_at_most_each_with_its_position(op: str) -> None:
    made = Tensor(name="b", dtype="int64", shape=None)
    counted = cost_of(node(op, "a", "b"), [tensor("a", 10, 20)], [made])
    assert counted is not None
    assert counted.outputs == {"b": 8 * 3 * 200}


def test_the_bytes_at_a_time_may_be_as_many_as_allowed_and_not_one_more() -> None:
    nodes = [(node("Neg", "a", "b"), cost(("b", 60))), (node("Neg", "b", "c"), cost(("c", 30)))]
    check(nodes, {"c"}, held=10, most=100)
    with pytest.raises(ModelError, match=r"101 bytes up to node 'node c' \(Neg\), more than 100"):
        check(nodes, {"c"}, held=11, most=100)


def test_what_has_been_read_for_the_last_time_is_given_back() -> None:
    chain = [(node("Neg", one, two), cost((two, 40))) for one, two in ("ab", "bc", "cd", "de")]
    check(chain, {"e"}, held=0, most=80)
    with pytest.raises(ModelError, match="node c"):
        check(chain, {"e"}, held=0, most=79)
    with pytest.raises(ModelError, match="node d"):
        check(chain, {"b", "e"}, held=0, most=119)
    late = [*chain, (node("Add", "eb", "f"), cost(("f", 40)))]
    with pytest.raises(ModelError, match="node d"):
        check(late, {"f"}, held=0, most=119)


def test_what_nobody_reads_is_given_back_at_once() -> None:
    nodes = [(node("Split", "a", "bc"), cost(("b", 40), ("c", 40))), (node("Neg", "b", "d"), cost(("d", 40)))]
    check(nodes, {"d"}, held=0, most=80)


def test_scratch_is_held_only_while_a_node_computes() -> None:
    nodes = [(node("Conv", "ab", "c"), cost(("c", 10), scratch=50)), (node("Neg", "c", "d"), cost(("d", 50)))]
    check(nodes, {"c", "d"}, held=0, most=60)
    with pytest.raises(ModelError, match="node c"):
        check(nodes, {"c", "d"}, held=0, most=59)


def test_operations_count_over_all_nodes() -> None:
    half = MOST_OPERATIONS / 2
    nodes = [(node("Neg", one, two), cost((two, 0), operations=half)) for one, two in ("ab", "bc", "cd")]
    check(nodes[:2], set(), held=0, most=0)
    with pytest.raises(ModelError, match=r"1\.5e\+11 operations up to node 'node d' \(Neg\), more than 1e\+11"):
        check(nodes, set(), held=0, most=0)


def test_a_node_without_a_name_is_called_after_what_it_makes() -> None:
    with pytest.raises(ModelError, match="'b'"):
        check([(helper.make_node("Neg", ["a"], ["b"]), cost(("b", 2)))], set(), held=0, most=1)


class Untouched:
    """An interpreter that fails the test when it is asked for anything large."""

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
        from edgent.engine.onnxruntime import compute

        arrays = compute(proto.SerializeToString(), feeds)
        assert sum(array.nbytes for array in arrays.values()) < 1000
        return arrays

    def describe(self, proto: onnx.ModelProto) -> dict[str, Tensor]:
        raise AssertionError("nothing is unknown")


def ints(g: Graph, *numbers: int) -> str:
    return g.constant(np.array(numbers))


def number(g: Graph, value: float | int | bool) -> str:
    return g.constant(np.array(value, np.float32 if isinstance(value, float) else None))


def filled(g: Graph, *shape: int) -> str:
    return g.node("ConstantOfShape", ints(g, *shape))


def doubled(g: Graph, times: int = 70) -> str:
    x = g.constant(np.ones(64, np.float32))
    for _ in range(times):
        x = g.node("Concat", x, x, axis=0)
    return x


def doubled_shape(g: Graph) -> str:
    x = g.node("Shape", g.node("NonZero", "x"))
    for _ in range(40):
        x = g.node("Concat", x, x, axis=0)
    return g.node("Cast", x, to=1)


def chained(op: str, times: int, x: Make) -> Make:
    def make(g: Graph) -> str:
        name = x(g)
        for _ in range(times):
            name = g.node(op, *[name] * (2 if op == "MatMul" else 1))
        return name

    return make


TOO_MUCH: dict[str, Make] = {
    "ConstantOfShape": lambda g: filled(g, 2**20, 2**12),
    "more than fits a number": lambda g: filled(g, 2**40, 2**40),
    "a size that is computed": lambda g: g.node("ConstantOfShape", g.node("Mul", ints(g, 2**16), ints(g, 2**16))),
    "Expand": lambda g: g.node("Expand", number(g, 1.0), ints(g, 2**33)),
    "Tile": lambda g: g.node("Tile", g.constant(np.ones(1, np.float32)), ints(g, 2**33)),
    "Range": lambda g: g.node("Range", number(g, 0), number(g, 2**40), number(g, 1)),
    "Pad": lambda g: g.node("Pad", g.constant(np.ones(1, np.float32)), ints(g, 0, 2**33)),
    "Resize": lambda g: g.node(
        "Resize", g.constant(np.ones((1, 1, 2, 2), np.float32)), "",
        g.constant(np.array([1, 1, 2**17, 2**17], np.float32)),
    ),
    "doubling": doubled,
    "OneHot": lambda g: g.node(
        "OneHot", g.node("Cast", filled(g, 2**10), to=7), number(g, 2**30), g.constant(np.ones(2, np.float32))
    ),
    "an outer product": lambda g: g.node("Mul", filled(g, 2**17, 1), filled(g, 1, 2**17)),
    "Einsum": lambda g: g.node("Einsum", filled(g, 2**16), filled(g, 2**16), equation="i,j->ij"),
    "Einsum of three": lambda g: g.node("Einsum", *[filled(g, 2**12, 2)] * 3, equation="ai,bi,ci->"),
    "EyeLike": lambda g: g.node("EyeLike", g.node("Expand", number(g, 1.0), ints(g, 2**15, 2**15))),
    "many products": chained("MatMul", 200, lambda g: filled(g, 2**12, 2**12)),
    "many sines": chained("Sin", 3000, lambda g: filled(g, 2**26)),
    "a wide convolution": lambda g: g.node("Conv", filled(g, 1, 1, 2**12, 2**12), filled(g, 1, 1, 2**10, 2**10)),
    "a wide pool": lambda g: g.node(
        "MaxPool", filled(g, 1, 1, 2**12, 2**12), kernel_shape=[1025, 1025], pads=[512] * 4
    ),
    "a long LSTM": lambda g: g.node(
        "LSTM", filled(g, 2**16, 1, 2), filled(g, 1, 2**12, 2), filled(g, 1, 2**12, 2**10), hidden_size=2**10
    ),
    "many boxes": lambda g: g.node(
        "Cast", g.node("NonMaxSuppression", filled(g, 1, 2**18, 4), filled(g, 1, 1, 2**18), number(g, 2**18)), to=1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_small_file_that_asks_for_much_is_refused_before_anything_is_computed(name: str, model_file: Path) -> None:
    g = Graph()
    asked = TOO_MUCH[name](g)
    path = saved(g.model(g.node("Add", "x", g.node("ReduceMax", asked, keepdims=0))), model_file)
    assert path.stat().st_size < 200_000
    with pytest.raises(ModelError, match="refused") as failure:
        files.load(path, interpreter=Untouched())
    assert "\n" not in str(failure.value)


def test_an_answer_that_is_too_large_a_constant_is_refused(model_file: Path) -> None:
    g = Graph()
    path = saved(g.model(filled(g, 2**20, 2**12), g.node("Relu", "x")), model_file)
    with pytest.raises(ModelError, match="refused"):
        files.load(path, interpreter=Untouched())


def test_constants_of_several_passes_count_together(model_file: Path) -> None:
    """Each is allowed; the second's size is known only once the first pass has been computed."""
    g = Graph()
    third = MOST_BYTES // 4 // 3
    one = g.node("Expand", number(g, 1.0), ints(g, 1, 2 * third))
    two = g.node("Expand", number(g, 1.0), g.node("Mul", ints(g, 1, 2), ints(g, 1, third)))
    path = saved(g.model(g.node("Add", g.node("Add", g.node("Slice", "x", *[ints(g, 0)] * 2), one), two)), model_file)
    with pytest.raises(ModelError, match="refused"):
        load(path)


class Zeros(Untouched):
    """Computes nothing: a number for each output."""

    def compute(self, proto: onnx.ModelProto, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {output.name: np.zeros(1, np.float32) for output in proto.graph.output}


def test_a_file_may_ask_for_twice_what_it_brings_besides(model_file: Path) -> None:
    def path(numbers: int) -> Path:
        g = Graph()
        brought = g.constant(np.ones((8, 1000), np.float32))
        proto = g.model(g.node("MatMul", "x", brought), g.node("Add", "x", filled(g, numbers)))
        return saved(proto, model_file)

    most = (MOST_BYTES + 2 * (4 * 8000 + 8)) // 4
    files.load(path(most), interpreter=Zeros())
    with pytest.raises(ModelError, match="refused"):
        files.load(path(most + 1), interpreter=Zeros())


def test_a_loop_is_never_run_while_loading(model_file: Path) -> None:
    kinds = {"i": TensorProto.INT64, "more": TensorProto.BOOL, "on": TensorProto.BOOL}
    value = {name: helper.make_tensor_value_info(name, kind, []) for name, kind in kinds.items()}
    body = helper.make_graph(
        [helper.make_node("Identity", ["more"], ["on"])], "b", [value["i"], value["more"]], [value["on"]]
    )
    nodes = [helper.make_node("Loop", ["n", "go"], [], body=body), helper.make_node("Relu", ["x"], ["y"])]
    nodes[0].output.append("z")
    body.node.append(helper.make_node("Cast", ["i"], ["k"], to=1))
    body.output.append(helper.make_tensor_value_info("k", TensorProto.FLOAT, []))
    nodes[0].ClearField("attribute")
    nodes[0].attribute.append(helper.make_attribute("body", body))
    g = Graph()
    g.nodes = nodes
    g.constant(np.array(2**60), "n")
    g.constant(np.array(True), "go")
    model = files.load(saved(g.model("y", "z"), model_file), interpreter=Untouched())
    assert "Loop" in [inner.op_type for inner in model.proto.graph.node]


@pytest.mark.parametrize("name", ["doubling", "doubled_shape"])
def test_inference_does_not_follow_numbers_that_double(name: str, model_file: Path) -> None:
    """ONNX's inference holds each number of each shape; in a process of its own, for it would take 20 GB."""
    g = Graph()
    asked = doubled(g) if name == "doubling" else doubled_shape(g)
    path = saved(g.model(g.node("Add", "x", g.node("ReduceMax", asked, keepdims=0))), model_file)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))\n"
        "from edgent.errors import ModelError\nfrom edgent.engine.loading import load\n"
        # What getrusage says counts from whoever started the process: beside a large one nothing would be seen to grow.
        "def peak(): return int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
        "before = peak()\n"
        "try: load(sys.argv[1])\nexcept ModelError: pass\n"
        "print((peak() - before) >> 10)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) < 300
