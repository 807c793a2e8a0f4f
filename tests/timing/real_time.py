"""Which tests need real time: those that `tests/README.md` lists. What any other does with it is noted here."""

from __future__ import annotations

import functools
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
PATIENCE = 60.0  # seconds: only ever waited for when something is broken
_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)
_EVENTS = {
    "subprocess.Popen": "started a process",
    "socket.bind": "listened on a socket",
    "socket.connect": "connected a socket",
}

noted: list[str] = []
"""What was done that takes real time, since a test began."""

_others: set[threading.Thread] = set()


def begin() -> None:
    """A test begins. What threads do that run already is no doing of its own, but of one before in this process."""
    noted.clear()
    _others.clear()
    _others.update(set(threading.enumerate()) - {threading.current_thread()})


def _note(what: str) -> None:
    if threading.current_thread() not in _others:
        noted.append(what)


def listed() -> dict[str, str]:
    """The rows of the table: a file, or FILE::TEST, and the reason."""
    return dict(_ROW.findall((HERE / "README.md").read_text()))


def reason(node: str, rows: dict[str, str]) -> str | None:
    """Why this test, FILE::TEST under `tests/`, needs real time; None: it does not."""
    test = node.partition("[")[0]
    return rows.get(test) or rows.get(test.partition("::")[0])


def noting(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, each call of which is noted."""

    @functools.wraps(function)
    def noted_call(*arguments: Any) -> Any:
        _note(what)
        return function(*arguments)

    return noted_call


def watch() -> None:
    """Notes processes and sockets from now on; there is no end to it."""

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        # matplotlib asks the system for its fonts, once a process: whichever test draws first, it is not that one's.
        if event in _EVENTS and arguments[0] != "fc-list":
            _note(_EVENTS[event])

    sys.addaudithook(note)


def until(condition: Callable[[], Any]) -> bool:
    """For a listed test: waits in real time until something has happened; whether it has."""
    give_up_at = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < give_up_at:
        time.sleep(0.005)
    return bool(found)
