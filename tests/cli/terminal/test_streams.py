"""Streams that are closed, full or gone. Real processes: which file has the number of a stream is theirs alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgent.cli.terminal.streams import _Forgiving

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
GOOD, BAD = ("inspect", "b-alexnet", "--json"), ("inspect", "nonesuch")


def run(*arguments: str, shell: str) -> subprocess.CompletedProcess[str]:
    """A command with its streams as a shell turns them."""
    command = [sys.executable, "-m", "edgent", *arguments]
    turned = ["sh", "-c", f'"$@" {shell}', "sh", *command]
    return subprocess.run(turned, check=False, capture_output=True, text=True, timeout=120)


@needs_full
@pytest.mark.parametrize("arguments", [GOOD, ("inspect", "b-alexnet"), ("--help",)])
def test_an_answer_that_finds_no_room_is_a_failure_in_one_line(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, shell=">/dev/full")
    assert ended.returncode == 1
    assert ended.stderr.startswith("edgent: the output: ") and len(ended.stderr.splitlines()) == 1


def test_an_answer_that_nobody_can_hear_is_a_failure_in_one_line() -> None:
    ended = run(*GOOD, shell=">&-")
    assert ended.returncode == 1 and len(ended.stderr.splitlines()) == 1


@needs_full
@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_complaint_that_nobody_can_hear_leaves_the_exit_code(shell: str) -> None:
    assert run(*BAD, shell=shell).returncode == 2


def test_a_reader_that_has_seen_enough_hears_of_no_traceback() -> None:
    ended = run(*GOOD, shell="| true")
    assert ended.stderr == ""


def test_an_encoding_without_the_characters_spells_them() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "edgent", "plan", "b-alexnet", "--deadline", "5 parsecs \u00b5"]
    command += ["--device", "x", "--edge", "x", "--bandwidth", "5Mbps"]
    ended = subprocess.run(command, check=False, capture_output=True, env=environment, timeout=120)
    assert ended.returncode == 2 and rb"\xb5s" in ended.stderr


def test_the_engine_says_nothing_of_its_own_where_there_is_no_cache() -> None:
    command = [sys.executable, "-c", "import edgent.engine.onnxruntime"]
    environment = {**os.environ, "XDG_CACHE_HOME": os.devnull}
    assert subprocess.run(command, check=True, capture_output=True, env=environment, timeout=120).stderr == b""


@needs_full
def test_standard_error_forgives_every_write() -> None:
    with FULL.open("wb", buffering=0) as full:
        stream = _Forgiving(full, "utf-8", write_through=True)
        assert stream.write("text\n") == 5
        stream.flush()
        stream.detach()
