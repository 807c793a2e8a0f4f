"""Standard streams that are closed, full or gone: none of them costs a traceback, and stderr costs nothing at all."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import Any, TextIO


def prepare() -> None:
    """Makes the standard streams of this process safe to write to; call it before anything else opens a file.

    A closed one is opened, or else the next file would take its number, and be written to by whoever means the stream:
    for standard output so that every write fails, as the answer is lost; for standard error so that all vanish.
    """
    _open_closed()
    sys.stdout = _text(sys.stdout, sys.__stdout__, 1, io.TextIOWrapper)
    sys.stderr = _text(sys.stderr, sys.__stderr__, 2, _Forgiving)
    if logging.lastResort is not None:  # what the device says beside its answers looks as the command's own warnings do
        logging.lastResort.setFormatter(logging.Formatter("edgent: warning: %(message)s"))


def abandon_output() -> None:
    """Lets nothing more go to standard output: what is left in its buffer would fail again when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


class _Forgiving(io.TextIOWrapper):
    """Standard error that nobody can hear is no failure: the exit code still says what happened."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


def _open_closed() -> None:
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free: this one


def _text(present: TextIO | None, original: TextIO | None, number: int, kind: type[io.TextIOWrapper]) -> TextIO:
    """A stream that writes every character somehow; one that somebody has put in place is left."""
    if present is not None and present is not original:
        return present
    encoding = getattr(original, "encoding", None) or "utf-8"
    raw = io.FileIO(number, "wb", closefd=False)
    binary: Any = raw if kind is _Forgiving else io.BufferedWriter(raw)  # what is left in a buffer fails once more
    return kind(binary, encoding, "backslashreplace", line_buffering=_is_terminal(number), write_through=binary is raw)


def _is_terminal(number: int) -> bool:
    with contextlib.suppress(OSError):
        return os.isatty(number)
    return False
