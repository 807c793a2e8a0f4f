"""What other users of this machine see of a command: its line, in `ps` and in `/proc`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

_SELF = Path("/proc/self")
_ARGUMENTS_AT = 45  # of the numbers behind the name in `stat`: where the line begins and ends in memory; see proc(5)


def hide(secrets: Iterable[str]) -> None:
    """Writes stars over secrets in this process's line; where the system does not let it, they stay there."""
    words = [secret.encode("utf-8", "surrogateescape") for secret in secrets if secret]
    if not words:
        return
    with contextlib.suppress(OSError, ValueError, IndexError):
        numbers = (_SELF / "stat").read_text().rpartition(")")[2].split()
        begin, end = map(int, numbers[_ARGUMENTS_AT : _ARGUMENTS_AT + 2])
        # A program's line is its own memory, which it may write to; no call of the system does that.
        with (_SELF / "mem").open("r+b", buffering=0) as memory:
            memory.seek(begin)
            line = memory.read(end - begin)
            for word in words:
                line = line.replace(word, b"*" * len(word))
            memory.seek(begin)
            memory.write(line)
