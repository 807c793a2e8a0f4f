"""What the original file answers, and how far an answer may be from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Original
from edgent.evaluation.original import (
    FLOOR,
    NONE,
    AnswerComparison,
    Difference,
    ExpectedAnswer,
    difference,
    expected_answers,
)
from evaluation.misleading import quantised
from graphs import Graph, residual, saved


def test_levels_that_compute_a_quantised_network_in_floating_point_are_no_noise(model_file: Path) -> None:
    model = load(saved(quantised(), model_file))
    inputs = [random_feeds(model.inputs, np.random.default_rng(0))]
    plain, other = (Original(model_file, level=level).run(inputs[0]) for level in ("all", "none"))
    name = model.branches[0].outputs[0].name
    assert difference(other[name], plain[name]) != NONE, "or the levels do not differ"
    assert expected_answers(model, inputs)[0][name].tolerance == FLOOR


def test_the_original_is_the_file_that_onnxruntime_itself_opens(model_file: Path) -> None:
    saved(residual(), model_file)
    feeds = random_feeds(load(model_file).inputs, np.random.default_rng(0))
    session = onnxruntime.InferenceSession(str(model_file))
    [name] = [value.name for value in session.get_outputs()]
    assert np.array_equal(Original(model_file).run(feeds | {"other": feeds["x"]})[name], session.run(None, feeds)[0])


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


def test_a_mask_or_a_count_among_the_inputs_is_not_moved(model_file: Path) -> None:
    g = Graph()
    same = g.node("Cast", g.node("Equal", "x", g.constant(np.float32(3.0))), to=TensorProto.FLOAT)
    model = load(saved(g.model(same), model_file))
    inputs = [{"x": np.full(model.inputs[0].shape, 3.0, np.float32)}]
    [one] = expected_answers(model, inputs)[0].values()
    assert one.value.all() and one.noise == NONE
