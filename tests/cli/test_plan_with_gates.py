"""`edgent plan` says what a plan that looks at the picture does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgent.engine.loading import load
from edgent.planning.gates import LATER_ALONE, Gate, Gates
from networks.classifiers import classifier
from shared_fixtures import make_profile


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """A small and a big classifier, a device that takes 1.5 s for the big one, and a gate."""
    files = (classifier(tmp_path / "small.onnx", 16, 0.6), classifier(tmp_path / "big.onnx", 28, 0.9))
    name = "+".join(map(str, files))
    model = load(name)
    small, big = make_profile(model, layer=0.005), make_profile(model, layer=0.3)
    replace(small, branches=(small.branches[0], big.branches[1])).save(tmp_path / "device.json")
    make_profile(model, layer=5e-5).save(tmp_path / "edge.json")
    gate = Gate(
        exit=0,
        later=1,
        codec="source",
        confidence=0.5,
        accepted=0.6,
        lost=0.01,
        accuracy=0.895,
        ungated=0.9,
        alone=0.9,
        standing=0.4,
        asked=0.7,
        weights=LATER_ALONE,
        gain=(-0.01, 0.02),
        samples=500,
    )
    Gates(
        model=model.name,
        digest=model.digest,
        data="some",
        measure="accuracy",
        max_drop=0.01,
        confidence_level=0.9,
        gates=(gate,),
    ).save(tmp_path / "gates.json")
    machines = ["--device", str(tmp_path / "device.json"), "--edge", str(tmp_path / "edge.json")]
    return ["plan", name, *machines, "--bandwidth", "10Mbps", "--source", "20kB", "--codec", "source"]


def test_a_policy_is_told_in_words(edgent, asked, tmp_path) -> None:
    ended = edgent(*asked, "--deadline", "200ms", "--gates", tmp_path / "gates.json", "--explain")
    words = " ".join(ended.out.split())
    assert ended.code == 0
    assert "unless exit 0 is sure (60%)" in words
    assert "exit 0 answers first, and where it is not 50 % sure (60 % of the pictures) exit 1 is asked" in words
    assert "in the mean over pictures 8 kB up and" in words
    assert "asks about 100%" in words


def test_its_document_has_the_gate(edgent, asked, tmp_path) -> None:
    ended = edgent(*asked, "--deadline", "200ms", "--gates", tmp_path / "gates.json", "--json")
    plan = json.loads(ended.out)["plan"]
    assert (plan["gate"]["exit"], plan["gate"]["later"], plan["accuracy"]) == (0, 1, 0.895)


def test_where_a_deferred_picture_would_be_late_the_plan_has_no_gate(edgent, asked, tmp_path) -> None:
    ended = edgent(*asked, "--deadline", "40ms", "--gates", tmp_path / "gates.json", "--json")
    assert "gate" not in json.loads(ended.out)["plan"]


def test_gates_of_another_model_are_refused_in_one_line(edgent, asked, tmp_path) -> None:
    file = tmp_path / "gates.json"
    file.write_text(file.read_text().replace(json.loads(file.read_text())["digest"], "0" * 64))
    ended = edgent(*asked, "--deadline", "200ms", "--gates", file)
    assert ended.code == 2
    assert len(ended.complaints) == 1
    assert "make it again: edgent gate" in ended.complaints[0]
