"""`edgent add-exits` from the outside, and what the other commands make of its file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from networks.taught import FixedTrainer, shaded, staged


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who teaches without PyTorch."""
    module = ModuleType("edgent.training.exits.fitting")
    module.TorchTrainer = lambda threads: FixedTrainer()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return staged(tmp_path / "net.onnx")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return shaded(tmp_path / "shades")


def test_its_document_tells_what_stands_in_the_file(edgent, taught, net, data, tmp_path) -> None:
    out = tmp_path / "out.onnx"
    ended = edgent("add-exits", net, "--data", data, "--at", "60%", "--budget", "1m", "-o", out, "--json")
    assert ended.code == 0
    document = json.loads(ended.out)
    assert [exit["place"] for exit in document["exits"]][-1] is None
    inspected = json.loads(edgent("inspect", out, "--json").out)
    assert document["digest"] == inspected["digest"]
    for exit, other in zip(document["exits"], inspected["exits"], strict=True):
        assert (exit["name"], exit["accuracy"]) == (other["name"], other["accuracy"])
    # Relative to the last exit, which has become no dearer.
    assert document["exits"][0]["relative_cost"] == pytest.approx(inspected["exits"][0]["relative_cost"])


def test_its_file_serves_the_other_commands_without_further_work(edgent, taught, net, data, tmp_path) -> None:
    out = tmp_path / "out.onnx"
    assert edgent("add-exits", net, "--data", data, "--at", "60%", "-o", out).code == 0
    assert edgent("inspect", out, "--verify", "4").code == 0
    others = shaded(tmp_path / "others", each=8)
    evaluated = json.loads(edgent("evaluate", out, "--data", others, "--json").out)
    assert [exit["accuracy"] > 0.9 for exit in evaluated["exits"]] == [True, True]
    gates = json.loads(edgent("gate", out, "--data", others, "--max-drop", "10%", "--json").out)
    assert len(gates["gates"]) == 1


def test_broken_pictures_are_named_and_left_out_and_the_table_is_a_hundred_columns_wide(
    edgent, taught, net, data, tmp_path
) -> None:
    (data / "dark" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out.onnx"
    ended = edgent("add-exits", net, "--data", data, "--at", "60%", "-o", out)
    assert ended.code == 1
    assert out.exists()
    assert any("broken.png" in line for line in ended.complaints)
    assert "Accuracy (top-1) on 9 pictures of shades, a tenth held back" in ended.out
    assert "the last answer is the old one to the bit" in ended.out
    assert max(map(len, ended.out.splitlines()[:-1])) <= 100


@pytest.fixture
def no_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("edgent.training.exits.fitting", "edgent.training.pytorch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)


def test_without_pytorch_the_extra_is_named_before_anything_is_computed(
    edgent, no_pytorch, net, data, tmp_path
) -> None:
    ended = edgent("add-exits", net, "--data", data, "-o", tmp_path / "out.onnx")
    assert ended.code == 1
    assert ended.complaints == ["edgent: training needs the extra 'train': pip install 'edgent[train]'"]
    assert not list(tmp_path.glob("*.work"))


@pytest.mark.parametrize("verb", ["add-exits", "quantize"])
def test_a_network_for_which_it_is_not_is_refused_before_a_picture_is_opened(edgent, tmp_path, verb) -> None:
    ended = edgent(verb, staged(tmp_path / "net.onnx", task="raw"), "--data", "nowhere")
    assert ended.code == 2
    assert "the task of net is raw" in ended.complaints[0]


@pytest.mark.parametrize(
    ("task", "each", "words"), [("raw", 30, "not for detectors"), ("classification", 5, "found 15")]
)
def test_bad_input_is_told_before_pytorch_is_asked_for(edgent, no_pytorch, tmp_path, task, each, words) -> None:
    net, data = staged(tmp_path / "net.onnx", task=task), shaded(tmp_path / "shades", each)
    ended = edgent("add-exits", net, "--data", data)
    assert ended.code == 2
    assert words in ended.complaints[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--budget", "soon"), "budget"),
        (("--budget", "1ms"), "is too small"),
        (("--at", "120%"), "--at '120%': expected a share"),
        (("--format", "nonsense"), "--format 'nonsense': expected one of"),
        (("-o", "nowhere/out.onnx"), "does not exist"),
        (("--test", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(edgent, taught, net, data, tmp_path, monkeypatch, options, words) -> None:
    monkeypatch.chdir(tmp_path)
    ended = edgent("add-exits", net, "--data", data, *options)
    assert ended.code == 2
    assert len(ended.complaints) == 1
    assert words in ended.complaints[0]


def test_the_real_trainer_teaches_too(edgent, net, data, tmp_path) -> None:
    pytest.importorskip("torch", reason="needs the extra: pip install edgent[train]")
    out = tmp_path / "out.onnx"
    ended = edgent("add-exits", net, "--data", data, "--at", "60%", "--budget", "1m", "-o", out, "--json")
    assert ended.code == 0
    assert json.loads(ended.out)["exits"][0]["accuracy"] > 0.6
