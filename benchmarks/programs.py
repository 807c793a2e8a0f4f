"""Other programs that a benchmark runs: to their end, for what they print, or for as long as it needs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgent.errors import EdgentError

PATIENCE = 120.0  # seconds
_ENDING = 10.0  # seconds


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


@contextmanager
def running(line: Sequence[object], **settings: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program that does not outlive the block, whatever ends that.

    Args:
        line: The program and its arguments.
        settings: Of `subprocess.Popen`.
    """
    with subprocess.Popen([str(word) for word in line], **settings) as process:
        try:
            yield process
        finally:
            process.terminate()  # no effect on one that has ended
            try:
                process.wait(_ENDING)  # it may have started others, and ends them
            except subprocess.TimeoutExpired:
                process.kill()
