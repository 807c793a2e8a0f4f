"""The benchmark that scores the networks of edgent-models and puts them into the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import clothing
from edgent.engine.loading import load
from edgent.evaluation.data.clothing import read_clothing
from edgent.evaluation.data.parts import part, part_of
from edgent.model import SHIPPED

KINDS = [f"class {number}" for number in range(10)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of noise, of every kind in both of the author's parts."""
    random = np.random.default_rng(0)
    for kind in KINDS:
        for name in ("train", "validation"):
            folder = tmp_path / "pictures" / name / kind
            folder.mkdir(parents=True)
            for number in range(3):
                pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}-{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network of five exits that knows these kinds, and says nothing of how good it is."""
    proto = onnx.load(SHIPPED / "b-alexnet.onnx")
    document = json.loads(proto.metadata_props[0].value)
    document["labels"] = KINDS
    document["exits"] = [
        {"name": entry["name"], "outputs": entry["outputs"], "accuracy": None} for entry in document["exits"]
    ]
    proto.metadata_props[0].value = json.dumps(document)
    onnx.save(proto, tmp_path / "five.onnx")
    return tmp_path / "five.onnx"


def test_gains_are_over_the_first_networks_last_exit() -> None:
    small = {"early": np.array([True] * 40 + [False] * 60), "last": np.array([True] * 60 + [False] * 40)}
    rows = list(clothing.scores({"small": small, "big": {"top": np.array([True] * 90 + [False] * 10)}}))
    assert [(row.network, row.exit, row.accuracy) for row in rows] == [
        ("small", "early", 0.4),
        ("small", "last", 0.6),
        ("big", "top", 0.9),
    ]
    assert [row.over_first for row in rows] == pytest.approx([-20, 0, 30])
    assert rows[1].over_first_low == rows[1].over_first_high == 0
    assert all(row.low < row.accuracy < row.high for row in rows)
    assert 0 < rows[2].over_first_low < 30 < rows[2].over_first_high + 1e-9 or rows[2].over_first_high == 30


def test_files_are_put_with_their_accuracies_and_only_test_pictures_with_them(
    network: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "package"
    into.mkdir()
    command = [str(network), "--data", str(pictures), "--into", str(into), "--json"]
    assert clothing.main(command) == 1  # the last network is the first, so it is not ahead of it
    rows = json.loads(capsys.readouterr().out)
    copy, original = load(into / "five.onnx"), load(network)
    assert [entry.accuracy for entry in copy.metadata.exits] == [round(row["accuracy"], 4) for row in rows]
    assert {entry.data for entry in copy.metadata.exits} == {"pictures test"}
    assert copy.digest == original.digest  # what is said of it changes no answer
    put = list((into / clothing.FOLDER).rglob("*.png"))
    assert len(put) == min(clothing.PICTURES, len(part(read_clothing(pictures), "test").files))
    assert {part_of(file.read_bytes()) for file in put} == {"test"}
    assert {file.parent.name for file in put} <= set(KINDS)
