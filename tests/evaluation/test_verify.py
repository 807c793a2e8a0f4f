"""The verifier: it compares with the original file, accuses every planted fault, and is not misled by the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from graphs import GRAPHS, Graph, attention, residual, saved
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine, Original
from edgent.errors import EdgentError, InputError
from edgent.evaluation.inputs import prepared
from edgent.evaluation.original import (
    FLOOR,
    NONE,
    AnswerComparison,
    Difference,
    ExpectedAnswer,
    difference,
    expected_answers,
)
from edgent.evaluation.verify import OfferedCuts, run_pieces, verify
from edgent.model import Model

CANCELLED = 1e4  # added and taken away again: what is left keeps the rounding of the large number


def mistaken(original: Path, faulty: Path, **dims: int) -> Model:
    """What runs is one file, and what it says it was made of is another: any mistake of ours."""
    return replace(load(faulty, dims=dims), path=original, members=(original,))


def with_weights(proto: onnx.ModelProto, edit: Callable[[np.ndarray], np.ndarray], only: str = "") -> onnx.ModelProto:
    made = onnx.ModelProto.FromString(proto.SerializeToString())
    for tensor in made.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and only in ("", tensor.name):
            tensor.CopyFrom(numpy_helper.from_array(edit(numpy_helper.to_array(tensor)), tensor.name))
    return made


def noisy() -> onnx.ModelProto:
    """The engine adds the large number inside the convolution when it is whole, and beside it when it is divided."""
    g = Graph()
    large = g.constant(np.full((1, 8, 1, 1), CANCELLED, np.float32))
    lifted = g.node("Add", g.conv("x", 3, 8), large)
    return g.model(g.node("Relu", g.conv(g.node("Sub", lifted, large), 8, 8)))


def sorting() -> onnx.ModelProto:
    """A noisy network that answers with its largest values in order, and their places."""
    proto = noisy()
    graph = proto.graph
    nodes = [
        helper.make_node("Reshape", [graph.output[0].name, "flat"], ["row"]),
        helper.make_node("TopK", ["row", "how_many"], ["values", "places"]),
    ]
    graph.node.extend(nodes)
    graph.initializer.extend([numpy_helper.from_array(np.array([-1]), "flat")])
    graph.initializer.extend([numpy_helper.from_array(np.array([300]), "how_many")])
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("values", TensorProto.FLOAT, None))
    graph.output.append(helper.make_tensor_value_info("places", TensorProto.INT64, None))
    return proto


def quantised() -> onnx.ModelProto:
    g = Graph()
    scale, zero = g.constant(np.float32(0.05)), g.constant(np.uint8(128))

    def coded(x: str) -> str:
        return g.node("DequantizeLinear", g.node("QuantizeLinear", x, scale, zero), scale, zero)

    return g.model(coded(g.node("Relu", g.conv(coded("x"), 3, 8))))


def lookup(rows: int) -> onnx.ModelProto:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.INT64, [1, 4])]
    return g.model(g.node("MatMul", g.node("Gather", g.weight(rows, 8), "x"), g.weight(8, 8)))


def random_op(op: str, **attributes: object) -> onnx.ModelProto:
    g = Graph()
    steady = g.conv("x", 3, 4)
    return g.model(steady, g.node("Add", steady, g.node(op, steady, **attributes)))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_right_division_is_never_accused(name: str, model_file: Path) -> None:
    found = verify(load(saved(GRAPHS[name](), model_file)), Engine())
    assert found.failed == () and found.answers_equal
    assert found.verified == found.cuts and found.not_offered == ()


@pytest.mark.parametrize("name", sorted(set(GRAPHS) - {"omitted_inputs"}))
def test_a_weight_one_percent_off_is_found_at_every_cut(name: str, model_file: Path, tmp_path: Path) -> None:
    saved(GRAPHS[name](), model_file)
    kernel = next(tensor.name for tensor in GRAPHS[name]().graph.initializer if len(tensor.dims) > 1)
    faulty = saved(with_weights(GRAPHS[name](), lambda array: array * np.float32(1.01), kernel), tmp_path / "off.onnx")
    found = verify(mistaken(model_file, faulty), Engine())
    assert len({failure.cut for failure in found.failed}) == found.cuts
    assert all("original file" in failure.why for failure in found.failed)


@pytest.mark.parametrize("name", GRAPHS)
def test_constants_of_another_folder_are_found(name: str, model_file: Path, tmp_path: Path) -> None:
    saved(GRAPHS[name](), model_file)
    faulty = saved(with_weights(GRAPHS[name](), lambda array: np.roll(array, 1)), tmp_path / "other.onnx")
    assert verify(mistaken(model_file, faulty), Engine(), most=2).failed


class Swapping(Engine):
    """Confuses two tensors wherever it is given both."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__()
        self.names = {one: other, other: one}

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> Any:
        session = super().session(model, given, asked)
        return Swapped(session, self.names) if set(self.names) <= set(given) else session


