"""The verifier: it compares with the original file, accuses every planted fault, and is not misled by the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError, InputError
from edgent.evaluation.inputs import prepared
from edgent.evaluation.original import FLOOR, difference, expected_answers
from edgent.evaluation.verify import OfferedCuts, run_pieces, verify
from edgent.model import Model
from evaluation.misleading import lookup, mistaken, noisy, random_op, sorting, with_weights
from graphs import GRAPHS, Graph, attention, residual, saved


@pytest.mark.parametrize("name", GRAPHS)
def test_a_right_division_is_never_accused(name: str, model_file: Path) -> None:
    result = verify(load(saved(GRAPHS[name](), model_file)), Engine())
    assert result.failed == () and result.answers_equal
    assert result.verified == result.cuts and result.not_offered == ()


@pytest.mark.parametrize("name", sorted(set(GRAPHS) - {"omitted_inputs"}))
def test_a_weight_one_percent_off_is_found_at_every_cut(name: str, model_file: Path, tmp_path: Path) -> None:
    saved(GRAPHS[name](), model_file)
    kernel = next(tensor.name for tensor in GRAPHS[name]().graph.initializer if len(tensor.dims) > 1)
    faulty = saved(with_weights(GRAPHS[name](), lambda array: array * np.float32(1.01), kernel), tmp_path / "off.onnx")
    result = verify(mistaken(model_file, faulty), Engine())
    assert len({failure.cut for failure in result.failed}) == result.cuts
    assert all("original file" in failure.why for failure in result.failed)


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
    result = verify(load("b-alexnet+b-alexnet-narrow"), Engine(), most=1)
    assert result.failed == () and result.verified == len(load("b-alexnet+b-alexnet-narrow").branches)


def test_a_network_whose_levels_of_optimisation_differ_is_not_accused(model_file: Path) -> None:
    result = verify(load(saved(noisy(), model_file)), Engine())
    assert result.max_relative_difference > FLOOR.largest, "or this network shows nothing"
    assert result.tolerance > result.max_relative_difference
    assert result.failed == () and result.answers_equal


def test_noise_hides_no_fault(model_file: Path, tmp_path: Path) -> None:
    saved(noisy(), model_file)
    for tensor in noisy().graph.initializer:
        if tensor.dims[2:] == [3, 3]:
            faulty = with_weights(noisy(), lambda array: array * np.float32(1.01), tensor.name)
            assert verify(mistaken(model_file, saved(faulty, tmp_path / "off.onnx")), Engine(), most=2).failed


def test_an_order_that_noise_turns_is_not_accused_and_a_fault_behind_it_is(model_file: Path, tmp_path: Path) -> None:
    model = load(saved(sorting(), model_file))
    result = verify(model, Engine())
    assert result.failed == ()
    inputs = [random_feeds(model.inputs, np.random.default_rng(0))]
    assert expected_answers(model, inputs)[0]["places"].noise.largest > 0, "or no place was turned"
    faulty = with_weights(sorting(), lambda array: array * np.float32(1.01), "w1")
    assert verify(mistaken(model_file, saved(faulty, tmp_path / "off.onnx")), Engine(), most=2).failed


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("RandomNormalLike", {}), ("RandomUniformLike", {"low": -1.0}), ("RandomNormalLike", {"seed": 3.0})],
)
def test_answers_drawn_anew_are_named_and_the_others_compared(
    op: str, attributes: dict[str, object], model_file: Path, tmp_path: Path
) -> None:
    proto = random_op(op, **attributes)
    steady, drawn = (value.name for value in proto.graph.output)
    result = verify(load(saved(proto, model_file)), Engine())
    assert result.drawn == (drawn,) and result.failed == ()
    faulty = saved(with_weights(proto, lambda array: array * np.float32(1.01)), tmp_path / "off.onnx")
    failed = verify(mistaken(model_file, faulty), Engine(), most=2).failed
    assert failed and all(repr(steady) in failure.why for failure in failed)


@pytest.mark.parametrize("rows", [1, 2, 7, 100, 5000])
def test_whole_numbers_are_drawn_so_that_the_engine_takes_them(rows: int, model_file: Path) -> None:
    result = verify(load(saved(lookup(rows), model_file)), Engine())
    assert result.failed == () and result.inputs == 2


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
    result = verify(load(saved(proto, model_file)), Engine())
    assert result.failed == () and result.max_relative_difference == 0 and result.tolerance == 0


def test_a_sequence_is_not_offered_to_cross(model_file: Path) -> None:
    g = Graph()
    parts = g.node("SplitToSequence", g.conv("x", 3, 4), axis=1)
    first = g.node("SequenceAt", parts, g.constant(np.array(0)))
    model = load(saved(g.model(g.conv(first, 1, 2)), model_file))
    result = verify(model, Engine())
    [refused] = result.not_offered
    assert refused.cut == 2 and refused.why
    assert result.verified + 1 == result.cuts and result.failed == ()


def test_cuts_are_drawn_from_those_that_are_offered(model_file: Path) -> None:
    divisions = OfferedCuts(load(saved(residual(), model_file)).branches[0])
    assert divisions.draw(None, np.random.default_rng(0)) == divisions.cuts
    drawn = divisions.draw(3, np.random.default_rng(0))
    assert len(set(drawn)) == 3 and set(drawn) < set(divisions.cuts)
    n = len(divisions.branch.layers)
    ways = divisions.at(3, np.random.default_rng(0))
    assert ways[:2] == [(3, n), (0, 3)] and 3 == ways[2][0] <= ways[2][1] <= n


def test_what_a_request_would_make_of_a_picture_is_what_is_verified_on() -> None:
    model = load("b-alexnet")
    array = np.zeros(model.inputs[0].shape, np.float32)
    assert np.array_equal(prepared(model, array)[model.inputs[0].name], array)
    with pytest.raises(InputError):
        prepared(model, b"no picture")


def test_a_fault_that_only_one_input_shows_is_found(model_file: Path, tmp_path: Path) -> None:
    g = Graph()
    proto = g.model(g.node("Relu", g.node("Mul", "x", g.constant(np.full((1, 3, 1, 1), 2, np.float32), "factor"))))
    saved(proto, model_file)
    model = mistaken(model_file, saved(with_weights(proto, lambda array: array * 2), tmp_path / "off.onnx"))
    shows, hides = ({"x": np.full(model.inputs[0].shape, value, np.float32)} for value in (1.0, -1.0))
    assert verify(model, Engine(), inputs=[hides]).failed == ()
    for inputs in ([shows, hides], [hides, shows]):
        assert len({failure.cut for failure in verify(model, Engine(), inputs=inputs).failed}) == 3
