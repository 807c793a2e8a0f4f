"""Other programs: what they print, or one line that says how they failed; and that none outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import programs
from edgent.errors import EdgentError
from programs import output, running

STAYS = "import time; print('here', flush=True); time.sleep(600)"
BENCHMARK = f"""
import sys
import command
from programs import running

def main():
    with running([sys.executable, "-c", {STAYS!r}]) as child:
        print(child.pid, flush=True)
        child.wait()

command.run(main)
"""


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


@pytest.mark.parametrize("error", [KeyError("a row"), KeyboardInterrupt()])
def test_a_program_that_stays_ends_with_the_block_whatever_ends_that(error: BaseException) -> None:
    with pytest.raises(type(error)), running([sys.executable, "-c", STAYS]) as process:
        raise error
    assert process.returncode == -signal.SIGTERM


def test_one_that_does_not_end_when_it_is_told_to_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_ENDING", 0.1)
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {STAYS}"
    with running([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"here\n"
    assert process.returncode == -signal.SIGKILL


def test_a_benchmark_that_is_told_to_end_ends_what_it_has_started() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(Path(programs.__file__).parent), *sys.path))}
    with running([sys.executable, "-c", BENCHMARK], stdout=subprocess.PIPE, env=environment) as benchmark:
        started = int(benchmark.stdout.readline())
        benchmark.terminate()
        assert benchmark.wait(60.0) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)
