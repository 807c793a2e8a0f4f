"""Environments that benchmarks make for what only they need; kept beside the repository's own, made once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from edgent.errors import EdgentError

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 600.0  # seconds; PyTorch is large


def folder(name: str, *requirements: str) -> Path:
    """Packages in a folder of their own, for `sys.path` of this very interpreter.

    Raises:
        EdgentError: they cannot be installed.
    """
    path = _ROOT / f".venv-{name}"
    if not path.is_dir():
        _install(path, [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(path), *requirements])
    return path


def python(name: str, *requirements: str, alone: tuple[str, ...] = ()) -> Path:
    """The interpreter of a virtual environment with these packages; those `alone` come without what they ask for.

    Raises:
        EdgentError: they cannot be installed.
    """
    path = _ROOT / f".venv-{name}"
    interpreter = path / "bin" / "python"
    if not path.is_dir():
        venv.create(path, with_pip=True)
        _install(path, [str(interpreter), "-m", "pip", "install", *requirements])
        if alone:
            _install(path, [str(interpreter), "-m", "pip", "install", "--no-deps", *alone])
    return interpreter


def _install(path: Path, command: list[str]) -> None:
    quiet = [*command[:4], "-q", "--disable-pip-version-check", *command[4:]]
    try:
        done = subprocess.run(quiet, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired:
        problem = [f"not done within {_PATIENCE:g} s"]
    if problem:
        shutil.rmtree(path, ignore_errors=True)
        raise EdgentError(f"{path.name} cannot be installed: {problem[0]}")
