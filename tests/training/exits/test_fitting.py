"""Twigs are taught, and what PyTorch answers is what the file answers (needs the extra `train`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.training.exits.graft import Twig, write_grafted
from edgent.training.exits.lesson import Lesson
from edgent.training.exits.places import ExitPlace, places_of
from edgent.training.exits.twigs import form_of
from networks.kinds import plain
from networks.taught import SIDE, staged

torch = pytest.importorskip("torch", reason="needs the extra: pip install edgent[train]")

from edgent.training.exits.fitting import BATCH, TorchTrainer, TwigNetwork  # noqa: E402 - only where PyTorch is

N = 2 * BATCH


def place(channels: int = 6, side: int = 10) -> ExitPlace:
    return ExitPlace(tensor="x", shape=(channels, side, side), operations=1e6, share=0.5)


def lesson(labelled: bool = True, is_vector: bool = False) -> Lesson:
    """Which of three channels is the brightest."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, N)
    maps = rng.standard_normal((N, 2, 6, 10, 10)).astype(np.float16)
    maps[np.arange(N), :, classes] += 1
    said = np.log(np.eye(3)[classes] * 0.8 + 0.2 / 3)[:, None].repeat(2, axis=1)
    return Lesson(
        maps,
        np.eye(3)[classes][:, None].repeat(2, axis=1) if is_vector else said,
        classes if labelled else None,
        is_vector,
    )


def taught(tmp_path: Path, one: Lesson, epochs: int = 12):
    form = form_of(place(), 3, False, 1e6)
    told: list[int] = []
    weights = TorchTrainer(1).fit(
        form, one, epochs=epochs, seed=0, checkpoint=tmp_path / "twig.checkpoint", progress=lambda d, _: told.append(d)
    )
    return form, weights, told


@pytest.mark.parametrize("change", [{}, {"labelled": False}, {"labelled": False, "is_vector": True}])
def test_a_twig_learns_from_labels_from_the_networks_answers_and_from_its_vectors(tmp_path, change) -> None:
    one = lesson(**change)
    form, weights, told = taught(tmp_path, one)
    network = TwigNetwork(form).eval()
    x = torch.from_numpy(one.maps[:, 0].astype(np.float32))
    for convolution, norm, (weight, bias) in zip(network.convolutions, network.norms, weights.layers, strict=False):
        convolution.weight.data, norm.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        norm.running_mean.zero_(), norm.running_var.fill_(1 - norm.eps)
    network.linear.weight.data, network.linear.bias.data = map(torch.from_numpy, weights.layers[-1])
    with torch.no_grad():
        right = network(x).numpy().argmax(axis=1) == one.said[:, 0].argmax(axis=1)
    assert right.mean() > 0.9
    assert told[-1] == 12


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(tmp_path) -> None:
    (tmp_path / "whole").mkdir(), (tmp_path / "broken").mkdir()
    _, expected, _ = taught(tmp_path / "whole", lesson(), 4)

    class Killed(Exception):
        pass

    def kill(done, of):
        if done == 2:
            raise Killed

    form = form_of(place(), 3, False, 1e6)
    file = tmp_path / "broken" / "twig.checkpoint"
    with pytest.raises(Killed):
        TorchTrainer(1).fit(form, lesson(), epochs=4, seed=0, checkpoint=file, progress=kill)
    _, weights, told = taught(tmp_path / "broken", lesson(), 4)
    assert told[0] == 2
    assert all(
        (a == b).all()
        for one, other in zip(weights.layers, expected.layers, strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("most", [0.0, 1e6])
def test_the_file_answers_what_pytorch_does(tmp_path, most) -> None:
    model = load(staged(tmp_path / "net.onnx"))
    first = places_of(model)[0]
    form = form_of(first, 3, False, most)
    torch.manual_seed(0)
    network = TwigNetwork(form)
    network.train()
    for _ in range(3):
        network(torch.randn(8, *form.read))  # so that normalisation has statistics of its own
    network.eval()
    write_grafted(model.path, [Twig(first, form, network.folded())], tmp_path / "exits.onnx")
    picture = np.random.default_rng(0).random((1, 3, SIDE, SIDE)).astype(np.float32)
    weight = next(t for t in model.proto.graph.initializer if t.name == "one.w")
    from onnx import numpy_helper

    x = torch.nn.functional.conv2d(
        torch.from_numpy(picture), torch.from_numpy(numpy_helper.to_array(weight).copy()), stride=2, padding=1
    )
    with torch.no_grad():
        expected = network(x).numpy()
    assert plain(tmp_path / "exits.onnx", {"image": picture})["exit0"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(tmp_path) -> None:
    (tmp_path / "twig.checkpoint").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is no checkpoint of this twig; remove its folder to begin anew"):
        taught(tmp_path, lesson())


def test_an_epoch_takes_some_time() -> None:
    form = form_of(place(), 3, False, 1e6)
    assert TorchTrainer(1).seconds_an_epoch(form, lesson()) > 0
