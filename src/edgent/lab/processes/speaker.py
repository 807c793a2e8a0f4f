"""A process of ours that answers orders, one JSON document a line each way; it ends when its orders do."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from edgent.errors import EdgentError

_PATIENCE = 120.0  # seconds for an answer, on a busy host


class Speaker:
    """`python -m MODULE ARGUMENTS ...`, with orders on stdin; a context manager.

    Args:
        module: what to run.
        arguments: its own.
        prefix: what its command line begins with, such as `TunLink.near`.
        greets: whether it says something before the first order, kept in `first`.
    """

    def __init__(self, module: str, *arguments: str, prefix: Sequence[str] = (), greets: bool = True) -> None:
        self._module, self._greets = module, greets
        self._command = [*prefix, sys.executable, "-m", module, *arguments]
        self.first: dict[str, Any] = {}

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        if self._greets:
            try:
                self.first = self._heard()
            except BaseException:
                self.__exit__(None, None, None)
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def ask(self, **order: object) -> dict[str, Any]:
        """Gives an order and waits for its answer.

        Raises:
            EdgentError: the process is gone, or does not answer.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise EdgentError(f"{self._module} ended unexpectedly") from error
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        impatience = threading.Timer(_PATIENCE, self._process.kill)
        impatience.start()
        try:
            line = self._process.stdout.readline()
        finally:
            impatience.cancel()
        if not line:
            raise EdgentError(f"{self._module} ended unexpectedly")
        answer: dict[str, Any] = json.loads(line)
        return answer