class Swapped:
    def __init__(self, session: Any, names: Mapping[str, str]) -> None:
        self.session, self.names = session, names

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self.session.run({self.names.get(name, name): array for name, array in feeds.items()})


def test_two_boundary_tensors_swapped_are_found(model_file: Path) -> None:
    model = load(saved(attention(), model_file))
    branch = model.branches[0]
    query, key, *_ = (layer.outputs[-1] for layer in branch.layers if layer.op == "MatMul")
    swapped = [failure.cut for failure in verify(model, Swapping(query, key)).failed]
    crossing = [
        cut
        for cut in range(len(branch.layers) + 1)
        if {query, key} <= {tensor.name for tensor in branch.boundary(cut, len(branch.layers)).up}
    ]
    assert crossing and set(crossing) <= set(swapped)


def test_a_constant_folded_wrongly_is_found_though_whole_and_pieces_agree(model_file: Path, tmp_path: Path) -> None:
    def graph(folded: float) -> onnx.ModelProto:
        g = Graph()
        return g.model(g.node("Add", g.conv("x", 3, 4), g.constant(np.full((1, 4, 1, 1), folded, np.float32))))

    saved(graph(1.0), model_file)
    model = mistaken(model_file, saved(graph(1.5), tmp_path / "folded.onnx"))
    feeds = random_feeds(model.inputs, np.random.default_rng(0))
    whole, pieces = (run_pieces(model, model.branches[0], Engine(), feeds, *cuts) for cuts in ((0, 0), (1, 2)))
    assert all(difference(pieces[name], whole[name]).within(FLOOR) for name in whole)
    assert len(verify(model, Engine()).failed) > 0


def test_each_binding_of_free_dimensions_is_compared_with_the_one_file(model_file: Path) -> None:
    saved(GRAPHS["shape_chain"](batch="batch"), model_file)
    for batch in (1, 3):
        assert verify(load(model_file, dims={"batch": batch}), Engine()).failed == ()


