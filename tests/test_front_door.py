"""What a user touches first: names, a light import, one-line errors with their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgent

HEAVY = ("torch", "ray", "scipy", "sklearn", "matplotlib", "starlette", "onnxruntime.training")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgent", *arguments], capture_output=True, text=True, timeout=200, check=False
    )


def test_the_public_names_are_sorted_and_there() -> None:
    assert edgent.__all__ == sorted(edgent.__all__)
    for name in edgent.__all__:
        assert getattr(edgent, name) is not None


def test_a_device_imports_nothing_heavy() -> None:
    code = f"""
import sys
import numpy as np
import edgent
from edgent.engine.loading import load
from edgent.device.device import Device
from edgent.planning import Configuration
with Device(load("b-alexnet"), deadline=1.0) as device:
    wanted = Configuration(exit=4, upload_cut=22, download_cut=22)
    device.infer(np.zeros((1, 3, 32, 32), dtype=np.float32), configuration=wanted)
found = [name for name in {HEAVY} if name in sys.modules]
assert not found, found
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "nothing.onnx"], "no such file"),
        (["inspect", __file__], "no ONNX"),
        (["inspect", "b-alexnet", "--verify", "none"], "--verify"),
        (["inspect", "b-alexnet", "--dim", "batch"], "--dim"),
        (["profile", "b-alexnet", "-o", "nowhere/file.json"], "does not exist"),
        (["evaluate", "b-alexnet", "--data", "nowhere"], "nowhere"),
        (["run", "b-alexnet", "nothing.png", "--deadline", "100ms"], "nothing.png"),
        (["run", "b-alexnet", __file__, "--deadline", "100"], "unit"),
        (["run", "b-alexnet", __file__, "--deadline", "0ms"], "positive"),
        (["run", "b-alexnet", __file__, "--deadline", "1s", "--edge", "nowhere"], "HOST:PORT"),
        (["data", "imagenet", "."], "cifar10"),
        (["serve", "nothing"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("value", ["0kbps", "-1kbps", "nankbps", "400"])
def test_a_bandwidth_that_is_none_is_refused(value: str, tmp_path: Path) -> None:
    file = str(tmp_path / "p.json")
    done = command("plan", "b-alexnet", "--device", file, "--edge", file, f"--bandwidth={value}", "--deadline", "1s")
    assert done.returncode == 2
    assert "bandwidth" in done.stderr


def test_an_image_that_is_no_image_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_text("not a cat")
    done = command("run", "b-alexnet", str(file), "--deadline", "1s")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "cat.png" in done.stderr


def test_what_was_answered_before_a_bad_file_is_not_lost(tmp_path: Path) -> None:
    (bad := tmp_path / "cat.png").write_text("not a cat")
    np.save(good := tmp_path / "zeros.npy", np.zeros((1, 3, 32, 32), dtype=np.float32))
    done = command("run", "b-alexnet", str(good), str(bad), "--deadline", "10s", "--json")
    assert done.returncode == 2
    assert [answer["input"] for answer in json.loads(done.stdout)["answers"]] == [str(good)]
