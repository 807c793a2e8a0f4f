"""Whether a process grows: memory, threads and open files, looked at from outside while it works."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KB = 1024
# Of what a process has: an allocator keeps some of what was given back, and not always as much.
_MEMORY, _MEMORY_BYTES = 1.05, 8 << 20
_THREADS = _FILES = 4  # one request more at once, and a connection that is being closed
_PART = 5  # the fifth in the middle and the last one are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a process holds at a moment: bytes of resident memory, threads, open files."""

    at: float
    memory: int
    threads: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """A process in the middle (`then`) and at the end of a run, medians of a fifth of it each.

    What leaks does so in any part of a run. Pools of threads grow to the most that was ever at work at once, which
    takes its time to come.
    """

    process: str
    seconds: float
    memory_mb: float
    memory_mb_then: float
    threads: int
    threads_then: int
    files: int
    files_then: int

    @property
    def flat(self) -> bool:
        """Whether nothing has grown beyond what one request more or less explains."""
        memory = self.memory_mb <= self.memory_mb_then * _MEMORY + _MEMORY_BYTES / 1e6
        return memory and self.threads <= self.threads_then + _THREADS and self.files <= self.files_then + _FILES


def footprint(pid: int, at: float, proc: Path = _PROC) -> Footprint | None:
    """What a process holds now; None where it is gone."""
    try:
        status = (proc / str(pid) / "status").read_text()
        files = len(list((proc / str(pid) / "fd").iterdir()))
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        memory, threads = int(lines["VmRSS"].split()[0]) * _KB, int(lines["Threads"])
    except (OSError, KeyError):  # a process that has ended has no memory in its status
        return None
    return Footprint(at=at, memory=memory, threads=threads, files=files)


def growth(process: str, footprints: Sequence[Footprint], since: float) -> Growth | None:
    """How a process was at the end beside the middle of a run; None where too little was seen of it.

    Args:
        process: its name.
        footprints: in order.
        since: from when on they count: a process that begins makes what it keeps.
    """
    settled = [seen for seen in footprints if seen.at >= since]
    part = len(settled) // _PART
    if not part:
        return None
    middle = (len(settled) - part) // 2
    then, now = settled[middle : middle + part], settled[-part:]
    return Growth(
        process=process,
        seconds=round(settled[-1].at - settled[0].at, 1),
        memory_mb=_median(now, "memory") / 1e6,
        memory_mb_then=_median(then, "memory") / 1e6,
        threads=int(_median(now, "threads")),
        threads_then=int(_median(then, "threads")),
        files=int(_median(now, "files")),
        files_then=int(_median(then, "files")),
    )


def _median(footprints: Sequence[Footprint], name: str) -> float:
    return float(statistics.median(getattr(seen, name) for seen in footprints))
