"""The edge's queue, as a pure state machine: requests and the time go in, decisions come out.

::

                 arrive                    a slot is free
      (nothing) --------> waiting ------------------------> running --done--> (gone)
          |                  |
          | queue full, or   | its time ran out, or
          | cannot be        | its caller gave it up
          v in time          v
       Reject              Drop

Every event answers with what to do now: `Start` computing a request, `Drop` one that nobody waits for any more,
`Reject` one that found the queue full, or that would be late or make others late (`edgent.edge.admission`). No clock,
no threads: the edge carries events here and does what it is told, and a simulation in virtual time drives the same
object.

A request may name several *choices*, the best first: pieces of work each of which would answer it. The first one with
which everybody is in time is taken, so that a loaded edge answers with less before it refuses.

Order: by the moment the budget runs out ("deadline"), or by arrival ("fifo"). By deadline no other order keeps one
that this order does not [1]. A request without a budget is ranked as if it had a long one, so that it is not passed for
ever.

[1] M. L. Dertouzos, Control robotics: the procedural control of physical processes, IFIP Congress, 1974.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgent.edge.admission import Durations, Lateness, admitted, ends
from edgent.units import Seconds

Order = Literal["fifo", "deadline"]

_WITHOUT_BUDGET = 10.0  # seconds after which a request without a budget is as urgent as one whose budget ends now


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeWork:
    """A piece of work: what is alike takes alike, and is told from other work by its key."""

    key: Hashable
    profiled: float = 0.0


_UNKNOWN = (EdgeWork(key=None),)


@dataclass(frozen=True, slots=True)
class Start:
    """Compute this request now, by this one of its choices; it waited this long."""

    request: int
    waited: Seconds
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget this request: its time is over, or its caller gone."""

    request: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Turn this request away; it would have waited this long."""

    request: int
    wait: Seconds = Seconds(0.0)


Decision = Start | Drop | Reject


@dataclass(slots=True, kw_only=True)
class _Entry:
    request: int
    arrived_at: float
    expires_at: float
    rank: float
    work: EdgeWork
    choice: int
    # When it was predicted to be done as it came; infinite where others have overtaken it since.
    predicted: float = math.inf
    started_at: float = math.inf


class EdgeQueue:
    """Requests that wait for one of the edge's slots.

    Args:
        slots: how many requests are computed at once.
        bound: how many may wait; the next one is rejected.
        order: who comes first.
    """

    def __init__(self, *, slots: int = 1, bound: int = 32, order: Order = "deadline") -> None:
        if slots < 1 or bound < 0:
            raise ValueError(f"a queue needs at least one slot and a bound of 0 or more, not {slots} and {bound}")
        self.slots = slots
        self.bound = bound
        self.order = order
        self._waiting: list[_Entry] = []  # by rank
        self._running: dict[int, _Entry] = {}
        self._durations, self._lateness = Durations(), Lateness()

    def arrive(
        self,
        request: int,
        at: Seconds,
        *,
        budget: Seconds | None = None,
        choices: Sequence[EdgeWork] = _UNKNOWN,
        wanted: Seconds | None = None,
    ) -> tuple[Decision, ...]:
        """A request has come.

        Args:
            request: any number not in the queue.
            at: the time now.
            budget: after this long nobody waits for the answer any more.
            choices: what would answer it, the best first.
            wanted: within this long, if that is sooner: what would be later is refused only where it would also be
                later than the budget, but another choice that is not goes before.
        """
        assert request not in self._running, f"request {request} came twice"
        assert all(entry.request != request for entry in self._waiting), f"request {request} came twice"
        # First those whose time is over: they must not take the place of one that can still be answered.
        dropped = self._drop_late(at)
        # With a slot free, a bound of 0 still lets one through: nobody has to wait then.
        if len(self._waiting) < self.bound or len(self._running) < self.slots:
            for limit in (budget,) if wanted is None else (wanted, budget):
                for choice, work in enumerate(choices):
                    if self._admit(self._entry(request, at, limit, work, choice), at):
                        return (*dropped, *self._advance(at))
        return (*dropped, Reject(request, self.predicted_wait(at)))

    def done(self, request: int, at: Seconds, *, computed: bool = True) -> tuple[Decision, ...]:
        """A started request has been computed, or has failed."""
        entry = self._running.pop(request)
        if computed:
            self._durations.took(entry.work.key, at - entry.started_at, at)
            if math.isfinite(entry.predicted):
                self._lateness.done(entry.predicted, at)
        return self._advance(at)

    def leave(self, request: int, at: Seconds) -> tuple[Decision, ...]:
        """The caller of a request that waits has given it up; without effect on one that does not wait."""
        gone = [entry for entry in self._waiting if entry.request == request]
        self._waiting = [entry for entry in self._waiting if entry.request != request]
        return (*(Drop(entry.request) for entry in gone), *self._advance(at))

    def resize(self, slots: int, at: Seconds) -> tuple[Decision, ...]:
        """There are more slots from now on, or fewer, one at least; what is computed goes on to its end."""
        assert slots >= 1, f"found {slots} slots"
        self.slots = slots
        return self._advance(at)

    def tick(self, at: Seconds) -> tuple[Decision, ...]:
        """Time has passed."""
        return self._advance(at)

    def predicted_wait(self, at: Seconds) -> Seconds:
        """How long a request that comes now would wait, if every other takes the time expected of it."""
        # All that wait count. By deadline a newcomer may overtake some of them, so this is the longest wait.
        seconds = [*(self._seconds(entry, at) for entry in self._waiting), 0.0]
        return Seconds(ends(self._free(at), seconds)[-1] - at)

    @property
    def running(self) -> int:
        """How many are computed."""
        return len(self._running)

    @property
    def waiting(self) -> tuple[int, ...]:
        """The requests that wait, the next one first."""
        return tuple(entry.request for entry in self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<EdgeQueue {len(self._running)}/{self.slots} running, {len(self)}/{self.bound} waiting, {self.order}>"

    def _entry(self, request: int, at: float, limit: float | None, work: EdgeWork, choice: int) -> _Entry:
        # A moment, as budgets that were named at different times cannot be compared.
        expires_at = math.inf if limit is None else at + limit
        rank = min(expires_at, at + _WITHOUT_BUDGET) if self.order == "deadline" else at
        return _Entry(request=request, arrived_at=at, expires_at=expires_at, rank=rank, work=work, choice=choice)

    def _admit(self, entry: _Entry, at: float) -> bool:
        """Lets a request in if everybody can be in time with it."""
        # Ties by arrival, so that requests of one rank are served in turn.
        place = bisect.bisect_right(self._waiting, entry.rank, key=lambda other: other.rank)
        entries = [*self._waiting[:place], entry, *self._waiting[place:]]
        free, waiting = self._free(at), [(self._seconds(each, at), each.expires_at) for each in entries]
        # Who waits for nobody is as certain as it can be: a margin would refuse what only just fits, and an edge whose
        # predictions went wrong would refuse all from whom it could learn better.
        margin = 0.0 if min(free) <= at and not self._waiting else self._lateness.margin
        if (predicted := admitted(free, waiting, place, margin)) is None:
            return False
        entry.predicted = predicted
        for overtaken in self._waiting[place:]:
            overtaken.predicted = math.inf
        self._waiting = entries
        return True

    def _advance(self, at: Seconds) -> tuple[Decision, ...]:
        # A slot is never spent on an answer that nobody waits for: under overload that would be most of them.
        decisions = list(self._drop_late(at))
        while self._waiting and len(self._running) < self.slots:
            first = self._waiting.pop(0)
            # Nor on one that will be late by what is known now; at its turn and not before, for those ahead of it may
            # have been quicker than expected.
            if at + self._seconds(first, at) > first.expires_at:
                decisions.append(Drop(first.request))
                continue
            first.started_at = at
            self._running[first.request] = first
            decisions.append(Start(first.request, Seconds(at - first.arrived_at), first.choice))
        return tuple(decisions)

    def _drop_late(self, at: Seconds) -> tuple[Decision, ...]:
        if not self._waiting:
            return ()
        # All are looked at and not only the first: in the order of arrival any of them may be over.
        expired = [entry for entry in self._waiting if entry.expires_at <= at]
        self._waiting = [entry for entry in self._waiting if entry.expires_at > at]
        return tuple(Drop(entry.request) for entry in expired)

    def _seconds(self, entry: _Entry, at: float) -> float:
        return self._durations.expected(entry.work.key, entry.work.profiled, at)

    def _free(self, at: float) -> list[float]:
        """From when on each slot is free."""
        # One that takes longer than expected is taken to be done now: nothing better is known of it.
        busy = [max(at, entry.started_at + self._seconds(entry, at)) for entry in self._running.values()]
        # Where slots were taken away more may be busy than there are: those who end first are followed by nobody.
        return sorted(busy)[-self.slots :] + [at] * (self.slots - len(busy))