def test_external_data_is_the_original_files_own(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(residual(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    model = load(path)
    assert verify(model, Engine()).failed == ()
    data = np.fromfile(tmp_path / "w.bin", np.float32)
    (data * np.float32(1.01)).tofile(tmp_path / "w.bin")
    assert verify(load(path), Engine()).failed == (), "the file says so now"
    other = tmp_path / "other.onnx"
    onnx.save(residual(), other)
    assert verify(mistaken(other, path), Engine()).failed


def test_a_bundle_is_compared_with_each_of_its_files() -> None:
    found = verify(load("b-alexnet+b-alexnet-narrow"), Engine(), most=1)
    assert found.failed == () and found.verified == len(load("b-alexnet+b-alexnet-narrow").branches)


def test_a_network_whose_levels_of_optimisation_differ_is_not_accused(model_file: Path) -> None:
    found = verify(load(saved(noisy(), model_file)), Engine())
    assert found.max_relative_difference > FLOOR.largest, "or this network shows nothing"
    assert found.tolerance > found.max_relative_difference
    assert found.failed == () and found.answers_equal


def test_noise_hides_no_fault(model_file: Path, tmp_path: Path) -> None:
    saved(noisy(), model_file)
    for tensor in noisy().graph.initializer:
        if tensor.dims[2:] == [3, 3]:
            faulty = with_weights(noisy(), lambda array: array * np.float32(1.01), tensor.name)
            assert verify(mistaken(model_file, saved(faulty, tmp_path / "off.onnx")), Engine(), most=2).failed


def test_an_order_that_noise_turns_is_not_accused_and_a_fault_behind_it_is(model_file: Path, tmp_path: Path) -> None:
    model = load(saved(sorting(), model_file))
    found = verify(model, Engine())
    assert found.failed == ()
    inputs = [random_feeds(model.inputs, np.random.default_rng(0))]
    assert expected_answers(model, inputs)[0]["places"].noise.largest > 0, "or no place was turned"
    faulty = with_weights(sorting(), lambda array: array * np.float32(1.01), "w1")
    assert verify(mistaken(model_file, saved(faulty, tmp_path / "off.onnx")), Engine(), most=2).failed


def test_levels_that_compute_a_quantised_network_in_floating_point_are_no_noise(model_file: Path) -> None:
    model = load(saved(quantised(), model_file))
    inputs = [random_feeds(model.inputs, np.random.default_rng(0))]
    plain, other = (Original(model_file, level=level).run(inputs[0]) for level in ("all", "none"))
    name = model.branches[0].outputs[0].name
    assert difference(other[name], plain[name]) != NONE, "or the levels do not differ"
    assert expected_answers(model, inputs)[0][name].tolerance == FLOOR


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("RandomNormalLike", {}), ("RandomUniformLike", {"low": -1.0}), ("RandomNormalLike", {"seed": 3.0})],
)
def test_answers_drawn_anew_are_named_and_the_others_compared(
    op: str, attributes: dict[str, object], model_file: Path, tmp_path: Path
) -> None:
    proto = random_op(op, **attributes)
    steady, drawn = (value.name for value in proto.graph.output)
    found = verify(load(saved(proto, model_file)), Engine())
    assert found.drawn == (drawn,) and found.failed == ()
    faulty = saved(with_weights(proto, lambda array: array * np.float32(1.01)), tmp_path / "off.onnx")
    failed = verify(mistaken(model_file, faulty), Engine(), most=2).failed
    assert failed and all(repr(steady) in failure.why for failure in failed)


@pytest.mark.parametrize("rows", [1, 2, 7, 100, 5000])
def test_whole_numbers_are_drawn_so_that_the_engine_takes_them(rows: int, model_file: Path) -> None:
    found = verify(load(saved(lookup(rows), model_file)), Engine())
    assert found.failed == () and found.inputs == 2


def test_an_input_on_which_the_engine_always_fails_is_one_line_that_says_what_to_give(model_file: Path) -> None:
    g = Graph()
    g.inputs.append(helper.make_tensor_value_info("shape", TensorProto.INT64, [2]))
    model = load(saved(g.model(g.node("Relu", g.node("Reshape", "x", "shape"))), model_file))
    with pytest.raises(InputError, match="--source") as caught:
        verify(model, Engine())
    assert len(str(caught.value).splitlines()) == 1


def test_given_inputs_are_what_it_is_run_on(model_file: Path) -> None:
    model = load(saved(lookup(5000), model_file))
    inputs = [{"x": np.full((1, 4), row)} for row in (4999, 17, 3)]
    assert verify(model, Engine(), inputs=inputs).inputs == 3
    with pytest.raises(EdgentError, match="indices"):
        verify(model, Engine(), inputs=[{"x": np.full((1, 4), 5000)}])


def test_text_is_drawn_and_compared_as_it_is(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", TensorProto.STRING, [1, 4])]
    words = {"keys_strings": ["red", "green"], "values_int64s": [1, 2], "default_int64": 0}
    g.nodes.append(helper.make_node("LabelEncoder", ["x"], ["number"], domain="ai.onnx.ml", **words))
    back = {"keys_int64s": [0, 1, 2], "values_strings": ["none", "red", "green"]}
    g.nodes.append(helper.make_node("LabelEncoder", ["number"], ["word"], domain="ai.onnx.ml", **back))
    proto = g.model("word")
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    proto.opset_import.add(domain="ai.onnx.ml", version=3)
    found = verify(load(saved(proto, model_file)), Engine())
    assert found.failed == () and found.max_relative_difference == 0 and found.tolerance == 0


def test_a_sequence_is_not_offered_to_cross(model_file: Path) -> None:
    g = Graph()
    parts = g.node("SplitToSequence", g.conv("x", 3, 4), axis=1)
    first = g.node("SequenceAt", parts, g.constant(np.array(0)))
    model = load(saved(g.model(g.conv(first, 1, 2)), model_file))
    found = verify(model, Engine())
    [refused] = found.not_offered
    assert refused.cut == 2 and refused.why
    assert found.verified + 1 == found.cuts and found.failed == ()


def test_cuts_are_drawn_from_those_that_are_offered(model_file: Path) -> None:
    divisions = OfferedCuts(load(saved(residual(), model_file)).branches[0])
    assert divisions.draw(None, np.random.default_rng(0)) == divisions.cuts
    drawn = divisions.draw(3, np.random.default_rng(0))
    assert len(set(drawn)) == 3 and set(drawn) < set(divisions.cuts)
    n = len(divisions.branch.layers)
    ways = divisions.at(3, np.random.default_rng(0))
    assert ways[:2] == [(3, n), (0, 3)] and 3 == ways[2][0] <= ways[2][1] <= n


def test_the_original_is_the_file_that_onnxruntime_itself_opens(model_file: Path) -> None:
    saved(residual(), model_file)
    feeds = random_feeds(load(model_file).inputs, np.random.default_rng(0))
    session = onnxruntime.InferenceSession(str(model_file))
    [name] = [value.name for value in session.get_outputs()]
    assert np.array_equal(Original(model_file).run(feeds | {"other": feeds["x"]})[name], session.run(None, feeds)[0])


def test_what_a_request_would_make_of_a_picture_is_what_is_verified_on() -> None:
    model = load("b-alexnet")
    array = np.zeros(model.inputs[0].shape, np.float32)
    assert np.array_equal(prepared(model, array)[model.inputs[0].name], array)
    with pytest.raises(InputError):
        prepared(model, b"no picture")


@pytest.mark.parametrize(
    ("value", "right", "largest", "typical"),
    [
        ([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 0.0, 0.0),
        ([1.0, 2.0, 5.0], [1.0, 2.0, 4.0], 0.25, 0.0),
        ([1.1, 2.2, 4.4], [1.0, 2.0, 4.0], 0.1, 0.1 / 1.1),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0, 0.0),
        ([np.nan, 1.0], [0.0, 1.0], np.inf, np.inf),
        ([1.0], [1.0, 1.0], np.inf, np.inf),
        ([1, 2, 3, 4], [1, 2, 3, 5], 0.25, 0.25),
        (["a", "b"], ["a", "c"], 0.5, 0.5),
    ],
)
def test_distances_are_the_worst_elements_and_the_median(
    value: list[Any], right: list[Any], largest: float, typical: float
) -> None:
    assert difference(np.array(value), np.array(right)) == pytest.approx(Difference(largest, typical))


def test_a_softmax_is_compared_by_its_logarithm() -> None:
    right = np.exp(np.array([0.0, -20.0, -40.0]))
    other = np.exp(np.array([0.0, -20.0, -42.0]))
    assert difference(other, right).largest < 1e-8
    assert difference(other, right, shares=True).largest == pytest.approx(2 / 40)


def test_sequences_and_maps_are_compared_by_what_is_in_them() -> None:
    one = [{"a": 1.0, "b": 2.0}]
    assert difference([{"a": 1.0, "b": 2.0}], one) == NONE
    assert difference([{"a": 1.0, "b": 3.0}], one).largest == pytest.approx(0.5)
    assert difference([{"a": 1.0, "c": 2.0}], one).largest == pytest.approx(0.5)
    assert difference([], one).largest == np.inf
    assert difference(None, None) == NONE


def test_whole_numbers_are_excused_by_noise_only(model_file: Path) -> None:
    g = Graph()
    proto = g.model(g.node("ArgMax", g.conv("x", 3, 4), axis=1))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    model = load(saved(proto, model_file))
    inputs = [random_feeds(model.inputs, np.random.default_rng(0))]
    [expected] = expected_answers(model, inputs)
    [(name, one)] = expected.items()
    assert one.tolerance == NONE
    comparison = AnswerComparison([expected])
    assert comparison.check(0, {name: one.value})[1] == "" and comparison.answers_equal
    other = one.value.copy()
    other.flat[0] += 1
    assert repr(name) in comparison.check(0, {name: other})[1] and not comparison.answers_equal


def test_a_label_may_change_only_between_scores_within_the_tolerance() -> None:
    def right(second: float) -> ExpectedAnswer:
        return ExpectedAnswer(value=np.array([1.0, second, 0.5]), shares=False, noise=NONE, drawn=False)

    other = np.array([0.99, 1.0, 0.5])
    assert right(1 - FLOOR.largest / 2).has_same_choice(other)
    assert not right(1 - FLOOR.largest * 2).has_same_choice(other)


def test_where_noise_turns_an_order_the_median_still_finds_a_fault() -> None:
    value = np.linspace(1, 2, 100)
    noise = Difference(largest=0.5, typical=1e-6)
    comparison = AnswerComparison([{"boxes": ExpectedAnswer(value=value, shares=False, noise=noise, drawn=False)}])
    turned = np.concatenate([value[:10][::-1], value[10:]])
    assert comparison.check(0, {"boxes": turned})[1] == ""
    assert "typically" in comparison.check(0, {"boxes": value * 1.01})[1]


def test_one_wrong_element_among_many_is_found() -> None:
    value = np.linspace(1, 2, 100)
    comparison = AnswerComparison([{"scores": ExpectedAnswer(value=value, shares=False, noise=NONE, drawn=False)}])
    other = value.copy()
    other[7] += 10 * FLOOR.largest
    assert "'scores' differs" in comparison.check(0, {"scores": other})[1]


def test_a_fault_that_only_one_input_shows_is_found(model_file: Path, tmp_path: Path) -> None:
    g = Graph()
    proto = g.model(g.node("Relu", g.node("Mul", "x", g.constant(np.full((1, 3, 1, 1), 2, np.float32), "factor"))))
    saved(proto, model_file)
    model = mistaken(model_file, saved(with_weights(proto, lambda array: array * 2), tmp_path / "off.onnx"))
    shows, hides = ({"x": np.full(model.inputs[0].shape, value, np.float32)} for value in (1.0, -1.0))
    assert verify(model, Engine(), inputs=[hides]).failed == ()
    for inputs in ([shows, hides], [hides, shows]):
        assert len({failure.cut for failure in verify(model, Engine(), inputs=inputs).failed}) == 3


def test_a_mask_or_a_count_among_the_inputs_is_not_moved(model_file: Path) -> None:
    g = Graph()
    same = g.node("Cast", g.node("Equal", "x", g.constant(np.float32(3.0))), to=TensorProto.FLOAT)
    model = load(saved(g.model(same), model_file))
    inputs = [{"x": np.full(model.inputs[0].shape, 3.0, np.float32)}]
    [one] = expected_answers(model, inputs)[0].values()
    assert one.value.all() and one.noise == NONE
