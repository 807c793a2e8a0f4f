"""`--emulate`: this machine in place of a slow board, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from edgent.cli import app
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import InputError
from edgent.latency import Profile
from edgent.profiling.model_profiler import profile


def edgent(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("host") / "host.json"
    profile(load("b-alexnet"), Engine(), budget=0.5).save(file)
    return file


@pytest.fixture
def tensor(tmp_path: Path) -> str:
    np.save(tmp_path / "input.npy", np.zeros((1, 3, 32, 32), np.float32))
    return str(tmp_path / "input.npy")


def test_a_run_keeps_the_boards_pace_and_says_what_range_it_has_and_how_often_it_was_missed(
    host: Path, tensor: str
) -> None:
    own = Profile.load(host).branches[-1].whole.median
    run = ("run", "b-alexnet", tensor, "--deadline", "60s", "--profile", str(host), "--exit", "4", "--json")
    done = edgent(*run, "--emulate", "pi-3b+", "--hidden-seed", "3")
    assert done.exit_code == 0
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["stages_ms"]["head"] > 4 * own * 1e3  # 13 times slower, each layer type off by some 16 %
    assert "range 8.6-19.9" in done.stderr and "seed 3" in done.stderr
    assert "pieces of work this machine finished" in done.stderr


def test_a_hot_board_is_slower_still(host: Path, tensor: str) -> None:
    run = ("run", "b-alexnet", tensor, "--deadline", "60s", "--profile", str(host), "--exit", "4", "--json")
    own = Profile.load(host).branches[-1].whole.median
    done = edgent(*run, "--emulate", "pi-3b+", "--throttle", "50@0ms")
    assert json.loads(done.stdout)["answers"][0]["stages_ms"]["head"] > 50 * 4 * own * 1e3  # see above for the 4


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--emulate", "pi-9"), "expected paper-pi3, paper-pi3-resident, pi-3b+, pi-4, pi-5"),
        (("--throttle", "2@1s"), "name one with --emulate"),
        (("--emulate", "pi-4", "--throttle", "2"), "expected FACTOR@TIME"),
        (("--emulate", "pi-4", "--throttle", "0@1s"), "expected FACTOR@TIME"),
    ],
)
def test_what_cannot_be_emulated_is_refused(host: Path, tensor: str, more: tuple[str, ...], words: str) -> None:
    done = edgent("run", "b-alexnet", tensor, "--deadline", "1s", "--profile", str(host), *more)
    assert isinstance(done.exception, InputError) and words in str(done.exception)


def test_a_profile_through_the_emulation_is_one_of_that_board_and_none_to_emulate_again(
    host: Path, tensor: str, tmp_path: Path
) -> None:
    profile_file = tmp_path / "pi4.json"
    assert edgent("profile", "b-alexnet", "--emulate", "pi-4", "-o", str(profile_file)).exit_code == 0
    assert Profile.load(profile_file).emulated == "pi-4"
    run = ("run", "b-alexnet", tensor, "--deadline", "1s", "--profile", str(profile_file))
    assert edgent(*run).exit_code == 0
    again = edgent(*run, "--emulate", "pi-4")
    assert "already stands for pi-4" in str(again.exception)


def test_without_a_model_there_is_nothing_to_emulate() -> None:
    assert "expected a MODEL" in str(edgent("profile", "--emulate", "pi-4").exception)
