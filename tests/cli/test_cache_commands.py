"""Where the cache cannot be written, commands end in one line and exit code 2, and have written nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from constant_kinds import SIDE, a_constant_node
from graphs import saved


def command(base: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgent", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "XDG_CACHE_HOME": base},
    )


@pytest.mark.parametrize("base", ["/dev/null", "/proc/nowhere"])
@pytest.mark.parametrize("verb", ["inspect", "profile", "run"])
def test_a_cache_that_cannot_be_written_is_one_line(verb: str, base: str, model_file: Path, tmp_path: Path) -> None:
    saved(a_constant_node(), model_file)
    np.save(tmp_path / "x.npy", np.ones((1, SIDE), np.float32))
    arguments = {
        "inspect": [model_file, "--verify", "1"],
        "profile": [model_file, "-o", tmp_path / "p.json"],
        "run": [model_file, tmp_path / "x.npy", "--deadline", "1s"],
    }
    ended = command(base, verb, *arguments[verb])
    assert ended.returncode == 2 and ended.stdout == ""
    (line,) = [line for line in ended.stderr.splitlines() if line.strip()]
    assert line.startswith(f"edgent: the cache folder {base}/edgent/") and line.endswith("XDG_CACHE_HOME")
    assert not (tmp_path / "p.json").exists()


def test_a_cache_filled_by_somebody_else_is_used_without_being_written(model_file: Path, tmp_path: Path) -> None:
    saved(a_constant_node(), model_file)
    np.save(tmp_path / "x.npy", np.ones((1, SIDE), np.float32))
    arguments = ("run", model_file, tmp_path / "x.npy", "--deadline", "1s", "--json")
    assert command(str(tmp_path / "cache"), *arguments).returncode == 0
    before = _times(tmp_path / "cache")
    ended = command(str(tmp_path / "cache"), *arguments)
    assert ended.returncode == 0 and json.loads(ended.stdout)["answers"][0]["by"] == "device"
    assert _times(tmp_path / "cache") == before


def _times(folder: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
