"""A link's process and its owner: orders as JSON lines over a socket pair, each answered when it is in force.

When the owner is gone, so is the process.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from edgent.errors import EdgentError

_ANSWER_WITHIN = 30.0  # seconds, on a host that is busy


class Controlled:
    """The owner's end: a module of ours running as a process of its own.

    Args:
        module: Run as `python -m MODULE FD ...`, its end of the pair being file FD.
        settings: Its first order.
        pass_fds: Further files that it inherits.
    """

    def __init__(self, module: str, settings: Mapping[str, object], *, pass_fds: Sequence[int] = ()) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(_ANSWER_WITHIN)
        self._module = module
        self._lock = threading.Lock()
        self._control: socket.socket | None = ours
        self._answers: TextIO = ours.makefile("r")
        with theirs:
            files = [theirs.fileno(), *pass_fds]
            command = [sys.executable, "-m", module, *map(str, files)]
            # A session of its own: Ctrl-C is the owner's business, and the owner's end is noticed anyway.
            self._process = subprocess.Popen(command, pass_fds=files, start_new_session=True)
        try:
            self.started = self._exchange(settings)
        except BaseException:
            self.stop()
            raise

    def order(self, what: str, **arguments: object) -> dict[str, Any]:
        """Gives an order and waits until it is in force.

        Raises:
            EdgentError: it failed, or the process is gone.
        """
        with self._lock:
            return self._exchange({"do": what, **arguments})

    def stop(self) -> None:
        """Ends the process; may be called twice."""
        if self._control is None:
            return
        with contextlib.suppress(EdgentError):
            self.order("stop")
        self._answers.close()
        self._control.close()  # which alone would stop it, too
        self._control = None
        self._process.wait(_ANSWER_WITHIN)

    def _exchange(self, document: Mapping[str, object]) -> dict[str, Any]:
        if self._control is None:
            raise EdgentError(f"{self._module} is not running: start it first")
        try:
            self._control.sendall(json.dumps(document).encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._answers.readline() or '{"failed": "it ended unexpectedly"}')
        except OSError as error:
            raise EdgentError(f"{self._module} does not answer: {error}") from error
        if "failed" in answer:
            raise EdgentError(f"{self._module}: {answer['failed']}")
        return answer


class Orders:
    """The process's end: cuts what has come into orders, and calls the one that does each.

    Args:
        control: Its end of the socket pair.
        does: By the order's name; each is called with the order's arguments, and its result is the answer.
    """

    def __init__(self, control: socket.socket, does: Mapping[str, Callable[..., Mapping[str, object] | None]]) -> None:
        self._control = control
        self._does = does
        self._received = b""
        self.ended = False

    def obey(self, _mask: int = 0) -> None:
        """Does what has come; `ended` is set at the order to stop, and where the owner is gone."""
        received = self._control.recv(65536)
        self.ended = not received
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            order: dict[str, Any] = json.loads(line)
            what = order.pop("do")
            self.ended |= what == "stop"
            self.answer((self._does[what](**order) if what in self._does else None) or {})

    def answer(self, document: Mapping[str, object]) -> None:
        """Answers the owner, if there is one."""
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps(document).encode() + b"\n")


def first_order(control: socket.socket) -> dict[str, Any]:
    """The settings with which the owner began; it sends nothing more before they are answered."""
    with control.makefile("r") as lines:
        settings: dict[str, Any] = json.loads(lines.readline())
    return settings
