"""How commands print: one JSON document, or tables of at most 100 columns; progress on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from edgent.errors import InputError

WIDTH = 100

out = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
err = Console(stderr=True, highlight=False)


def document(content: Any) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(_nulls(content), indent=2) + "\n")
    sys.stdout.flush()


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return made


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; yields what to call with the work done and the whole."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def live_progress() -> Iterator[Callable[[str, int, int], None]]:
    """The same for work of several kinds; yields what to call with the present one, the work done and the whole."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda what, done, whole: shown.update(task, description=what, completed=done, total=whole)


def percent(value: float | None) -> str:
    """A fraction as a percentage; a dash where it is unknown."""
    return "-" if value is None or math.isnan(value) else f"{value * 100:.1f} %"


def warn(*lines: str) -> None:
    """What seems wrong, but may be as it is."""
    for line in lines:
        err.print(f"edgent: warning: {line}", soft_wrap=True)


def check_output(path: Path | None) -> None:
    """Refuses an output file before the work is done for it.

    Raises:
        InputError: its folder does not exist or is not to be written to, or it is a folder itself.
    """
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if not os.access(path.absolute().parent, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} is not yours to write to; name another")


def _nulls(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {key: _nulls(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_nulls(value) for value in content]
    return content
