from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import edgent
from edgent.cli.terminal import show
from edgent.errors import InputError

HOSTILE = "[bold]x[/] [/red] :smile: \x1b[31m\u202eabc\ud800"
SPELLED = r"[bold]x[/] [/red] :smile: \x1b[31m\u202eabc\ud800"


def test_text_is_printed_as_it_is_and_moves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show.out.print(HOSTILE, soft_wrap=True)
    table = show.table(HOSTILE, "a", HOSTILE)
    table.add_row(HOSTILE, "1")
    show.out.print(table)
    printed = capsys.readouterr().out
    assert printed.count(SPELLED) == 4 and "\x1b" not in printed and "\u202e" not in printed


def test_complaints_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show.complain(f"{HOSTILE}\nmore")
    show.warn("one\n two")
    assert capsys.readouterr().err == f"edgent: {SPELLED} more\nedgent: warning: one two\n"


def test_a_bar_may_have_any_words_and_shows_none_that_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with show.progress(HOSTILE) as progress:
        progress(1, 2)
    with show.live_progress() as live:
        live(HOSTILE, 1, 2)
    said = capsys.readouterr()
    assert HOSTILE not in said.err and not said.out


def test_documents_say_exactly_what_text_was(capsys: pytest.CaptureFixture[str]) -> None:
    show.document({"label": HOSTILE})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"label": HOSTILE} and printed.isascii()


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    others = Path("/dev/null"), tmp_path / "pipe"
    for path in (
        *others,
        tmp_path,
        tmp_path / "none" / "a",
        file / "a",
        tmp_path / ("n" * 300),
        tmp_path / ("n" * 300) / "a",
    ):
        with pytest.raises(InputError):
            show.check_output(path)
    show.check_output(file, reads=[tmp_path / "other", None, "b-alexnet"])
    show.check_output(None)


def test_an_output_that_is_read_would_be_lost_and_is_refused(tmp_path: Path) -> None:
    (model := tmp_path / "a.onnx").touch()
    (tmp_path / "link").symlink_to(model)
    for path, reads in ((model, model), (model, f"{model}+b.onnx"), (tmp_path / "link", str(model)), (model, "link")):
        with pytest.raises(InputError, match="is what this command reads"):
            show.check_output(path, reads=[reads if reads != "link" else tmp_path / "link"])


@pytest.mark.parametrize("name", ["loop", "n" * 5000, "a\0b", "none/a.onnx", "file/a.onnx", "b-alexnet+", "+"])
def test_a_name_that_stands_for_no_file_is_no_output_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    for file in ("file", "out"):
        (tmp_path / file).touch()
    show.check_output(Path("out"), reads=[name])


def test_what_is_appended_to_needs_its_own_permission_and_what_is_replaced_that_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mine := tmp_path / "mine").touch()
    (theirs := tmp_path / "theirs").touch()
    # The superuser may write anywhere, so what may be written is said here.
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).exists() and (mode == os.F_OK or Path(path) == mine)
    )
    show.check_output(mine, appended=True)
    for refused, appended in ((theirs, True), (tmp_path / "new", True), (mine, False), (tmp_path / "new", False)):
        with pytest.raises(InputError, match="not yours to write to; name another"):
            show.check_output(refused, appended=appended)


@pytest.mark.parametrize("path", sorted(Path(edgent.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_no_text_is_marked_up_for_the_console_prints_it_as_it_is(path: Path) -> None:
    assert not re.findall(r"\[/(?:bold|dim|italic|red|green|yellow)?\]", path.read_text())
