"""Commands on hostile files: one line, an exit code, and memory that is limited while a model is opened and run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgent import cli
from edgent.cli.terminal.memory import LEAST, limited_memory
from hostile import corpus

_HOSTILE = {case.name: case for case in corpus()}


def _limit() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_memory_is_limited_inside_and_not_after() -> None:
    before = _limit()
    with limited_memory():
        inside = _limit()
    assert inside >= LEAST and inside != resource.RLIM_INFINITY
    assert _limit() == before


def test_memory_is_not_limited_after_a_failure() -> None:
    before = _limit()
    with pytest.raises(ZeroDivisionError), limited_memory():
        raise ZeroDivisionError
    assert _limit() == before


def test_a_lower_limit_of_the_users_own_stands() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    own = 6 << 30
    resource.setrlimit(resource.RLIMIT_DATA, (own, hard))
    try:
        with limited_memory():
            assert _limit() == own
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def test_what_has_a_budget_of_its_own_takes_no_more_and_never_more_than_a_command() -> None:
    with limited_memory():
        command = _limit()
        with limited_memory(1 << 30):
            assert _limit() == 1 << 30
        assert _limit() == command
        with limited_memory(1 << 60):
            assert _limit() == command


def test_a_command_that_gets_no_memory_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy() -> None:
        _asks_for_everything()

    monkeypatch.setattr(cli, "app", greedy)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("edgent: there is no more memory")


@limited_memory()
def _asks_for_everything() -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return np.empty(max(LEAST, machine // 2) + 1, np.uint8).size


def test_asking_for_more_fails() -> None:
    with pytest.raises(MemoryError):
        _asks_for_everything()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("megabyte-dimension", ["inspect"]),
        ("escape-operator", ["inspect"]),
        ("expand-data", ["inspect", "--verify", "2"]),
        ("activation-input-of-terabytes", ["serve", "--port", "0"]),
        ("git-lfs-pointer", ["serve", "--port", "0"]),
        ("function-calls-itself", ["run", "--deadline", "1s"]),
    ],
)
def test_a_command_ends_in_one_line_that_a_terminal_can_show(tmp_path: Path, name: str, arguments: list[str]) -> None:
    file = _HOSTILE[name].write(tmp_path)
    np.save(tmp_path / "ones.npy", np.ones((1, 8), np.float32))
    inputs = [str(tmp_path / "ones.npy")] if arguments[0] == "run" else []
    command = [sys.executable, "-m", "edgent", arguments[0], str(file), *inputs, *arguments[1:]]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1 and len(ended.stderr) < 1200 and ended.stderr.rstrip("\n").isprintable()


def test_a_budget_that_is_none_is_told_before_a_model_is_opened_and_timed(edgent) -> None:
    ended = edgent("serve", "no-such-model", "--memory", "much")
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.complaints) == 1 and "--memory" in ended.err
