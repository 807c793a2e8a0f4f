"""The second engine: the same answers as the first, from the same segments; its times booked to the same layers."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.engine.openvino import OpenVinoEngine, Ran, ran_layers
from edgent.errors import EdgentError, InputError
from edgent.evaluation.verify import verify
from edgent.profiling.model_profiler import profile
from edgent.profiling.sweep import SpecimenTimer

installed = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra openvino is not installed; make conformance has it"
)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 3, 32, 32)).astype(np.float32)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgent", *arguments], capture_output=True, text=True, timeout=200, check=False
    )


@installed
def test_both_engines_give_the_same_answers() -> None:
    model = load("b-alexnet")
    names = [tensor.name for branch in model.branches for tensor in branch.outputs]
    ours, other = (
        one.session(model, ["image"], names).run({"image": picture()}) for one in (OpenVinoEngine(), Engine())
    )
    for name in names:
        assert np.abs(ours[name] - other[name]).max() <= 1e-4 * np.abs(other[name]).max()


@installed
def test_the_pieces_at_cuts_make_the_whole() -> None:
    assert verify(load("b-alexnet"), OpenVinoEngine(capacity=8), most=9).failed == ()


@installed
def test_threads_that_share_a_session_do_not_mix_their_answers() -> None:
    model = load("b-alexnet")
    session = OpenVinoEngine().session(model, ["image"], ["exit4"])
    pictures = [picture(seed) for seed in range(16)]
    alone = [session.run({"image": one})["exit4"] for one in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: session.run({"image": one})["exit4"], pictures))
    assert np.allclose(alone, together, atol=1e-5)


@installed
@pytest.mark.parametrize(
    "feeds", [{}, {"other": picture()}, {"image": picture().astype(np.float64)}, {"image": picture()[:, :, :9]}]
)
def test_what_is_no_input_of_the_segment_is_refused(feeds: dict[str, np.ndarray]) -> None:
    session = OpenVinoEngine().session(load("b-alexnet"), ["image"], ["exit4"])
    with pytest.raises(EdgentError):
        session.run(feeds)


@installed
def test_its_profile_books_every_layer_and_names_the_engine() -> None:
    model = load("b-alexnet")
    measured = profile(model, OpenVinoEngine(), budget=1.0)  # medians, which one interrupted run does not decide
    assert measured.engine.startswith("openvino ")
    for branch in model.branches:
        times = measured.branch(branch.exit)
        assert math.fsum(times.layers) == pytest.approx(times.whole.median)
        assert times.unassigned < 0.02
    heavy = dict(zip([layer.name for layer in model.branches[4].layers], measured.branch(4).layers, strict=True))
    assert heavy["conv2"] > heavy["fc7"] > 0


@installed
def test_no_latency_model_is_fitted_on_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="onnxruntime"):
        SpecimenTimer(OpenVinoEngine(), tmp_path).time(0, 1e7)


@installed
def test_both_engines_are_profiled_and_the_faster_is_told(tmp_path: Path) -> None:
    both = tmp_path / "both.json"
    done = command("profile", "b-alexnet", "--engine", "onnxruntime,openvino", "-o", str(both), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["files"]) == {"onnxruntime", "openvino"}
    assert document["faster"] == ("openvino" if document["ratio"] < 1 else "onnxruntime")
    again = command("profile", "--compare", *document["files"].values(), "--json")
    assert json.loads(again.stdout)["ratio"] == pytest.approx(document["ratio"])
    np.save(tmp_path / "x.npy", picture())
    used = ("--profile", document["files"]["onnxruntime"], "--engine", "openvino")
    ran = command("run", "b-alexnet", str(tmp_path / "x.npy"), "--deadline", "1s", *used)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("warning: the profile of b-alexnet is of onnxruntime") == 1


@pytest.mark.skipif(importlib.util.find_spec("openvino") is not None, reason="the extra openvino is installed")
def test_a_missing_extra_is_one_line_that_names_it() -> None:
    done = command("profile", "b-alexnet", "--engine", "openvino")
    assert done.returncode == 1
    assert done.stderr == "edgent: the engine OpenVINO needs the extra 'openvino': pip install 'edgent[openvino]'\n"


def test_an_unknown_engine_is_refused() -> None:
    done = command("profile", "b-alexnet", "--engine", "abacus")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "onnxruntime or openvino" in done.stderr


def test_each_layer_is_of_the_kernel_that_names_it_or_took_it_in() -> None:
    branch = load("b-alexnet").branches[4]
    at = {layer.name: position for position, layer in enumerate(branch.layers)}
    kernels = [
        Ran("turned", ("",), ("image",)),
        Ran("conv1/WithoutBiases", ("conv1/WithoutBiases", "conv1", "relu1"), ("turned",)),
        Ran("rest", tuple(name for name in at if name not in ("conv1", "relu1", "relu6")), ("conv1/WithoutBiases",)),
        Ran("turned back", ("",), ("rest",)),
    ]
    document = ran_layers(kernels, branch)
    assert document["turned"] == document["conv1/WithoutBiases"] == (at["conv1"], at["relu1"])
    assert document["turned back"] == document["rest"]
    assert at["relu6"] in document["rest"]  # nobody names it: it was merged into what reads it
    assert set(document["rest"]) | set(document["turned"]) == set(at.values())
