"""A Python process of ours, and its owner's end of its pipes: a JSON document for each order and for each answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from types import TracebackType
from typing import IO, Any, Self

from edgent.errors import EdgentError

PATIENCE = 120.0  # seconds for an answer, on a busy host
_END = 5.0  # seconds in which it ends by itself
_READ = 65536
_LAST_WORDS = 4096  # bytes of its stderr that an error looks at


class ChildProcess:
    """`python ARGUMENTS ...`, which says one document when it is ready, and one for each order; a context manager.

    Several threads may give orders.

    Args:
        arguments: Of Python; the first of them that is no option is what errors call it.
        prefix: What its command line begins with, such as `TunLink.near`.
        pass_fds: Open files that it inherits.

    Attributes:
        ready: What it said when it was ready.
    """

    def __init__(self, *arguments: str, prefix: Sequence[str] = (), pass_fds: Sequence[int] = ()) -> None:
        self.name = next((word for word in arguments if not word.startswith("-")), "python")
        self._command = [*prefix, sys.executable, *arguments]
        self._pass_fds = tuple(pass_fds)
        self._lock = threading.Lock()
        self._received = b""
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Starts it, and waits until it is ready.

        Raises:
            EdgentError: It ended instead, or says what failed.
        """
        self._errors = tempfile.TemporaryFile()
        # A session of its own: Ctrl-C is the owner's business, and the owner's end is noticed anyway.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=self._pass_fds,
            start_new_session=True,
        )
        try:
            self.ready = self.answer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its number.

        Raises:
            EdgentError: It is not running.
        """
        return self._running().pid

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself, or by somebody else."""
        return self._running().poll() is not None

    def ask(self, what: str, *, within: float = PATIENCE, **arguments: object) -> dict[str, Any]:
        """Gives an order, and waits until it is done.

        Args:
            what: The order's name.
            within: Seconds for its answer.
            arguments: Of the order, as JSON has them.

        Raises:
            EdgentError: It failed, or the process is gone or does not answer.
        """
        with self._lock:
            self.order(what, **arguments)
            return self.answer(within)

    def order(self, what: str, **arguments: object) -> None:
        """Gives an order without waiting; its answer is to be fetched before the next order.

        Raises:
            EdgentError: The process is gone.
        """
        stdin = _stdin(self._running())
        try:
            stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def answer(self, within: float = PATIENCE) -> dict[str, Any]:
        """Waits for the answer to an order; see `ask`."""
        stdout, until = _stdout(self._running()), time.monotonic() + within
        while (document := self._whole_document()) is None:
            if not wait([stdout.fileno()], max(0.0, until - time.monotonic())):
                raise EdgentError(f"{self.name} did not answer within {within:g} s")
            received = os.read(stdout.fileno(), _READ)
            if not received:
                raise self._gone()
            self._received += received
        if "failed" in document:
            raise EdgentError(f"{self.name}: {document['failed']}")
        return document

    def stop(self) -> None:
        """Ends the process; may be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        self._end(process)
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (_stdin(process), _stdout(process), self._errors):
            stream.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(BrokenPipeError):  # it has ended, and left an order unread
            _stdin(process).close()

    def _whole_document(self) -> dict[str, Any] | None:
        """What was received, if that is a document by now; it may have several lines."""
        if not self._received.endswith(b"\n"):
            return None
        try:
            document: dict[str, Any] = json.loads(self._received)
        except ValueError:
            return None
        self._received = b""
        return document

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EdgentError(f"{self.name} is not running: start it first")
        return self._process

    def _gone(self) -> EdgentError:
        """What its last line on stderr says of its end."""
        self._running().wait(_END)
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS))
        words = self._errors.read().decode(errors="replace").strip().splitlines() or ["no word"]
        return EdgentError(f"{self.name} ended unexpectedly: {words[-1]}")


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout
