"""Threads at the edge's queue: carries their coming and going to it, and holds each until its turn."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

from edgent.clock import Clock
from edgent.edge.queue import Decision, Drop, EdgeQueue, Reject, Start
from edgent.units import Seconds, format_duration
from edgent.wire.errors import BusyError, LateError


class QueueThreads:
    """Lets as many threads through as the queue has slots.

    Args:
        queue: decides who and when; not to be touched by anyone else.
        clock: the time that the queue is told, and by which threads wait.
    """

    def __init__(self, queue: EdgeQueue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._changed = clock.condition()
        self._ids = itertools.count()
        self._decided: dict[int, Decision] = {}

    @contextlib.contextmanager
    def turn(self, *, budget: Seconds | None, seconds: float = 0.0) -> Iterator[Seconds]:
        """Waits for a slot, and holds it: gives how long the wait was.

        Args:
            budget: how long it is worth waiting; None: for ever.
            seconds: how long the slot is expected to be held.

        Raises:
            BusyError: the queue is full.
            LateError: the budget ran out before the turn came.
        """
        # Not the request's own name: callers choose that, and two may choose the same.
        number = next(self._ids)
        waited = self._enter(number, budget, seconds)
        try:
            yield waited
        finally:
            with self._changed:
                # Whether it was computed or failed, the slot is free: one that is never given back would be lost for
                # good.
                self._take(self._queue.done(number, self._clock.now()))

    def predicted_wait(self) -> Seconds:
        """How long a request that came now would wait."""
        with self._changed:
            return self._queue.predicted_wait(self._clock.now())

    def __repr__(self) -> str:
        return f"<QueueThreads of {self._queue!r}>"

    def _enter(self, number: int, budget: Seconds | None, seconds: float) -> Seconds:
        with self._changed:
            arrived_at = self._clock.now()
            self._take(self._queue.arrive(number, arrived_at, budget=budget, seconds=seconds))
            # Each thread wakes at the end of its own budget, so that nobody needs one more thread to keep the time.
            while number not in self._decided:
                now = self._clock.now()
                self._changed.wait(None if budget is None else max(0.0, arrived_at + budget - now))
                self._take(self._queue.tick(self._clock.now()))
            decision = self._decided.pop(number)
        if isinstance(decision, Start):
            return decision.waited
        if isinstance(decision, Reject):
            raise BusyError(f"{self._queue!r}: try again later, or elsewhere")
        assert isinstance(decision, Drop)
        raise LateError(f"the budget of {format_duration(budget or 0.0)} ran out in the edge's queue; not computed")

    def _take(self, decisions: tuple[Decision, ...]) -> None:
        # The decision that one thread's event brings is mostly another's: all are woken, and each looks for its own
        # number.
        self._decided.update({decision.request: decision for decision in decisions})
        if decisions:
            self._changed.notify_all()
