"""Which core a process has, and how busy it kept it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Cores(NamedTuple):
    """The edge's core and the one that carries the cameras; None: they have all there are."""

    edge: int | None
    cameras: int | None


def two_cores() -> Cores:
    """A core for each, where there are two."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(edge=usable[0], cameras=usable[1]) if len(usable) > 1 else Cores(edge=None, cameras=None)


def pin(pid: int, core: int | None) -> None:
    """Keeps a process, with the threads that it has and those it will make, on a core."""
    if core is None:
        return
    for thread in _threads(pid):
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(thread, {core})


def computed_by(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    # Behind the name, which may hold anything but a closing bracket after its own: fields 14 and 15 are its ticks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_of(core: int) -> float:
    """Seconds since the machine started for which a core was not to be had, whoever had it; a host that took it too."""
    lines = Path("/proc/stat").read_text().splitlines()
    user, nice, system, _idle, _waits, *others = map(
        int, next(x for x in lines if x.startswith(f"cpu{core} ")).split()[1:9]
    )
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def _threads(pid: int) -> list[int]:
    return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
