"""`edgent gate` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgent.planning.gates import Gates
from networks.classifiers import classifier


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    files = (classifier(tmp_path / "small.onnx", 16, 0.5), classifier(tmp_path / "big.onnx", 28, 0.9))
    return "+".join(map(str, files))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng, root = np.random.default_rng(0), tmp_path / "pictures"
    root.mkdir()
    for number in range(40):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)).save(root / f"{number:02d}.png")
    return root


def test_its_document_is_the_file(edgent, bundle, data, tmp_path) -> None:
    out = tmp_path / "gates.json"
    ended = edgent("gate", bundle, "--data", data, "--max-drop", "10%", "--codec", "source", "-o", out, "--json")
    assert ended.code == 0
    assert json.loads(ended.out) == json.loads(out.read_text())
    gates = Gates.load(out)
    assert (gates.max_drop, gates.confidence_level, gates.measure) == (0.1, 0.9, "agreement")


def test_it_prints_a_table_of_a_hundred_columns(edgent, bundle, data, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ended = edgent("gate", bundle, "--data", data, "--max-drop", "0.1", "--in-expectation", "--codec", "jpeg-50")
    assert ended.code == 0
    assert "at most 10.0 % of the pictures lost in the mean" in ended.out
    assert "0, then 1" in ended.out
    assert max(map(len, ended.out.splitlines()[:-1])) <= 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-drop", "0"), "--max-drop '0': expected a share above 0 and below all"),
        (("--max-drop", "1%"), "found 40 pictures, expected at least 230 for a drop of at most 1.00% at 90%"),
        (("--max-drop", "10%", "--confidence-level", "100%"), "--confidence-level '100%': expected a share"),
        (("--max-drop", "10%", "--codec", "nonsense"), "nonsense"),
        (("--max-drop", "10%", "--format", "nonsense"), "--format 'nonsense': expected one of"),
    ],
)
def test_bad_input_is_one_line(edgent, bundle, data, options, words) -> None:
    ended = edgent("gate", bundle, "--data", data, *options)
    assert ended.code == 2
    assert len(ended.complaints) == 1
    assert words in ended.complaints[0]
