from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edgent.errors import EdgentError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def environments(tmp_path):
    spec = importlib.util.spec_from_file_location("environments", FOLDER / "environments.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    made._ROOT = tmp_path / "root"
    made._ROOT.mkdir()
    return made


def test_what_cannot_be_installed_is_one_line_and_leaves_nothing(environments, tmp_path):
    with pytest.raises(EdgentError, match=r"^\.venv-none cannot be installed: .+") as caught:
        environments.folder("none", str(tmp_path / "none.whl"))
    assert "\n" not in str(caught.value)
    assert not list(environments._ROOT.iterdir())


def test_an_interpreter_that_makes_no_environments_is_told_in_one_line(environments, tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho ensurepip is not available\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr(environments.sys, "executable", str(bare))
    with pytest.raises(EdgentError, match=r"cannot be installed: python: ensurepip is not available$"):
        environments.python("bare", "anything")


def test_an_interrupted_installation_leaves_nothing_that_is_taken_for_done(environments, monkeypatch):
    def interrupted(*command, **options):
        (environments._ROOT / ".venv-half").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(environments, "output", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environments.folder("half", "anything")
    assert not list(environments._ROOT.iterdir())
