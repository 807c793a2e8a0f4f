"""Other programs that a benchmark runs to their end: what they print, or an error of one line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from edgent.errors import EdgentError

PATIENCE = 120.0  # seconds


def output(
    *words: object, folder: Path | None = None, environment: Mapping[str, str] | None = None, patience: float = PATIENCE
) -> str:
    """What a program prints on stdout.

    Args:
        words: The program and its arguments.
        folder: Where it runs; by default here.
        environment: What its environment has beside or instead of ours.
        patience: Seconds until it is ended.

    Raises:
        EdgentError: It could not be started, took longer, or failed: with the last line that it said.
    """
    line, variables = [str(word) for word in words], os.environ | (environment or {})
    try:
        ended = subprocess.run(
            line, cwd=folder, env=variables, capture_output=True, text=True, timeout=patience, check=False
        )
    except OSError as error:
        raise EdgentError(f"{line[0]} could not be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise EdgentError(f"{Path(line[0]).name} took longer than {patience:g} s") from None
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or f"exit code {ended.returncode}").splitlines()
        raise EdgentError(f"{Path(line[0]).name}: {said[-1].strip()}")
    return ended.stdout
