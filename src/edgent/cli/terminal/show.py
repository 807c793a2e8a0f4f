"""How commands print: one JSON document, or tables of at most 100 columns; progress on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
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
from rich.text import Text

from edgent.errors import InputError
from edgent.files import is_file, is_folder, is_there
from edgent.text import harmless, one_line

WIDTH = 100
_LONGEST_NAME = 255  # bytes, where files are kept


class _Plain(Console):
    """Prints text as it is: no markup, no emoji codes, and no control characters."""

    def __init__(self, *, width: int | None = None, stderr: bool = False) -> None:
        super().__init__(width=width, stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """See rich: every string that is printed, alone or in a table, comes by here."""
        return super().render_str(harmless(text), **options)


out = _Plain(width=None if sys.stdout and sys.stdout.isatty() else WIDTH)
err = _Plain(stderr=True)


def document(content: Any) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(_nulls(content), indent=2) + "\n")
    sys.stdout.flush()


def table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        grid.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return grid


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; yields what to call with the work done and the whole."""
    words = TextColumn("{task.description}", markup=False)
    columns = (words, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(one_line(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def live_progress() -> Iterator[Callable[[str, int, int], None]]:
    """The same for work of several kinds; yields what to call with the present one, the work done and the whole."""
    columns = (
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda what, done, whole: shown.update(task, description=one_line(what), completed=done, total=whole)


def percent(value: float | None) -> str:
    """A fraction as a percentage; a dash where it is unknown."""
    return "-" if value is None or math.isnan(value) else f"{value * 100:.1f} %"


def warn(*lines: str) -> None:
    """What seems wrong, but may be as it is."""
    for line in lines:
        complain(f"warning: {line}")


def complain(message: str) -> None:
    """A line on stderr."""
    err.print(f"edgent: {one_line(' '.join(message.split()))}", soft_wrap=True)


def check_output(path: Path | None, *, appended: bool = False, reads: Iterable[str | Path | None] = ()) -> None:
    """Refuses an output file before the work is done for it.

    Args:
        path: the file; None: there is none.
        reads: models and files that the command reads, by their names; a bundle's files stand apart by "+".
        appended: to what is there; otherwise a new file is put in its place, which takes a folder to write to.

    Raises:
        InputError: its folder does not exist or is not to be written to, it is no file, or one that is read.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if not is_folder(folder):
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if is_folder(path):
        raise InputError(f"{path}: is a folder; name a file in it")
    if not appended and is_there(path) and not is_file(path):
        raise InputError(f"{path}: is there and no file; name another")
    if appended and os.access(path, os.F_OK):
        if not os.access(path, os.W_OK):
            raise InputError(f"{path}: is not yours to write to; name another")
    elif not os.access(folder, os.W_OK):
        raise InputError(f"{path}: the folder {path.parent} is not yours to write to; name another")
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise InputError(f"{path.name[:40]}...: is too long a name; name another")
    read = [Path(name) for names in reads if names for name in (str(names), *str(names).split("+"))]
    if is_file(path) and any(is_file(name) and path.samefile(name) for name in read):
        raise InputError(f"{path}: is what this command reads, and would be lost; name another")


def _nulls(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {key: _nulls(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_nulls(value) for value in content]
    return content
