"""Other programs: what they print, or one line that says how they failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgent.errors import EdgentError
from programs import output


def test_what_a_program_prints_is_returned_and_it_runs_where_and_as_it_was_said(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['SEEN'], sys.argv[1:])"
    printed = output(sys.executable, "-c", code, 5, Path("x"), folder=tmp_path, environment={"SEEN": "yes"})
    assert printed.split(maxsplit=2) == [str(tmp_path), "yes", "['5', 'x']\n"]


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("import sys; sys.exit('first\\nlast')", "last"),
        ("raise ValueError('no such thing')", "ValueError: no such thing"),
        ("import sys; print('said'); sys.exit(3)", "said"),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
def test_a_program_that_fails_is_one_line_with_its_last_words(code: str, last: str) -> None:
    with pytest.raises(EdgentError) as caught:
        output(sys.executable, "-c", code)
    assert str(caught.value).endswith(f": {last}") and "\n" not in str(caught.value)


def test_a_program_that_is_not_there_or_takes_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EdgentError, match="absent could not be started: No such file"):
        output(tmp_path / "absent")
    with pytest.raises(EdgentError, match=r"took longer than 0\.2 s"):
        output(sys.executable, "-c", "import time; time.sleep(60)", patience=0.2)
