"""Training runs, resumes, and exports what it trained (needs the extra `train`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.data.cifar10 import Images

torch = pytest.importorskip("torch", reason="needs the extra: pip install edgent[train]")

from edgent.training.b_alexnet import RECIPES, Recipe, export  # noqa: E402 - only where PyTorch is
from edgent.training.b_alexnet.loop import train  # noqa: E402
from edgent.training.b_alexnet.network import local_response_norm  # noqa: E402

LABELS = tuple(f"class {number}" for number in range(10))


def images() -> Images:
    random = np.random.default_rng(0)
    return Images(
        pixels=random.integers(0, 256, (1100, 32, 32, 3), dtype=np.uint8),
        labels=random.integers(0, 10, 1100),
        class_names=LABELS,
    )


def quiet(done: int, total: int, what: str) -> None:
    pass


def test_our_response_normalisation_is_pytorchs() -> None:
    x = torch.randn(2, 8, 5, 5) * 30
    expected = torch.nn.functional.local_response_norm(x, 3, alpha=5e-5, beta=0.75, k=1.0)
    assert torch.allclose(local_response_norm(x), expected, rtol=1e-5, atol=1e-6)


def test_the_narrow_recipe_halves_every_width_and_nothing_else() -> None:
    whole, narrow = (RECIPES[name].as_json() for name in ("b-alexnet", "b-alexnet-narrow"))
    differing = {name for name in whole if whole[name] != narrow[name]}
    assert differing == {"trunk_widths", "hidden_widths", "exit_widths"}
    assert all(narrow[name] == [width // 2 for width in whole[name]] for name in differing)


@pytest.mark.filterwarnings("ignore")
def test_a_smoke_run_is_logged_and_its_export_answers_as_the_network_does(tmp_path: Path) -> None:
    network, _ = train(Recipe().smoke(), images(), tmp_path, seed=0, resume=False, progress=quiet)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["epoch"] == 0
    assert len(lines[-1]["held_back_accuracy"]) == 5

    export(network, LABELS, tmp_path / "net.onnx")
    model = load(tmp_path / "net.onnx")
    assert [len(branch.layers) for branch in model.branches] == [12, 16, 19, 20, 22]
    x = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
    names = [branch.outputs[0].name for branch in model.branches]
    answers = Engine().session(model, ["image"], names).run({"image": x})
    network.eval()
    with torch.no_grad():
        expected = [logits.numpy() for logits in network(torch.from_numpy(x))]
    for name, logits in zip(names, expected, strict=True):
        assert np.abs(answers[name] - logits).max() <= 1e-4 * np.abs(logits).max()
