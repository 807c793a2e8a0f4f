"""The page on one's own model: its examples are configurations of such networks, and its table has every key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import fastestdet_decode
from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.sizing import sized
from edgent.model import Model
from edgent.model.configuration.draft import draft
from edgent.model.configuration.sources import find
from edgent.model.metadata import BoxLimits, InputInfo, Metadata, Preprocessing

PAGE = (Path(__file__).parents[3] / "docs" / "own-models.md").read_text()
FASTESTDET, RECOGNISER, LITE, SILERO = re.findall(r"^```toml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


def network(path: Path, text: str, nodes: list, inputs: dict, outputs: dict, *, opset: int = 17) -> Model:
    """A network with the inputs and outputs of the one that an example is about, and its configuration beside it."""
    kinds = {"sr": TensorProto.INT64}
    ends = [
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "example", *ends)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    path.with_name(f"{path.stem}.edgent.toml").write_text(text)
    return load(path)


def test_fastestdet_answers_with_boxes(tmp_path: Path) -> None:
    onnx.save(fastestdet_decode.decode(), tmp_path / "decode.onnx")
    (tmp_path / "coco.names").write_text("".join(f"{number}\n" for number in range(80)))
    nodes = [
        helper.make_node("AveragePool", ["input.1"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("ReduceMean", ["cells"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["cells"] * 28 + ["mean"], ["758"], axis=1),
    ]
    shapes = {"input.1": [1, 3, 352, 352]}, {"758": [1, 85, 22, 22]}
    model = network(tmp_path / "FastestDet.onnx", FASTESTDET, nodes, *shapes, opset=11)
    assert model.metadata.task == "detection" and len(model.metadata.labels) == 80
    assert model.metadata.preprocessing is not None and model.metadata.preprocessing.color == "BGR"
    assert model.branches[0].outputs[0].most == (300, 6)


def test_the_recogniser_takes_lines_of_any_width(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    free = {"x": ["N", 3, "height", "width"]}, {"y": ["N", 3, "height", "width"]}
    model = network(tmp_path / "rec.onnx", RECOGNISER, nodes, *free)
    assert model.inputs[0].shape == (1, 3, 48, 320)
    assert load(tmp_path / "rec.onnx", dims={"x:3": 640}).inputs[0].shape == (1, 3, 48, 640)
    narrow = sized(model.inputs[0], np.ones((1, 3, 48, 200), np.float32), model.metadata)
    assert narrow.shape == (1, 3, 48, 320) and not narrow[..., 200:].any()


def test_the_classifier_answers_with_shares_and_is_what_a_draft_guesses(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    model = network(tmp_path / "lite.onnx", LITE, nodes, {"image": ["N", 3, 224, 224]}, {"logits": ["N", 3]})
    form = model.metadata.preprocessing
    assert form is not None and (form.size, form.crop, form.filter) == ((224, 224), 0.875, "bicubic")
    (tmp_path / "lite.edgent.toml").unlink()
    proto = onnx.load(tmp_path / "lite.onnx")
    guessed = {line.key: line.value for line in draft(proto, find(tmp_path / "lite.onnx", proto)) if line.note}
    said = tomllib.loads(LITE)
    filter_ = said["preprocessing"].pop("filter")
    assert filter_ == "bicubic"
    for key, value in {**said.pop("preprocessing"), **said}.items():
        assert value == guessed.get(key, guessed.get(f"preprocessing.{key}")), key


def test_the_voice_detector_has_numbers_and_an_example(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["sr"], ["rate"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["input", "rate"], ["output"]),
        helper.make_node("Identity", ["state"], ["stateN"]),
    ]
    inputs = {"input": [None, None], "state": [2, None, 128], "sr": []}
    model = network(tmp_path / "vad.onnx", SILERO, nodes, inputs, {"output": None, "stateN": None})
    assert [tensor.shape for tensor in model.inputs] == [(1, 576), (2, 1, 128), ()]
    assert random_feeds(model.inputs, np.random.default_rng(0))["sr"] == 16000


@pytest.mark.parametrize(
    "keys",
    [
        Metadata().document().keys() - {"limits", "preprocessing", "dims", "inputs"},
        Preprocessing(size=(1, 1)).document(),
        BoxLimits().document(),
        InputInfo().document(),
        ("[preprocessing]", "[limits]", "[dims]", "[inputs.NAME]", "version"),
    ],
)
def test_the_table_has_every_key(keys) -> None:
    table = "\n".join(line.split("|")[1] + line.split("|")[2] for line in PAGE.splitlines() if line.startswith("| `"))
    assert [key for key in keys if f"`{key}`" not in table] == []
