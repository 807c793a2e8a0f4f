"""`edgent init` drafts, never writes over anything unasked, and embeds what loads; every verb has --dim."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from PIL import Image

from edgent.engine.loading import load
from edgent.model.configuration.document import KEY
from graphs import Graph, residual, saved


@pytest.fixture(autouse=True)
def _cache(empty_cache: Path) -> None:
    """Trials are not remembered from elsewhere."""


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A network for lines of text of any width."""
    g = Graph()
    g.inputs = [helper.make_tensor_value_info("x", 1, ["N", 3, 48, "width"])]
    return saved(g.model(g.node("Relu", g.conv("x", 3, 2))), tmp_path / "lines.onnx")


def test_a_draft_says_what_to_fill_in_and_is_never_written_over(edgent: Callable, lines: Path) -> None:
    ended = edgent("init", lines)
    draft = lines.with_name("lines.edgent.toml")
    assert ended.code == 0 and "fill in task, preprocessing.size" in " ".join(ended.out.split())
    assert 'resize = "height"' in draft.read_text()
    draft.write_text("# mine\n")
    ended = edgent("init", lines)
    assert (ended.code, draft.read_text()) == (2, "# mine\n") and "--force" in ended.err
    assert edgent("init", lines, "--force").code == 0 and "GUESSED" in draft.read_text()


def test_a_draft_may_go_elsewhere_and_be_told_as_json(edgent: Callable, lines: Path, tmp_path: Path) -> None:
    ended = edgent("init", lines, "-o", tmp_path / "other.toml", "--json")
    document = json.loads(ended.out)
    assert document["path"] == str(tmp_path / "other.toml") and (tmp_path / "other.toml").is_file()
    standings = {entry["key"]: entry["standing"] for entry in document["lines"]}
    assert standings["task"] == "to fill in" and standings["preprocessing.resize"] == "guessed"
    assert not lines.with_name("lines.edgent.toml").exists()


def test_a_completed_configuration_is_embedded_and_the_model_stays_the_same(edgent: Callable, lines: Path) -> None:
    text = 'task = "raw"\n[preprocessing]\nsize = [48, 96]\nresize = "height"\n'
    lines.with_name("lines.edgent.toml").write_text(text)
    digest, target = load(lines).digest, lines.with_name("whole.onnx")
    assert edgent("init", lines, "--embed", "-o", target).code == 0
    assert load(target).digest == digest and KEY in {entry.key for entry in onnx.load(target).metadata_props}
    assert edgent("init", lines, "--embed", "-o", target).code == 2  # it is there
    assert edgent("init", lines, "--embed").code == 0
    lines.with_name("lines.edgent.toml").unlink()
    assert load(lines).digest == digest


def test_another_configuration_is_embedded_only_by_force(edgent: Callable, lines: Path) -> None:
    beside = lines.with_name("lines.edgent.toml")
    beside.write_text('task = "raw"\n[dims]\nwidth = 64\n')
    assert edgent("init", lines, "--embed").code == 0
    beside.write_text('task = "raw"\n[dims]\nwidth = 32\n')
    ended = edgent("init", lines, "--embed")
    assert ended.code == 2 and "dims.width is one thing in" in ended.err
    assert load_fails(lines)
    assert edgent("init", lines, "--embed", "--force").code == 0
    assert load(lines).inputs[0].shape == (1, 3, 48, 32)


def load_fails(path: Path) -> bool:
    try:
        load(path)
    except ValueError:
        return True
    return False


def test_a_graph_for_post_processing_is_embedded_as_well(edgent: Callable, tmp_path: Path) -> None:
    path = saved(residual(), tmp_path / "m.onnx")
    node = helper.make_node("Neg", ["y"], ["negative"])
    values = [helper.make_tensor_value_info(each, 1, [1, 8, 8, 8]) for each in ("y", "negative")]
    post = helper.make_graph([node], "post", values[:1], values[1:])
    onnx.save(
        helper.make_model(post, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "post.onnx"
    )
    (tmp_path / "m.edgent.toml").write_text('task = "raw"\npost = "post.onnx"\n')
    digest = load(path).digest
    (tmp_path / "far").mkdir()
    assert edgent("init", path, "--embed", "-o", tmp_path / "far" / "m.onnx").code == 0
    assert load(tmp_path / "far" / "m.onnx").digest == digest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("b-alexnet", "--embed"), "is shipped"),
        (("lines.onnx", "--embed"), "no configuration to embed"),
        (("lines.onnx", "--dim", "width=8"), "goes with --embed"),
        (("lines.onnx", "-o", "nowhere/x.toml"), "nowhere"),
        (("nobody.onnx",), "no such file"),
        (("b-alexnet+b-alexnet-int8",), "a bundle"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(
    arguments: tuple[str, ...], said: str, edgent: Callable, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lines.parent)
    ended = edgent("init", *arguments)
    assert ended.code == 2 and len(ended.complaints) == 1 and said in ended.err


def test_inspect_shows_the_configuration_first_and_where_it_stands(edgent: Callable, lines: Path) -> None:
    text = 'task = "raw"\n[preprocessing]\nresize = "height"\n[dims]\nwidth=96\n'
    lines.with_name("lines.edgent.toml").write_text(text)
    ended = edgent("inspect", lines)
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["task", "raw", "lines.edgent.toml"] in rows
    assert ["preprocessing.size", "48,", "96", "the", "input"] in rows
    assert ["dims.width", "96", "free", "in", "the", "file"] in rows
    assert ended.out.index("Configuration") < ended.out.index("Exits")
    document = json.loads(edgent("inspect", lines, "--dim", "width=64", "--json").out)
    assert document["configuration"]["preprocessing"]["size"] == [48, 64]
    assert document["configuration"]["dims"] == {"N": 1, "width": 64}
    assert document["sources"][0]["origins"]["task"] == "lines.edgent.toml"


VERBS = {
    "inspect": (),
    "profile": (),
    "init": ("--embed",),
    "plan": ("--device", "p", "--edge", "p", "--bandwidth", "1Mbps", "--deadline", "1s"),
    "map": ("--device", "p", "--edge", "p", "--deadline", "1s", "--grid", "1Mbps,2Mbps,2", "-o", "map.json"),
    "evaluate": ("--data", "pictures"),
    "serve": (),
    "run": ("x.npy", "--deadline", "1s"),
    "replay": ("--device", "p", "--edge", "p", "--deadline", "1s"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("dims", "said"),
    [
        (("width=8", "width=8"), "is given twice"),
        (("width=x",), "expected NAME=N"),
        (("=8",), "expected NAME=N"),
        (("width=8", "x:3=9"), "two numbers"),
        (("widht=8",), "did you mean 'width'"),
        (("x:1=8", "width=8"), "no input has a free dimension 'x:1'"),
    ],
)
def test_numbers_that_cannot_be_are_refused_by_every_verb(
    verb: str, dims: tuple[str, ...], said: str, edgent: Callable, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lines.parent)
    np.save("x.npy", np.zeros((1, 3, 48, 8), np.float32))
    Path("pictures").mkdir()
    Image.new("RGB", (9, 9)).save("pictures/a.png")
    model = ("trace.csv", "--model", "lines.onnx") if verb == "replay" else ("lines.onnx",)
    options = [option for number in dims for option in ("--dim", number)]
    ended = edgent(verb, *model, *VERBS[verb], *options)
    assert ended.code == 2 and said in ended.err
    assert len(ended.complaints) == 1
