"""Each promise has a command that exists: a target of make, a benchmark with these options, or tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
ROWS = [row for row in re.findall(r"^\| (.+) \| `([^`]+)` \|$", PAGE, re.MULTILINE) if not row[0].startswith("---")]
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_row_of_promises_has_one_command():
    table = PAGE.partition("| promise | shown by |")[2].partition("\n\n")[0]
    assert len(ROWS) == len(table.strip().splitlines()) - 1 > 15


@pytest.mark.parametrize("command", sorted({command for _, command in ROWS}))
def test_a_command_of_a_promise_is_there(command):
    program, *words = command.split()
    if program == "make":
        assert set(words) <= TARGETS
        return
    assert program == "python"
    if words[:2] == ["-m", "pytest"]:
        assert words[2:]
        for path in words[2:]:
            place = ROOT / path
            assert list(place.glob("test_*.py")) if place.is_dir() else place.is_file(), path
        return
    script = ROOT / words[0]
    assert script.parent == ROOT / "benchmarks"
    said = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=120, check=True)
    assert {word for word in words[1:] if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", said.stdout))


def test_every_target_of_make_that_the_page_names_is_there():
    named = set(re.findall(r"`make ([a-z0-9-]+)", PAGE))
    assert {"chaos", "fuzz", "soak", "aarch64"} <= named <= TARGETS


@pytest.mark.parametrize("target", ["chaos", "soak", "fuzz", "aarch64"])
def test_a_target_runs_a_benchmark_with_options_that_it_has(target):
    recipe = re.search(rf"^{target}:.*\n\t(.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    script, *words = recipe[1].replace("$(BIN)/python ", "").split()
    said = subprocess.run(
        [sys.executable, ROOT / script, "--help"], capture_output=True, text=True, timeout=120, check=True
    )
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", said.stdout))
