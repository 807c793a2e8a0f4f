"""A process of ours and its owner: orders and answers, and the end of either."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import real_time
from edgent.errors import EdgentError
from edgent.lab.processes.child_process import ChildProcess
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.processes.worker import packed, unpacked

CHILD = """
import sys
import time
from pathlib import Path

from edgent.errors import EdgentError
from edgent.lab.processes.orders import Orders, answer

def fail(why):
    raise EdgentError(why)

def wait():
    while not Path(sys.argv[1]).exists():
        time.sleep(0.01)

def end(words):
    sys.exit(words)

does = {
    "double": lambda numbers: {"numbers": [2 * number for number in numbers]},
    "note": lambda: None,
    "fail": fail,
    "end": end,
    "wait": wait,
}
answer({"words": sys.argv[1:]})
Orders(does).obey_all()
Path(sys.argv[1]).write_text("ended by itself")
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "child.py").write_text(CHILD)
    return str(tmp_path / "child.py")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note"


@pytest.fixture
def child(script: str, note: Path) -> Iterator[ChildProcess]:
    with ChildProcess(script, str(note)) as process:
        yield process


def test_what_a_child_says_when_it_is_ready_is_kept(child: ChildProcess, note: Path) -> None:
    assert child.ready == {"words": [str(note)]}


def test_each_order_has_its_answer_also_where_both_are_longer_than_a_pipe_holds(child: ChildProcess) -> None:
    numbers = list(range(100_000))
    assert child.ask("double", numbers=numbers) == {"numbers": [2 * number for number in numbers]}
    assert child.ask("note") == {}
    assert child.ask("double", numbers=[3]) == {"numbers": [6]}


def test_an_order_can_be_given_now_and_its_answer_fetched_later(child: ChildProcess) -> None:
    child.order("double", numbers=[1])
    assert child.answer() == {"numbers": [2]}


def test_an_error_of_the_child_is_the_owners_and_the_child_goes_on(child: ChildProcess) -> None:
    with pytest.raises(EdgentError, match="no such link"):
        child.ask("fail", why="no such link")
    assert child.ask("note") == {}


def test_a_child_that_ends_is_not_waited_for_and_its_last_words_are_in_the_error(child: ChildProcess) -> None:
    with pytest.raises(EdgentError, match=r"child\.py ended unexpectedly: out of luck"):
        child.ask("end", words="one line\nout of luck")
    with pytest.raises(EdgentError, match="ended unexpectedly"):
        child.ask("note")


def test_a_child_has_a_number_and_is_seen_to_end(script: str, note: Path) -> None:
    child = ChildProcess(script, str(note))
    with pytest.raises(EdgentError, match="is not running"):
        _ = child.pid
    with child:
        assert not child.ended
        os.kill(child.pid, signal.SIGKILL)
        assert real_time.until(lambda: child.ended)


def test_a_child_that_does_not_answer_is_waited_for_as_long_as_was_said(child: ChildProcess, note: Path) -> None:
    child.order("wait")
    with pytest.raises(EdgentError, match=r"within 0\.05 s"):
        child.answer(within=0.05)
    note.touch()
    assert child.answer() == {}


def test_a_child_ends_by_itself_when_its_owner_stops_it(script: str, note: Path) -> None:
    child = ChildProcess(script, str(note))
    with child:
        child.ask("note")
    assert note.read_text() == "ended by itself"
    child.stop()
    with pytest.raises(EdgentError, match="not running: start it first"):
        child.ask("note")


def test_a_child_that_cannot_begin_says_why() -> None:
    with (
        pytest.raises(EdgentError, match=r"unexpectedly: .*no_such_module"),
        ChildProcess("-m", "no_such_module"),
    ):
        pass


def test_a_child_stands_behind_a_prefix_and_a_document_may_have_several_lines() -> None:
    code = "import json, os; print(json.dumps({'seen': os.environ['SEEN']}, indent=1), flush=True); input()"
    with ChildProcess("-c", code, prefix=["env", "SEEN=yes"]) as child:
        assert child.ready == {"seen": "yes"}


def test_a_server_is_terminated_though_it_reads_nothing() -> None:
    code = 'import time; print(\'{"address": "127.0.0.1:1"}\', flush=True); time.sleep(600)'
    with ServerProcess("-c", code) as server:
        assert server.address == "127.0.0.1:1"
        process = server._running()
    assert process.returncode == -signal.SIGTERM


def test_values_come_out_of_their_packing_as_they_went_in() -> None:
    value = (b"\x00\xff", {"rate": float("inf")}, sys.maxsize)
    assert unpacked(packed(value)) == value
