"""One inference, as a pure state machine: what was sent, what is awaited, when the local branch must start.

The plan says which part the edge computes; the *race* makes sure that somebody answers::

    started ---> (head) ---> Send ---------- edge answered ----------------------------> Deliver "edge"
                               |
                               |-- no answer by  deadline - margin - local branch -----> StartLocal
                               |-- edge failed -------------------- (at once) ---------> StartLocal
                               |
                               `-- local branch done:
                                       edge pending, before deadline - margin ---------> wait for the edge ...
                                       ... until deadline - margin, or when it fails --> Deliver "device"

Rules, in this order:

1. The edge's answer wins whenever it comes before something was delivered.
2. At `deadline - margin` the answer at hand is delivered; later the first one that comes.
3. The local branch that starts is the most accurate one that still ends by `deadline - margin`. If none does, the
   fastest one starts, at the edge's failure or at `deadline - margin`, so that nobody waits for a dead edge for ever.
4. A plan of the device alone is the same machine without an edge: its branch starts when the request does.

Events carry the time; each returns the actions to take now. No clock, no threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgent.units import Seconds

By = Literal["edge", "device"]

LATE = "edge late"
PATIENCE = Seconds(10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBranch:
    """A branch that the device could run alone from where the head left off.

    Attributes:
        exit: which one.
        seconds: how long it is expected to take.
        accuracy: of its answer; None if unknown (exits then rank by their order).
    """

    exit: int
    seconds: Seconds
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send the boundary to the edge, which may take this long to answer: the remaining budget.

    `binding`: while the budget lasts nothing but the edge can end the request, so its own thread may wait for that.
    """

    budget: Seconds
    binding: bool


@dataclass(frozen=True, slots=True)
class StartLocal:
    """Run this branch on the device."""

    exit: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give this answer; the request is over. `why` says why it is not the plan's, empty if it is."""

    by: By
    exit: int
    why: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to do before this moment, unless something happens: then `tick`."""

    at: Seconds


Action = Send | StartLocal | Deliver | WaitUntil


class Request:
    """One inference in progress.

    Args:
        exit: the exit of the plan.
        uses_edge: whether the plan has a part for the edge.
        deadline: from input handed over to answer.
        margin: kept free before the deadline for handing the answer over.
        branches: what the device could answer with by itself; at least one.
        race: whether a local branch may start while the edge still computes.
        patience: how long the edge may take where no local branch could answer in time anyway.
    """

    def __init__(
        self,
        *,
        exit: int,
        uses_edge: bool,
        deadline: Seconds,
        margin: Seconds,
        branches: Sequence[LocalBranch],
        race: bool = True,
        patience: Seconds = PATIENCE,
    ) -> None:
        assert branches, "a device can always run some branch by itself"
        self.exit = exit
        self.uses_edge = uses_edge
        self.deadline = deadline
        self.margin = margin
        self.branches = tuple(branches)
        self.race = race
        self.patience = patience
        self.delivered: Deliver | None = None
        self._started_at = 0.0
        self._edge_pending = False
        self._why = ""
        self._start_local_at = math.inf
        self._local: int | None = None
        self._at_hand: int | None = None

    def started(self, at: Seconds) -> tuple[Action, ...]:
        """The input was handed over."""
        self._started_at = at
        self._edge_pending = self.uses_edge
        return () if self.uses_edge else self._start_local(self.exit)

    def head_done(self, at: Seconds) -> tuple[Action, ...]:
        """The boundary is encoded and can be sent."""
        if not self._edge_pending:
            return ()
        self._start_local_at = self._latest_start(at) if self.race else math.inf
        return (self._send(at),)

    def sent(self, at: Seconds) -> tuple[Action, ...]:
        """The boundary is on its way."""
        return self.tick(at)

    def edge_answered(self, at: Seconds) -> tuple[Action, ...]:
        """The edge's answer, with the suffix computed, is at hand."""
        del at  # rule 1 holds at any time
        if not self._edge_pending:
            return ()
        self._edge_pending = False
        return self._deliver("edge", self.exit, "")

    def edge_failed(self, at: Seconds, why: str) -> tuple[Action, ...]:
        """No answer will come from the edge."""
        if not self._edge_pending:
            return ()
        self._edge_pending = False
        self._why = why
        if self._at_hand is not None:
            return self._deliver("device", self._at_hand, why)
        return () if self._local is not None else self._start_local(self._best_at(at).exit)

    def local_done(self, at: Seconds, exit: int) -> tuple[Action, ...]:
        """The local branch has answered."""
        assert exit == self._local, f"branch {exit} was not started"
        self._at_hand = exit
        return self.tick(at)

    def tick(self, at: Seconds) -> tuple[Action, ...]:
        """Time has passed."""
        if self.delivered is not None:
            return ()
        if self._at_hand is not None and (at >= self._give_at or not self._edge_pending):
            return self._deliver("device", self._at_hand, self._why)
        if self._edge_pending and self._local is None and at >= self._start_local_at:
            self._why = LATE
            return self._start_local(self._best_at(at).exit)
        return self._wait()

    def __repr__(self) -> str:
        edge = "pending" if self._edge_pending else "not pending"
        local = f"local {self._local}, at hand {self._at_hand}"
        return f"<Request exit {self.exit}: edge {edge}, {local}, {self.delivered or 'not delivered'}>"

    @property
    def edge_pending(self) -> bool:
        """Whether the edge may still answer."""
        return self._edge_pending

    @property
    def _give_at(self) -> float:
        return self._started_at + self.deadline - self.margin

    def _wait(self) -> tuple[Action, ...]:
        if not self._edge_pending:
            return ()
        until = self._start_local_at if self._local is None else self._give_at
        computes = self._local is not None and self._at_hand is None
        return (WaitUntil(Seconds(until)),) if math.isfinite(until) and not computes else ()

    def _latest_start(self, at: float) -> float:
        fitting = self._fitting(at, grace=0.0)
        return self._give_at - (max(fitting, key=_worth).seconds if fitting else 0.0)

    def _best_at(self, at: float) -> LocalBranch:
        # Half the margin is for this thread having woken late: a branch started on time must not be lost to that.
        fitting = self._fitting(at, grace=self.margin / 2)
        return max(fitting, key=_worth) if fitting else min(self.branches, key=lambda each: each.seconds)

    def _fitting(self, at: float, grace: float) -> list[LocalBranch]:
        return [each for each in self.branches if at + each.seconds <= self._give_at + grace + 1e-9]

    def _send(self, at: float) -> Send:
        if self.race and self._fitting(at, grace=0.0):
            return Send(Seconds(max(0.0, self._give_at - at)), binding=True)
        left = self._started_at + self.deadline - at
        return Send(Seconds(max(left, self.patience)), binding=not self.race)

    def _start_local(self, exit: int) -> tuple[Action, ...]:
        self._local = exit
        return (StartLocal(exit),)

    def _deliver(self, by: By, exit: int, why: str) -> tuple[Action, ...]:
        if self.delivered is not None:
            return ()
        self.delivered = Deliver(by, exit, why)
        return (self.delivered,)


def _worth(branch: LocalBranch) -> tuple[float, float]:
    return (branch.exit if branch.accuracy is None else branch.accuracy, -branch.seconds)
