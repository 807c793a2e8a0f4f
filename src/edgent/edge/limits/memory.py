"""How much memory an edge takes, and what it does before that is too much.

What a caller makes an edge take cannot be counted beforehand: gRPC gathers a message before anybody here sees its
length, an engine takes what its graph needs. So what the process really has is looked at, the oftener the less of it
is left::

    share of the budget     what is done
    below 0.7               nothing
    from 0.7 on             sessions go, one at a look, the one that was used longest ago first; who comes is refused
    from 0.8 on             what is on its way is not waited for: all of the host that has most on its way, at a look

Envoy's overload manager works by the same idea (https://www.envoyproxy.io/docs, overload manager). What is refused is
refused as busy, so devices answer by themselves; and one request is taken in all the same where nothing else is in
hand, for an edge that stays full for a reason of its own must not be useless.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path

from edgent.errors import InputError
from edgent.units import format_bytes
from edgent.wire.errors import BusyError

# Of the budget. What is left above is for what comes between two looks, and for the thread that looks being late.
_SCARCE, _EXHAUSTED = 0.7, 0.8
_OFTENEST, _RAREST = 0.02, 0.2  # seconds between two looks; a look after a rest takes a quarter of a millisecond
_FASTEST = 5e9  # bytes a second: twice what a program on this machine brings, and forty times a gigabit
_DIVISOR = 2  # of the machine's memory: half is the edge's, unless it is told otherwise
_STATM = Path("/proc/self/statm")
# What a control group may take, of versions 2 and 1.
_GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


class Room(IntEnum):
    """How much memory is left."""

    PLENTY = 0
    SCARCE = 1
    NONE = 2


def room_for(taken: float, budget: float) -> Room:
    """How much is left of a budget.

    >>> room_for(75.0, 100.0)
    <Room.SCARCE: 1>
    """
    return Room((taken >= _SCARCE * budget) + (taken >= _EXHAUSTED * budget))


def next_look(taken: float, budget: float) -> float:
    """After how many seconds to look again: before memory can be scarce, however fast it goes.

    >>> next_look(6.5e9, 10e9)
    0.1
    """
    return min(_RAREST, max(_OFTENEST, (_SCARCE * budget - taken) / _FASTEST))


class MemoryWatch:
    """Looks at the memory of an edge while it serves.

    Args:
        budget: bytes that it may take.
        taken: tells how many it takes.
        make_room: frees what can be made again; called at each look while memory is scarce.
    """

    def __init__(self, budget: float, *, taken: Callable[[], float], make_room: Callable[[], None]) -> None:
        self.budget, self.room = budget, Room.PLENTY
        self._taken, self._make_room = taken, make_room
        self._closed, self._makes = threading.Event(), threading.Lock()

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around the making of something large, as a session: one at a time, and only while there is room.

        Raises:
            BusyError: memory is scarce.
        """
        # Two hundred that begin between two looks would all find room. So each is seen before the next one begins.
        with self._makes:
            if room_for(self._taken(), self.budget):
                raise BusyError("this edge has no memory to spare: try again later, or elsewhere")
            yield

    def is_scarce(self) -> bool:
        """Whether no more should be taken in; by the last look, for each request asks."""
        return self.room is not Room.PLENTY

    def start(self, shed: Callable[[], None]) -> None:
        """Begins to look.

        Args:
            shed: ends what is on its way, of one host; called at each look while there is no memory left.

        Raises:
            InputError: the models alone leave no room for requests.
        """
        if room_for(taken := self._taken(), self.budget):
            raise InputError(
                f"the models take {format_bytes(taken)}, which leaves too little of {format_bytes(self.budget)} for "
                "requests; allow more with --memory, or serve fewer"
            )
        self._closed.clear()
        threading.Thread(target=self._run, args=(shed,), name="edgent-memory", daemon=True).start()

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()

    def look(self, shed: Callable[[], None]) -> float:
        """Looks once, and does what is to be done; tells after how many seconds to look again."""
        taken = self._taken()
        self.room = room_for(taken, self.budget)
        if self.room >= Room.SCARCE:
            self._make_room()
        if self.room is Room.NONE:
            shed()
        return next_look(taken, self.budget)

    def __repr__(self) -> str:
        return f"<MemoryWatch of {format_bytes(self.budget)}: {self.room.name.lower()}>"

    def _run(self, shed: Callable[[], None]) -> None:
        pause = _OFTENEST
        while not self._closed.wait(pause):
            pause = self.look(shed)


def usual_budget() -> float:
    """Half of what this machine has, or of what its control group lets this process take."""
    return memory_there(_GROUP_LIMITS) / _DIVISOR


def memory_there(limits: Iterable[Path]) -> float:
    """Bytes of the machine, or of the control group whose limits stand in these files, whatever is less.

    Args:
        limits: files; those that are not there, or hold no number, say nothing.
    """
    least = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in limits:
        with suppress(OSError, ValueError):  # "max" is no number, and no limit
            least = min(least, float(path.read_text()))
    return least


def memory_taken() -> float:
    """Bytes of this process that nobody else has and no file could give back; 0 where the system does not tell."""
    # A model's weights are read from a file that stays there: the system takes those pages back when it needs them.
    try:
        _, resident, shared, *_ = map(int, _STATM.read_text().split())
    except (OSError, ValueError):
        return 0.0
    return float((resident - shared) * os.sysconf("SC_PAGE_SIZE"))


def give_back() -> None:
    """Has the C library give back to the system what is free: it keeps much of it, which would count as taken."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
