"""Environments that benchmarks make for what only they need; kept beside the repository's own, made once."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from edgent.errors import EdgentError
from programs import output

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 600.0  # seconds; PyTorch is large
_PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check")


def folder(name: str, *requirements: str) -> Path:
    """Packages in a folder of their own, for `sys.path` of this very interpreter.

    Raises:
        EdgentError: they cannot be installed.
    """
    path = _ROOT / f".venv-{name}"
    if not path.is_dir():
        _make(path, [sys.executable, *_PIP, "--no-deps", "--target", str(path), *requirements])
    return path


def python(name: str, *requirements: str, alone: tuple[str, ...] = ()) -> Path:
    """The interpreter of a virtual environment with these packages; those `alone` come without what they ask for.

    Raises:
        EdgentError: they cannot be installed.
    """
    path = _ROOT / f".venv-{name}"
    interpreter = path / "bin" / "python"
    if not path.is_dir():
        installed = [str(interpreter), *_PIP]
        more = [[*installed, "--no-deps", *alone]] if alone else []
        _make(path, [sys.executable, "-m", "venv", str(path)], [*installed, *requirements], *more)
    return interpreter


def _make(path: Path, *commands: list[str]) -> None:
    """Runs what makes a folder; where that does not come to its end, be it interrupted, nothing is left of it."""
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, path, ignore_errors=True)
        for command in commands:
            try:
                output(*command, patience=_PATIENCE)
            except EdgentError as error:
                raise EdgentError(f"{path.name} cannot be installed: {error}") from None
        undo.pop_all()
