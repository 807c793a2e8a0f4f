from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from edgent.errors import EdgentError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_what_cannot_be_installed_is_one_line_and_leaves_nothing(tmp_path):
    spec = importlib.util.spec_from_file_location("environments", FOLDER / "environments.py")
    environments = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(environments)
    environments._ROOT = tmp_path
    with pytest.raises(EdgentError, match=r"^\.venv-none cannot be installed: .+") as caught:
        environments.folder("none", str(tmp_path / "none.whl"))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
