"""Runs a command beside processes that keep every core busy: python tests/timing/beside_load.py COMMAND ARGUMENT ..."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

_LONGEST = 1200.0  # seconds after which a busy process ends in any case; and when its owner has gone
_BUSY = """
import os, sys, time
until, owner = time.monotonic() + float(sys.argv[1]), os.getppid()
while time.monotonic() < until and os.getppid() == owner:
    for _ in range(1_000_000):
        pass
"""


@contextlib.contextmanager
def busy(count: int, longest: float = _LONGEST) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many busy processes, from entering to leaving."""
    with contextlib.ExitStack() as stack:
        processes = []
        for _ in range(count):
            processes.append(stack.enter_context(subprocess.Popen([sys.executable, "-c", _BUSY, str(longest)])))
            stack.callback(processes[-1].kill)
        yield processes


def main(command: list[str]) -> int:
    """The command's exit code."""
    with busy(max(2, os.cpu_count() or 1)):
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
