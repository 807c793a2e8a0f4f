"""What other users of this machine see of a command: its line, in `ps` and in `/proc`."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

_SELF = Path("/proc/self")
_ARGUMENTS_AT = 45  # of the numbers behind the name in `stat`: where the line begins and ends in memory; see proc(5)

_ADDRESS = re.compile(rb"(?<!ipc)://([^\0]*@)?([^/?#\0]*)([^\0]*)")
"""Who one is there, the host, and the path with the query; a file of `ipc` is no secret."""


def hide_addresses() -> None:
    """Writes stars into this process's line over all that may be secret of an address: of each but the host.

    Whatever option it belongs to: this is done before options are read. Where the system does not let it, all stays.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        numbers = (_SELF / "stat").read_text().rpartition(")")[2].split()
        begin, end = map(int, numbers[_ARGUMENTS_AT : _ARGUMENTS_AT + 2])
        # A program's line is its own memory, which it may write to; no call of the system does that.
        with (_SELF / "mem").open("r+b", buffering=0) as memory:
            memory.seek(begin)
            line = memory.read(end - begin)
            if (starred := _ADDRESS.sub(_starred, line)) != line:
                memory.seek(begin)
                memory.write(starred)


def _starred(address: re.Match[bytes]) -> bytes:
    """As many bytes as before."""
    login, host, rest = (part or b"" for part in address.groups())
    return b"://" + b"*" * len(login[:-1]) + login[-1:] + host + rest[:1] + b"*" * len(rest[1:])
