"""All benchmarks begin and end alike: an error is one line, and the exit code says whose fault it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import command
from edgent.errors import EdgeError, EdgentError, InputError, MissingExtraError, ModelError

FOLDER = Path(command.__file__).parent
# They run in an environment without Edgent; or with an engine that starts their own copies.
OWN_ENDS = {
    "aarch64_device.py",
    "auditors_h2.py",
    "auditors_triton.py",
    "fastestdet_decode.py",
    "model_builders.py",
    "load_client.py",
    "load_litserve.py",
    "mutants.py",
    "recovery_ends.py",
    "peers_axonmesh.py",
    "peers_litserve.py",
    "peers_litserve_detector.py",
}


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_benchmark_ends_with_what_its_main_returns(code, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        command.run(lambda: code)
    assert ended.value.code == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no such trace"), 2),
        (ModelError("two\nlines"), 2),
        (EdgeError("gone"), 1),
        (EdgentError("escape \x1b[31m"), 1),
        (MissingExtraError("plots", "lab"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_error_is_one_line_on_stderr_and_a_code(error, code, capsys) -> None:
    def main() -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        command.run(main)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (code, "")
    assert len(err.splitlines()) == 1 and err.strip() and "\x1b" not in err


@pytest.mark.parametrize(
    ("text", "refused"), [("3", False), ("30", False), ("2", True), ("-1", True), ("3.5", True), ("x", True)]
)
def test_an_option_takes_whole_numbers_from_its_least_on(text, refused, capsys) -> None:
    parser = command.options("A benchmark.")
    parser.add_argument("--rounds", type=command.at_least(3), default=5)
    assert parser.parse_args([]).rounds == 5
    if not refused:
        assert parser.parse_args(["--rounds", text]).rounds == int(text)
        return
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--rounds", text])
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and "--rounds" in said and text in said


def test_what_is_our_own_mistake_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        command.run(lambda: 1 // 0)


def test_each_benchmark_ends_by_it() -> None:
    scripts = {file.name: file.read_text() for file in FOLDER.glob("*.py")}
    others = {name for name, text in scripts.items() if "\nif __name__" in text and "command.run(main)" not in text}
    assert len(scripts) > 25 and others <= OWN_ENDS


def test_the_options_show_the_whole_documentation() -> None:
    parser = command.options("What it is.\n\n    python benchmarks/x.py --json")
    assert parser.parse_args(["--json"]).json and not parser.parse_args([]).json
    assert "    python benchmarks/x.py --json" in parser.format_help()


def test_figures_are_one_json_document_where_that_is_asked_for_and_text_otherwise(capsys) -> None:
    for arguments, printed in ((["--json"], '{"ms": 1.5}\n'), ([], "1.5 ms\n")):
        command.show(command.options("").parse_args(arguments), {"ms": 1.5}, lambda: sys.stdout.write("1.5 ms\n"))
        assert capsys.readouterr().out == printed


def test_each_benchmark_shows_its_figures_by_it() -> None:
    texts = {file.name: file.read_text() for file in FOLDER.glob("*.py")}
    others = OWN_ENDS | {"command.py", "loading.py"}  # in loading.py stands a program that prints
    assert {name for name, text in texts.items() if "    print(json.dumps" in text} <= others
    assert {name for name, text in texts.items() if "ArgumentParser(" in text} <= OWN_ENDS | {"command.py"}


def test_each_other_program_is_run_by_one_function() -> None:
    texts = {file.name: file.read_text() for file in FOLDER.glob("*.py")}
    # What git says may be nothing; a server stays, or is sent signals; an auditor fails where it finds something;
    # a demo that is left on shows what its device says; viewers of a page look until they are ended.
    own = {"auditors.py", "dashboard.py", "live.py", "mutants.py", "litserve_peer.py", "programs.py", "provenance.py"}
    own |= {"stops.py", "whole_run.py"}
    assert {name for name, text in texts.items() if "subprocess." in text} <= own
