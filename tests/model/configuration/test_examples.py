"""An example stands wherever nobody gives an array and a random one makes no sense: a rate, a shape, a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgent.engine.feeds import random_feeds, zeros
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError, ModelError
from edgent.evaluation.verify import verify
from edgent.model.configuration.draft import draft
from edgent.model.configuration.sources import find
from edgent.profiling.model_profiler import profile
from graphs import Graph, residual, saved


def shaped(path: Path) -> Path:
    """Six numbers in a shape that is an input as well: hardly any random one has room for six."""
    g = Graph()
    g.inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [6]),
        helper.make_tensor_value_info("by", TensorProto.INT64, [2]),
    ]
    return saved(g.model(g.node("Relu", g.node("Reshape", g.node("Neg", "x"), "by"))), path)


def configured(path: Path, text: str) -> Path:
    shaped(path).with_name("model.edgent.toml").write_text(text)
    return path


def test_without_an_example_measuring_says_where_to_put_one(model_file: Path) -> None:
    with pytest.raises(InputError, match=r"`example` that makes sense under \[inputs.NAME\]"):
        profile(load(shaped(model_file)), Engine(), rounds=3, budget=0.0)


def test_with_an_example_a_model_is_measured_and_verified(model_file: Path) -> None:
    model = load(configured(model_file, "[inputs.by]\nexample = [2, 3]\n"))
    assert profile(model, Engine(), rounds=3, budget=0.0).digest == model.digest
    result = verify(model, Engine())
    assert result.verified and not result.failed


def test_one_value_fills_an_input_and_a_list_is_all_of_it(model_file: Path) -> None:
    random = np.random.default_rng(0)
    for text, values in (("6", [6, 6]), ("[3, 2]", [3, 2])):
        inputs = load(configured(model_file, f"[inputs.by]\nexample = {text}\n")).inputs
        for feeds in (random_feeds(inputs, random), zeros(inputs)):
            assert feeds["by"].tolist() == values and feeds["by"].dtype == np.int64
        assert random_feeds(inputs, random)["x"].std() > 0


def test_an_input_without_dimensions_has_one_value(model_file: Path) -> None:
    g = Graph()
    g.inputs.append(helper.make_tensor_value_info("rate", TensorProto.FLOAT, []))
    saved(g.model(g.node("Mul", "x", "rate")), model_file)
    model_file.with_name("model.edgent.toml").write_text("[inputs.rate]\nexample = 0.5\n")
    assert random_feeds(load(model_file).inputs, np.random.default_rng(0))["rate"] == np.float32(0.5)


def test_words_are_examples_of_text(model_file: Path) -> None:
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("word", TensorProto.STRING, [2])]
    proto = g.model(g.node("Identity", "word"))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info(proto.graph.output[0].name, TensorProto.STRING, [2]))
    saved(proto, model_file)
    model_file.with_name("model.edgent.toml").write_text('[inputs.word]\nexample = ["left", "right"]\n')
    assert random_feeds(load(model_file).inputs, np.random.default_rng(0))["word"].tolist() == ["left", "right"]


def test_an_example_changes_no_answer_and_so_no_digest(model_file: Path) -> None:
    plain = load(shaped(model_file)).digest
    assert load(configured(model_file, "[inputs.by]\nexample = [1, 6]\n")).digest == plain
    assert load(configured(model_file, '[inputs.by]\nexample = [1, 6]\nfill = "pad"\n')).digest != plain


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[1, 2, 3]", "has 3 values"),
        ("1.5", "as 1.5"),
        ('"red"', "as 'red'"),
        ('["red", 1]', "a list of texts"),
        ("[1, 'red']", "a finite number"),
        ("true", "a finite number"),
        ("1e300", "expected one or all of its int64 [2]"),
    ],
)
def test_an_example_that_the_input_cannot_hold_is_refused(value: str, said: str, model_file: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(configured(model_file, f"[inputs.by]\nexample = {value}\n"))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_draft_offers_an_example_for_inputs_of_a_few_values_only(model_file: Path) -> None:
    proto = onnx.load(shaped(model_file))
    keys = [line.key for line in draft(proto, find(model_file, proto))]
    assert "inputs.by.example" in keys
    picture = onnx.load(saved(residual(), model_file))
    assert not any(
        key.startswith("inputs.") for key in (line.key for line in draft(picture, find(model_file, picture)))
    )
