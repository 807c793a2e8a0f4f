"""What commands show of themselves, as their entry point runs them: in this process, for a new one takes a second."""

from __future__ import annotations

import contextlib
import functools
import io
import sys

import pytest

from edgent.cli import main


@functools.cache
def help_of(*words: str, option: str = "--help") -> str:
    """Empty if there is no such command."""
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        patch.setattr(sys, "argv", ["edgent", *words, option])
        try:
            main()
        except SystemExit as end:
            return "" if end.code else shown.getvalue()
    return shown.getvalue()
