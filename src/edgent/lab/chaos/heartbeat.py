"""How late the machine itself is: a process that wants little, and notes whenever it gets less than that.

`python -m edgent.lab.chaos.heartbeat` wakes every `PERIOD` and does the same small piece of work. By how much it woke
too late, and by how much the work took longer than the quickest one, nobody here is to blame for: other programs had
the cores. What a request was late by more than that is ours.
"""

from __future__ import annotations

import bisect
import math
import selectors
import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from edgent.lab.processes.child_process import ChildProcess
from edgent.lab.processes.orders import Orders, answer

PERIOD = 0.010  # seconds
NOTED = 0.001  # seconds: less is not noted, and stays ours
_ROUNDS = 4000  # of the small piece of work: about 0.2 ms


class MachineLateness:
    """By how much the machine was late between two moments, from the beats of a heart.

    Args:
        beats: when a beat was due, and by how many seconds it came later.

    >>> MachineLateness([(1.0, 0.5), (2.0, 0.25), (9.0, 0.5)]).between(1.25, 3.0)
    0.5
    """

    def __init__(self, beats: Iterable[tuple[float, float]]) -> None:
        self._beats = _apart(beats)
        self._ends = [at + late for at, late in self._beats]
        self.worst = max((late for _, late in self._beats), default=0.0)

    def between(self, since: float, until: float) -> float:
        """For how long it was late: so much longer a chain of wakes may have taken."""
        seconds = 0.0
        for at, late in self._beats[bisect.bisect_right(self._ends, since) :]:
            if at >= until:
                break
            seconds += min(at + late, until) - max(at, since)
        return seconds

    def among(self, others: Iterable[tuple[float, float]]) -> MachineLateness:
        """The same with what else was due and came later; what is late at the same time counts once."""
        return MachineLateness([*self._beats, *others])

    def __repr__(self) -> str:
        return f"<MachineLateness: {len(self._beats)} late beats, the worst by {self.worst * 1e3:.0f} ms>"


def _apart(beats: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """In order, none of them within another: (due, late)."""
    apart: list[tuple[float, float]] = []
    end = -math.inf
    for due, late in sorted(beats):
        if due + late > end:
            begin = max(due, end)
            apart.append((begin, due + late - begin))
            end = due + late
    return apart


class Heartbeat:
    """The process; a context manager."""

    def __init__(self) -> None:
        self._child = ChildProcess("-m", "edgent.lab.chaos.heartbeat")

    def __enter__(self) -> Self:
        """Starts it."""
        self._child.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def lateness(self) -> MachineLateness:
        """What it has noted so far."""
        beats = self._child.ask("beats")["beats"]
        return MachineLateness([(at, late) for at, late in beats])


def _worked() -> float:
    began_at = time.perf_counter()
    sum(range(_ROUNDS))
    return time.perf_counter() - began_at


def main() -> None:
    """Beats until its owner ends."""
    noted: list[tuple[float, float]] = []
    usual = min(_worked() for _ in range(50))
    orders = Orders({"beats": lambda: {"beats": noted}})
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin, selectors.EVENT_READ)
    answer({})
    due_at = time.perf_counter()
    while not orders.ended:
        due_at = max(due_at + PERIOD, time.perf_counter())
        while (left := due_at - time.perf_counter()) > 0 and not orders.ended:
            for _ in selector.select(left):
                orders.obey()
        _worked()
        if (late := time.perf_counter() - due_at - usual) > NOTED:
            noted.append((due_at, late))


if __name__ == "__main__":
    main()
