"""Which tests need real time: those that `tests/README.md` lists. What any other does with it is noted here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
_ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)
_EVENTS = {
    "time.sleep": "slept",
    "subprocess.Popen": "started a process",
    "socket.bind": "listened on a socket",
    "socket.connect": "connected a socket",
}

noted: list[str] = []
"""What was done that takes real time, since this was last cleared."""


def listed() -> dict[str, str]:
    """The rows of the table: a file, or FILE::TEST, and the reason."""
    return dict(_ROW.findall((HERE / "README.md").read_text()))


def reason(node: str, rows: dict[str, str]) -> str | None:
    """Why this test, by its pytest id under `tests/`, needs real time; None: it does not."""
    test = node.partition("[")[0]
    return rows.get(test) or rows.get(test.partition("::")[0])


def _note(event: str, _arguments: tuple[object, ...]) -> None:
    if event in _EVENTS:
        noted.append(_EVENTS[event])


def watch() -> None:
    """From now on; there is no end to it."""
    sys.addaudithook(_note)
