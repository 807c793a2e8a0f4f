"""`--sink`: read once each, from a file and the environment too; what cannot be opened is left out in a line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from edgent.cli.arguments.sinks import ENVIRONMENT, Sinks, check_sinks, open_sinks, read_sinks
from edgent.cli.terminal import show
from edgent.errors import InputError, MissingExtraError
from sinks.telling import event


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "edgent" / "sinks"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(show, "complain", lines.append)
    return lines


def lines_in(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_events_that_are_told_while_sinks_are_open_are_there_afterwards(tmp_path: Path) -> None:
    with open_sinks([f"jsonl:{tmp_path}/a", f"jsonl:{tmp_path}/b"]) as listener:
        for number in range(3):
            listener.tell(event(number))
    assert lines_in(tmp_path / "a") == lines_in(tmp_path / "b") == [0, 1, 2]


@pytest.mark.parametrize("texts", [None, []])
def test_no_sink_needs_no_folder_and_takes_events(texts, state: Path) -> None:
    with open_sinks(texts) as listener:
        listener.tell(event(0))
        assert not listener.with_pictures
    assert not state.exists()


def test_what_could_not_be_delivered_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "later" / "events"
    with open_sinks([f"jsonl:{file}"]) as listener:
        listener.tell(event(0))
    file.parent.mkdir()
    with open_sinks([f"jsonl:{file}"]) as listener:
        listener.tell(event(1))
    assert lines_in(file) == [0, 1]


def test_a_sink_that_is_named_twice_is_one_and_that_is_said(tmp_path: Path, said: list[str]) -> None:
    with open_sinks([f"jsonl:{tmp_path}/a", f"jsonl:{tmp_path}/./a"]) as listener:
        listener.tell(event(0))
    assert lines_in(tmp_path / "a") == [0]
    (line,) = said
    assert "named twice" in line


def test_a_sink_of_another_process_is_left_out_and_the_rest_goes_on(tmp_path: Path, said: list[str]) -> None:
    shared, own = f"jsonl:{tmp_path}/a", f"jsonl:{tmp_path}/b"
    with open_sinks([shared]), open_sinks([shared, own]) as listener:
        listener.tell(event(0))
    assert lines_in(tmp_path / "b") == [0] and not (tmp_path / "a").exists()
    (line,) = said
    assert "left out" in line and "another process" in line


def test_a_file_has_a_sink_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "sinks").write_text(f"# mine\n\n  jsonl:{tmp_path}/a \nmqtt://ann:pw@b/t\n")
    names = [address.name for address in read_sinks([f"@{tmp_path}/sinks", "folder:/x"])]
    assert names == [f"jsonl:{tmp_path}/a", "mqtt://b:1883/t", "folder:/x"]


def test_a_file_of_sinks_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a sink on each line"):
        read_sinks([f"@{tmp_path}/none"])


def test_a_wrong_sink_is_bad_input_before_anything_is_opened(state: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no sink"), open_sinks([f"jsonl:{tmp_path}/a", "nonsense"]):
        pytest.fail("a typing error is no trouble that passes")
    assert not state.exists()


@pytest.mark.parametrize("form", ["jsonl:{}/file/x", "folder:{}/file", "folder:{}/file/x/y", "jsonl:{}/folder"])
def test_where_nothing_can_ever_be_written_is_bad_input_at_the_start(form: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "sinks").write_text(form.format(tmp_path))
    for text in (form.format(tmp_path), f"@{tmp_path}/sinks"):
        with pytest.raises(InputError, match=r"--sink \w+:.*: found a (file|folder), expected a (folder|file)"):
            check_sinks([text])


@pytest.mark.parametrize("form", ["jsonl:{}/file", "jsonl:{}/closed/x", "folder:{}/closed", "folder:{}/closed/x/y"])
def test_a_place_of_somebody_else_is_bad_input_at_the_start(form: str, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # as root all may be written
    with pytest.raises(InputError, match="found no right to write there"):
        check_sinks([form.format(tmp_path)])


def test_what_may_come_back_is_waited_for(tmp_path: Path, said: list[str]) -> None:
    check_sinks([f"folder:{tmp_path}/a/b", f"jsonl:{tmp_path}/new", "mqtt://127.0.0.1:1/t", "https://nohost.invalid/x"])
    assert not said and not list(tmp_path.iterdir())
    check_sinks([f"jsonl:{tmp_path}/later/x"])
    (line,) = said
    assert "events wait until somebody makes it" in line


def test_a_broker_without_its_library_is_said_at_once_and_not_tried_for_ever(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"edgent\[mqtt\]"), open_sinks(["mqtt://b/t"]):
        pytest.fail("nothing would ever be delivered")


def test_the_option_is_repeated_or_read_from_the_environment() -> None:
    app, read = typer.Typer(), []

    @app.command()
    def command(sink: Sinks = None) -> None:
        read.append(sink)

    runner = CliRunner()
    runner.invoke(app, ["--sink", "jsonl:a", "--sink", "jsonl:b"])
    runner.invoke(app, [], env={ENVIRONMENT: "jsonl:a mqtt://u:p@h/t"})
    runner.invoke(app, [])
    assert read[:2] == [["jsonl:a", "jsonl:b"], ["jsonl:a", "mqtt://u:p@h/t"]] and not read[2]
    assert "u:p" not in runner.invoke(app, ["--help"], env={ENVIRONMENT: "mqtt://u:p@h/t"}).output
