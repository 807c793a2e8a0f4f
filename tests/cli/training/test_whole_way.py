"""The commands of docs/whole-way.md, as they are typed, up to those of two machines."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from edgent.engine.loading import load
from networks.taught import LABELS, SIDE, FixedTrainer, shaded, staged

PAGE = (Path(__file__).parents[3] / "docs" / "whole-way.md").read_text()
STEPS = [
    [line.split() for block in re.findall(r"```sh\n(.*?)```", step, re.DOTALL) for line in block.splitlines()]
    for step in PAGE.split("\n## ")[1:]
]
WORK = STEPS[1:6]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> Path:
    """Two networks of which nothing is known, and pictures; somebody who teaches without PyTorch."""
    module = ModuleType("edgent.training.exits.fitting")
    module.TorchTrainer = lambda threads: FixedTrainer()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("small", "big"):
        proto = onnx.load(staged(tmp_path / f"{name}.onnx"))
        del proto.metadata_props[:]
        for dim in proto.graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = SIDE if name == "small" else 2 * SIDE
        onnx.save(proto, tmp_path / f"{name}.onnx", save_as_external_data=True, location=f"{name}.onnx.data")
    shaded(tmp_path / "train", 17)
    shaded(tmp_path / "others", 77)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complete(draft: Path) -> None:
    """Does what the page asks of its reader: the labels, and a look at how a picture becomes the input."""
    text = re.sub(r'^# labels = "labels.txt"', f"labels = {list(LABELS)}", draft.read_text(), flags=re.MULTILINE)
    draft.write_text(re.sub(r"^(mean|std|crop) = .*\n", "", text.replace('"crop" ', '"stretch" '), flags=re.MULTILINE))


def test_each_command_of_the_page_finds_what_the_one_before_has_left(edgent, folder) -> None:
    for step in WORK:
        for program, *words in step:
            ended = edgent(*words)
            assert (program, ended.code, ended.complaints) == ("edgent", 0, []), (words, ended.err)
            if words[0] == "init":
                complete(Path(words[1]).with_suffix(".edgent.toml"))
            if words[:2] == ["inspect", "small-exits.onnx+big.onnx"]:
                assert re.search(r"inputs\.big/image +size 48, 48  ", ended.out)
    bundle = load("small-exits.onnx+big.onnx")
    assert {branch.name for branch in bundle.branches} >= {"exit0", "last", "big/last"}
    assert {entry.data for entry in bundle.metadata.exits} == {"others"}


def test_what_is_served_is_what_was_made() -> None:
    served = next(words for words in STEPS[6] if words[:2] == ["edgent", "serve"])
    assert served[2] == WORK[-1][0][2] == "small-exits.onnx+big.onnx"
