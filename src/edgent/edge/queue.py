"""The edge's queue, as a pure state machine: requests and the time go in, decisions come out.

::

                 arrive                    a slot is free
      (nothing) --------> waiting ------------------------> running --done--> (gone)
          |                  |
          | queue full       | its budget ran out
          v                  v
       Reject              Drop

Every event answers with what to do now: `Start` computing a request, `Drop` one that nobody waits for any more,
`Reject` one that found the queue full. No clock, no threads: the edge carries events here and does what it is told, and
a simulation in virtual time drives the same object.

Order: by arrival ("fifo"), or by the moment the budget runs out ("deadline"; requests without a budget come last).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edgent.units import Seconds

Order = Literal["fifo", "deadline"]


@dataclass(frozen=True, slots=True)
class Start:
    """Compute this request now; it waited this long."""

    request: int
    waited: Seconds


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget this request: its time is over."""

    request: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Turn this request away: the queue is full."""

    request: int


Decision = Start | Drop | Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    request: int
    arrived_at: float
    expires_at: float
    seconds: float


class EdgeQueue:
    """Requests that wait for one of the edge's slots.

    Args:
        slots: how many requests are computed at once.
        bound: how many may wait; the next one is rejected.
        order: who comes first.
    """

    def __init__(self, *, slots: int = 1, bound: int = 32, order: Order = "fifo") -> None:
        if slots < 1 or bound < 0:
            raise ValueError(f"a queue needs at least one slot and a bound of 0 or more, not {slots} and {bound}")
        self.slots = slots
        self.bound = bound
        self.order = order
        self._waiting: list[_Waiting] = []
        # When each is expected to be done: of no effect on decisions, only on what a wait is predicted to be.
        self._running: dict[int, float] = {}

    def arrive(
        self, request: int, at: Seconds, *, budget: Seconds | None = None, seconds: float = 0.0
    ) -> tuple[Decision, ...]:
        """A request has come.

        Args:
            request: any number not in the queue.
            at: the time now.
            budget: after this long nobody waits for the answer any more.
            seconds: how long computing it is expected to take.
        """
        assert request not in self._running, f"request {request} came twice"
        assert all(entry.request != request for entry in self._waiting), f"request {request} came twice"
        # First those whose time is over: they must not take the place of one that can still be answered.
        dropped = self._drop_expired(at)
        # With a slot free, a bound of 0 still lets one through: nobody has to wait then.
        if len(self._waiting) >= self.bound and len(self._running) >= self.slots:
            return (*dropped, Reject(request))
        # A moment, as budgets that were named at different times cannot be compared.
        expires_at = math.inf if budget is None else at + budget
        self._waiting.append(_Waiting(request=request, arrived_at=at, expires_at=expires_at, seconds=seconds))
        return (*dropped, *self._advance(at))

    def done(self, request: int, at: Seconds) -> tuple[Decision, ...]:
        """A started request has been computed, or has failed."""
        del self._running[request]
        return self._advance(at)

    def tick(self, at: Seconds) -> tuple[Decision, ...]:
        """Time has passed."""
        return self._advance(at)

    def predicted_wait(self, at: Seconds) -> Seconds:
        """How long a request that comes now would wait, if every other takes the time expected of it."""
        # One that takes longer than expected is taken to be done now: nothing better is known of it.
        free_at = [max(end, at) for end in self._running.values()] + [at] * (self.slots - len(self._running))
        for entry in self._waiting:
            free_at.sort()
            # All that wait count. By deadline a newcomer may overtake some of them, so this is the longest wait.
            free_at[0] += entry.seconds
        return Seconds(min(free_at) - at)

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<EdgeQueue {len(self._running)}/{self.slots} running, {len(self)}/{self.bound} waiting, {self.order}>"

    def _advance(self, at: Seconds) -> tuple[Decision, ...]:
        # A slot is never spent on an answer that nobody waits for: under overload that would be most of them.
        decisions = list(self._drop_expired(at))
        while self._waiting and len(self._running) < self.slots:
            first = min(self._waiting, key=self._rank)
            self._waiting.remove(first)
            self._running[first.request] = at + first.seconds
            decisions.append(Start(first.request, Seconds(at - first.arrived_at)))
        return tuple(decisions)

    def _drop_expired(self, at: Seconds) -> tuple[Decision, ...]:
        # All are looked at and not only the first: in the order of arrival any of them may be over.
        expired = [entry for entry in self._waiting if entry.expires_at <= at]
        self._waiting = [entry for entry in self._waiting if entry.expires_at > at]
        return tuple(Drop(entry.request) for entry in expired)

    def _rank(self, entry: _Waiting) -> tuple[float, ...]:
        # Ties by arrival, so that requests without a budget are served in turn and none waits for ever.
        return (entry.expires_at, entry.arrived_at) if self.order == "deadline" else (entry.arrived_at,)
