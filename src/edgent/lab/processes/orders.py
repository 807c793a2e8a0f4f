"""A child process's end of its pipes: orders on stdin, a JSON document a line, each answered on stdout when done."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from edgent.errors import EdgentError

_READ = 65536
_STDIN = 0  # a child process's end of the pipe that its owner writes to

Does = Mapping[str, Callable[..., Mapping[str, object] | None]]
"""Who does an order, by its name: called with the order's arguments; the result is the answer."""


class Orders:
    """Cuts what has come into orders, and calls the one that does each.

    Args:
        does: By the order's name. An `EdgentError` is answered, and the owner raises it.
        file: Where orders come from, as the system's number.
    """

    def __init__(self, does: Does, file: int = _STDIN) -> None:
        self._does = does
        self._received = b""
        self.file = file
        self.ended = False

    def obey(self, _mask: int = 0) -> None:
        """Does what has come; waits for something if nothing has. `ended` is set where the owner wants no more."""
        received = os.read(self.file, _READ)
        self.ended = not received
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            order: dict[str, Any] = json.loads(line)
            answer(self._done(order.pop("do"), order))

    def obey_all(self) -> None:
        """Does all orders until there are no more."""
        while not self.ended:
            self.obey()

    def _done(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, object]:
        try:
            return self._does[what](**arguments) or {}
        except EdgentError as error:
            return {"failed": str(error)}


def answer(document: Mapping[str, object]) -> None:
    """Tells the owner, if there is one."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()
