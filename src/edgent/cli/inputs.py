"""Files that a model is run on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgent.cli import serve
from edgent.model import Model


def input_files(paths: Sequence[Path]) -> list[Path]:
    """Every file that is named or lies in a folder that is."""
    return list(serve._files(list(paths)))


def read_input(file: Path, model: Model) -> Any:
    """A picture's bytes, or arrays."""
    return serve._read(file)
