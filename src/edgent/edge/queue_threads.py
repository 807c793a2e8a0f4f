"""Threads at the edge's queue: carries their coming and going to it, and holds each until its turn."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgent.clock import Clock
from edgent.edge.queue import Decision, Drop, EdgeQueue, EdgeWork, Reject, Start
from edgent.units import Seconds, format_duration
from edgent.wire.errors import BusyError, LateError


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLoad:
    """A queue at one moment: how many run of how many slots, how many wait of how many places, and for how long."""

    running: int
    slots: int
    waiting: int
    bound: int
    wait: Seconds


@dataclass(slots=True, kw_only=True)
class _Visitor:
    """A thread at the queue: whether its caller has left, what was decided on it, and what wakes it if it waits."""

    given_up: Callable[[], bool]
    decided: Decision | None = None
    woken: threading.Condition | None = None


class QueueThreads:
    """Lets as many threads through as the queue has slots.

    Args:
        queue: decides who and when; not to be touched by anyone else.
        clock: the time that the queue is told, and by which threads wait.
    """

    def __init__(self, queue: EdgeQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = itertools.count()
        self._visitors: dict[int, _Visitor] = {}

    @contextlib.contextmanager
    def turn(
        self,
        *,
        budget: Seconds | None,
        choices: Sequence[EdgeWork],
        given_up: Callable[[], bool] = lambda: False,
        wanted: Seconds | None = None,
    ) -> Iterator[Start]:
        """Waits for a slot, and holds it: gives how long the wait was, and which choice is to be computed.

        Args:
            budget: how long it is worth waiting; None: for ever.
            choices: what the slot may be held for, the best first.
            given_up: whether the caller has left.
            wanted: see `EdgeQueue.arrive`.

        Raises:
            BusyError: the queue is full, or nothing of it could be in time.
            LateError: the budget ran out before the turn came, or the caller left.
        """
        # Not the request's own name: callers choose that, and two may choose the same.
        number = next(self._ids)
        start, computed = self._enter(number, budget, choices, given_up, wanted), False
        try:
            yield start
            computed = True
        finally:
            with self._lock:
                # Whether it was computed or failed, the slot is free: one that is never given back would be lost for
                # good.
                self._take(self._queue.done(number, self._clock.now(), computed=computed))

    def resize(self, slots: int) -> None:
        """See `EdgeQueue.resize`."""
        with self._lock:
            self._take(self._queue.resize(slots, self._clock.now()))

    def predicted_wait(self) -> Seconds:
        """How long a request that came now would wait."""
        with self._lock:
            return self._queue.predicted_wait(self._clock.now())

    @property
    def load(self) -> EdgeLoad:
        """The queue as it stands, for who looks on."""
        with self._lock:
            queue = self._queue
            return EdgeLoad(
                running=queue.running,
                slots=queue.slots,
                waiting=len(queue),
                bound=queue.bound,
                wait=queue.predicted_wait(self._clock.now()),
            )

    def __repr__(self) -> str:
        return f"<QueueThreads of {self._queue!r}>"

    def _enter(
        self,
        number: int,
        budget: Seconds | None,
        choices: Sequence[EdgeWork],
        given_up: Callable[[], bool],
        wanted: Seconds | None,
    ) -> Start:
        with self._lock:
            self._send_home()
            arrived_at = self._clock.now()
            visitor = self._visitors[number] = _Visitor(given_up=given_up)
            self._take(self._queue.arrive(number, arrived_at, budget=budget, choices=choices, wanted=wanted))
            decided = visitor.decided or self._waited(visitor, None if budget is None else arrived_at + budget)
            del self._visitors[number]
        return _started(decided, budget)

    def _waited(self, visitor: _Visitor, until: float | None) -> Decision:
        """Waits, under the lock, for what is decided."""
        # Each has a condition of its own: woken together, all that wait would run for every turn of one of them.
        visitor.woken = self._clock.condition(self._lock)
        # Each thread wakes at the end of its own budget, so that nobody needs one more thread to keep the time.
        while visitor.decided is None:
            visitor.woken.wait(None if until is None else max(0.0, until - self._clock.now()))
            self._take(self._queue.tick(self._clock.now()))
        return visitor.decided

    def _send_home(self) -> None:
        """Whoever waits for a caller who has left takes no place and no time from those who come."""
        for number in self._queue.waiting:
            if self._visitors[number].given_up():
                self._take(self._queue.leave(number, self._clock.now()))

    def _take(self, decisions: tuple[Decision, ...]) -> None:
        # The decision that one thread's event brings is mostly another's.
        for decision in decisions:
            visitor = self._visitors[decision.request]
            visitor.decided = decision
            if visitor.woken is not None:
                visitor.woken.notify_all()


def _started(decision: Decision, budget: Seconds | None) -> Start:
    """The decision to start, or the error that another one is to the caller."""
    if isinstance(decision, Reject):
        wait = format_duration(decision.wait)
        left = "" if budget is None else f", and its budget is {format_duration(budget)}"
        raise BusyError(f"this request would wait {wait}{left}: try again later, or elsewhere", load=decision.wait)
    if isinstance(decision, Drop):
        raise LateError(f"the budget of {format_duration(budget or 0.0)} ran out in the edge's queue; not computed")
    return decision
