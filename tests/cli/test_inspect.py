"""`edgent inspect --verify`: its words, its JSON and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from typer.testing import CliRunner, Result

from edgent.cli import app
from edgent.errors import InputError
from edgent.model import SHIPPED
from graphs import Graph, residual, saved

Inspect = Callable[..., Result]


@pytest.fixture
def inspect() -> Inspect:
    return lambda *arguments: CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def test_a_verification_is_said_in_words(inspect: Inspect) -> None:
    result = inspect("b-alexnet", "--verify", "2")
    assert result.exit_code == 0, result.output
    assert "b-alexnet: 10 cuts verified, 0 differ" in result.stdout
    assert "5 exits, 94 cuts" in result.stdout and "tolerance 0.0001" in result.stdout


def test_json_keeps_its_keys_and_says_what_was_tolerated(inspect: Inspect) -> None:
    document = json.loads(inspect("b-alexnet", "--verify", "1", "--json").stdout)
    kept = {"path", "digest", "exits", "layers", "cuts", "verified", "max_relative_difference", "failed"}
    assert kept <= set(document)
    assert document["verified"] == 5 and document["failed"] == [] and document["tolerance"] == pytest.approx(1e-4)
    assert document["answers_equal"] is True and document["drawn"] == [] and document["not_offered"] == []


def test_an_exit_that_is_never_worth_its_cost_is_said_to_be_so_and_the_word_explained(
    inspect: Inspect, tmp_path: Path
) -> None:
    explained = "dominated: another exit costs no more, and is at least as accurate"
    assert "dominated" not in inspect("b-alexnet").stdout
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    (entry,) = proto.metadata_props
    document = json.loads(entry.value)
    document["exits"][3]["accuracy"] = document["exits"][2]["accuracy"] - 0.01
    entry.value = json.dumps(document)
    onnx.save(proto, tmp_path / "worse.onnx")
    shown = inspect(tmp_path / "worse.onnx").stdout
    assert shown.count("dominated") == 1 + 1 and explained in shown


def test_one_cut_of_one_exit_is_no_plural(inspect: Inspect, model_file: Path) -> None:
    saved(residual(), model_file)
    result = inspect(model_file, "--verify", "1")
    assert "model: 1 cut verified, 0 differ" in result.stdout and "1 exit, " in result.stdout


def test_who_does_not_say_the_task_is_led_to_the_draft_and_not_to_make_another(
    inspect: Inspect, model_file: Path
) -> None:
    saved(residual(), model_file)
    assert f"what its answers are, nor how a picture becomes its input: edgent init {model_file}" in inspect(
        model_file
    ).stdout.replace("\n", "")
    (draft := model_file.with_name("model.edgent.toml")).write_text("[preprocessing]\nscale = 1.0\n")
    assert f"what its answers are: fill in {draft}" in inspect(model_file).stdout.replace("\n", "")


def test_pictures_and_arrays_are_what_it_verifies_on(inspect: Inspect, tmp_path: Path) -> None:
    picture, array = tmp_path / "picture.png", tmp_path / "array.npy"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(picture)
    np.save(array, np.zeros((1, 3, 32, 32), np.float32))
    result = inspect("b-alexnet", "--verify", "1", "--source", picture, "--source", array, "--json")
    assert json.loads(result.stdout)["inputs"] == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("wrong.npy", np.zeros((1, 3, 8, 8), np.float32), "wrong.npy: tensor"),
        ("none.npz", None, "none.npz"),
        ("other.npz", {"other": np.zeros(3, np.float32)}, "other"),
    ],
)
def test_a_source_that_does_not_fit_is_named(
    inspect: Inspect, tmp_path: Path, name: str, content: object, words: str
) -> None:
    file = tmp_path / name
    if isinstance(content, dict):
        np.savez(file, **content)
    elif content is not None:
        np.save(file, content)
    result = inspect("b-alexnet", "--verify", "1", "--source", file)
    assert isinstance(result.exception, InputError) and words in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1


def test_a_source_without_verify_is_bad_usage(inspect: Inspect) -> None:
    result = inspect("b-alexnet", "--source", "any.npy")
    assert isinstance(result.exception, InputError) and "--verify" in str(result.exception)


@pytest.mark.parametrize(("domain", "is_said"), [("com.acme", True), ("com.microsoft", False)])
def test_an_operator_that_no_engine_has_is_said(inspect: Inspect, model_file: Path, domain: str, is_said: bool) -> None:
    g = Graph()
    proto = g.model(g.node("Wobble", "x", domain=domain))
    del proto.opset_import[1:]
    proto.opset_import.append(helper.make_opsetid(domain, 1))
    onnx.save(proto, model_file)
    result = inspect(model_file)
    assert result.exit_code == 0, result.output
    assert (f"neither ONNX nor its engines define ({domain}.Wobble)" in result.stderr) == is_said


def test_answers_drawn_anew_are_said_not_to_be_compared(inspect: Inspect, model_file: Path) -> None:
    g = Graph()
    saved(g.model(g.node("RandomNormalLike", g.conv("x", 3, 4))), model_file)
    result = inspect(model_file, "--verify", "all")
    assert result.exit_code == 0
    assert "answers drawn anew at each run, not compared: randomnormallike1" in result.stdout


def test_cuts_that_are_not_offered_are_said(inspect: Inspect, model_file: Path) -> None:
    g = Graph()
    parts = g.node("SplitToSequence", g.conv("x", 3, 4), axis=1)
    saved(g.model(g.conv(g.node("SequenceAt", parts, g.constant(np.array(0))), 1, 2)), model_file)
    result = inspect(model_file, "--verify", "all")
    assert result.exit_code == 0 and "1 cut is not offered: " in result.stdout


def test_a_model_that_fails_on_random_input_is_one_line(inspect: Inspect, model_file: Path) -> None:
    g = Graph()
    g.inputs.append(helper.make_tensor_value_info("shape", TensorProto.INT64, [2]))
    onnx.save(g.model(g.node("Relu", g.node("Reshape", "x", "shape"))), model_file)
    result = inspect(model_file, "--verify", "all")
    assert isinstance(result.exception, InputError) and "--source FILE" in str(result.exception)
