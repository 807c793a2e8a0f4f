"""Servers of the laboratory, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from edgent.errors import EdgentError

_START = 60.0  # seconds, on a busy host


class ServerProcess:
    """A server in a process of its own, that prints one JSON document with its address; a context manager.

    Args:
        arguments: of Python.

    Raises:
        EdgentError: it did not start.
    """

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.address = ""

    @classmethod
    def edge(cls, model: str, profile: Path) -> Self:
        """`edgent serve`; with this machine's profile, so that it is not measured twice."""
        return cls("-m", "edgent", "serve", model, "--port", "0", "--json", "--profile", str(profile))

    @classmethod
    def rival(cls, model: str) -> Self:
        """The rival's bare loop."""
        return cls("-m", "edgent.lab.rival", "--model", model)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        impatience = threading.Timer(_START, self._process.kill)
        impatience.start()
        try:
            self.address = _document(self._process.stdout)["address"]
        except ValueError as error:
            self._process.kill()
            words = self._process.stderr.read().strip().splitlines() or ["no word"]
            self.__exit__(None, None, None)
            raise EdgentError(f"{' '.join(self._arguments[1:3])} did not start: {words[-1]}") from error
        finally:
            impatience.cancel()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def _document(stream: IO[str]) -> Any:
    """The one JSON document that a command prints, perhaps over several lines.

    Raises:
        ValueError: the stream ended before.
    """
    text = ""
    for line in stream:
        text += line
        with suppress(json.JSONDecodeError):
            return json.loads(text)
    raise ValueError(f"found {text[:200]!r}, expected a JSON document")
