"""One inference, as a pure state machine: what was sent, what is awaited, when the local branch must start.

The plan says which part the edge computes; the *race* makes sure that somebody answers::

    started -> StartHead --> Send ---------- edge answered ----------------------------> Deliver "edge"
                               |
                               |-- no answer by  deadline - margin - local branch -----> StartLocal
                               |-- edge or plan failed ------------ (at once) ---------> StartLocal
                               |
                               `-- local branch done:
                                       edge pending, before deadline - margin ---------> wait for the edge ...
                                       ... until deadline - margin, or when it fails --> Deliver "device"

A plan with a *gate* has the device answer first, as a part of its head; if it is sure, that ends the request, and else
that answer is at hand from then on, so that no local branch is started (`edgent.device.gating`).

Rules, in this order:

1. The edge is asked for an answer that is better than any of the device's, so it wins whenever it comes before
   something was delivered; with a gate, combined with the device's own where that was measured to be better still.
2. At `deadline - margin` the answer at hand is delivered; later the first one that comes.
3. The local branch that starts is the best one that still ends by `deadline - margin`: the most accurate, and among
   about equally accurate ones the fastest. If none does, the fastest of all starts, at the edge's failure or at
   `deadline - margin`, so that nobody waits for a dead edge for ever; at once where the device stands in already.
4. A plan of the device alone is the same machine without an edge: its branch starts when the request does.
5. Several requests share the device: heads and local branches take *turns* (`edgent.device.schedule`). So a local
   branch may have to start earlier, be a faster one, or wait until the device is free. Short work waits for nobody.
6. In a *trial* the device answers as it would by itself, and the edge is asked beside it. Where no branch fits behind
   what was sent, with the margin kept, it starts at once: so an edge of which nobody is sure yet is tried also where
   the device needs nearly all of the time for its own answer.

Events carry the time; each returns the action to take now, if there is one. No clock, no threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgent.device.failures import Reason
from edgent.device.schedule import Schedule, Turn
from edgent.planning.conditions import SLICE
from edgent.planning.planner import DUST, TOLERANCE
from edgent.units import Seconds

By = Literal["edge", "device"]

# For an edge that nobody can overtake: long enough for a large message over a slow link, short enough that a caller
# is not left with a connection that died in silence.
PATIENCE = Seconds(10.0)
# Times as long as expected. Predictions are off by some per cent, so an edge that takes twice as long has lost its way;
# then a device for which turns pile up begins its own branch before it would have to (`Turn.overdue_at`).
_OVERDUE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBranch:
    """A branch that the device could run alone from where the head left off.

    Attributes:
        exit: which one.
        seconds: how long it is expected to take.
        accuracy: of its answer; None if unknown (exits then rank by their order).
        preparing: how many of the seconds its picture takes.
    """

    exit: int
    seconds: Seconds
    accuracy: float | None = None
    preparing: Seconds = Seconds(0.0)


def at_pace(branches: Sequence[LocalBranch], layers: float, pictures: float) -> tuple[LocalBranch, ...]:
    """The same where layers and pictures take so many times as long."""
    # Not by `replace`, which takes five times as long: each request asks for that of all its branches.
    paced = []
    for branch in branches:
        preparing = Seconds(branch.preparing * pictures)
        seconds = Seconds((branch.seconds - branch.preparing) * layers + preparing)
        paced.append(LocalBranch(exit=branch.exit, seconds=seconds, accuracy=branch.accuracy, preparing=preparing))
    return tuple(paced)


@dataclass(frozen=True, slots=True)
class StartHead:
    """Do what is to be done before the upload."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the boundary to the edge, which may take this long to answer: the remaining budget.

    `binding`: while the budget lasts nothing but the edge can end the request, so its own thread may wait for that.
    `meanwhile`: what a stand-by does while the edge is asked; nothing where no local branch may take over.
    """

    budget: Seconds
    binding: bool
    meanwhile: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class StartLocal:
    """Run this branch on the device."""

    exit: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give this answer; the request is over. `why` says why it is not the plan's."""

    by: By
    exit: int
    why: Reason


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to do before this moment (it may be infinite), unless something happens: then `tick`."""

    at: Seconds


Action = StartHead | Send | StartLocal | Deliver | WaitUntil


class Request:
    """One inference in progress.

    Args:
        started_at: when the input was handed over.
        exit: the exit of the plan.
        uses_edge: whether the plan has a part for the edge.
        deadline: from input handed over to answer.
        margin: kept free before the deadline for handing the answer over.
        branches: what the device may answer with by itself; at least one.
        schedule: the turns on the device, shared with its other requests.
        call: called by the schedule when there is something to do earlier than was said: then `tick`.
        head: what the device is expected to need before the upload.
        expected: what the edge is expected to need from then on, the link included; infinite if unknown.
        scatter: share by which a local branch hardly ever takes longer than expected.
        race: whether a local branch may start while the edge still computes.
        trial: whether one may start that leaves no margin, as if there were no edge.
        patience: how long the edge may take where no local branch could answer in time anyway, and a request that will
            be late waits for those that need not be.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        *,
        started_at: Seconds,
        exit: int,
        uses_edge: bool,
        deadline: Seconds,
        margin: Seconds,
        branches: Sequence[LocalBranch],
        schedule: Schedule,
        call: Callable[[], None],
        head: Seconds = Seconds(0.0),
        expected: Seconds = Seconds(math.inf),
        scatter: float = 0.0,
        race: bool = True,
        trial: bool = False,
        patience: Seconds = PATIENCE,
    ) -> None:
        assert branches, "a device can always run some branch by itself"
        self.started_at = started_at
        self.exit = exit
        self.uses_edge = uses_edge
        self.deadline = deadline
        self.margin = margin
        self.give_at = Seconds(started_at + deadline - margin)
        self.branches = tuple(branches)
        self._fastest = min(branches, key=lambda branch: branch.seconds)
        self.head, self.expected, self.scatter = head, expected, scatter
        self.race, self.trial = race or trial, trial
        self.patience = patience
        self.delivered: Deliver | None = None
        self._schedule = schedule
        self._call = call
        self._turn: Turn | None = None
        self._head_started = self._sent = False
        self._edge_pending = uses_edge
        self._why = Reason.NONE
        self._local: int | None = None
        self._at_hand: int | None = None

    def planned(self, at: Seconds) -> tuple[Action, ...]:
        """It is known what is to be computed, and it can start."""
        return self._start_head(at) if self.uses_edge else self._start_local(at)

    def answered_first(self, at: Seconds, exit: int, *, is_sure: bool) -> tuple[Action, ...]:
        """The device's own answer to a plan with a gate."""
        del at  # sure or not, it comes before anything is sent
        self._local = self._at_hand = exit
        if not is_sure:
            return ()
        self._edge_pending = False
        self._leave()
        return self._deliver("device", exit, Reason.NONE)

    def head_done(self, at: Seconds) -> tuple[Action, ...]:
        """The boundary is encoded and can be sent."""
        self._sent = True
        self._leave()  # the head's turn is over, and the local branch needs one of its own
        if self.race and self._at_hand is None:
            self._reserve(at, at + _OVERDUE * self.expected)
        if self.trial and self._turn is None and self._at_hand is None:
            # The edge has as long as its answer could still be delivered in time; the device's own may take longer.
            return (Send(Seconds(max(0.0, self.give_at - at)), binding=True, meanwhile=self._start_local(at)),)
        return (self._send(at),)

    def would_take(self) -> frozenset[int]:
        """The exits at which an answer of the edge would be better than any that the device could give in time."""
        merits = {branch.exit: _merit(branch) for branch in self.branches}
        alone = (merits[branch.exit] for branch in self.branches if branch.seconds <= self.deadline - self.margin)
        best = max(alone, default=-math.inf)
        return frozenset(exit for exit, merit in merits.items() if merit > best)

    def expected_of(self, exit: int) -> Seconds:
        """Seconds that a local branch is expected to take."""
        return next(branch.seconds for branch in self.branches if branch.exit == exit)

    def edge_answered(self, at: Seconds, exit: int | None = None) -> tuple[Action, ...]:
        """The edge's answer, with the suffix computed, is at hand: at the plan's exit, or at another one."""
        if not self._edge_pending:
            return ()
        self._edge_pending = False
        # Rule 1 holds at any time; but one that is late where the device need not be says nothing for those behind it,
        # however long a deadline this one has.
        within = min(self.deadline, self._schedule.usual_deadline)
        if self.delivered is None and at - self.started_at <= max(within, self._fastest.seconds):
            self._schedule.stands_in = False
        if self._local is None:
            self._leave()  # a branch that has begun cannot be stopped: it keeps its turn until it is done
        if exit is None:
            return self._deliver("edge", self.exit, Reason.NONE)
        return self._deliver("edge", exit, Reason.BUSY)

    def edge_failed(self, at: Seconds, why: Reason) -> tuple[Action, ...]:
        """No answer will come by way of the edge: it failed, or the device its own part of the plan."""
        if not self._edge_pending:
            return ()
        self._edge_pending = False
        self._why = why
        if not self._sent:
            self._leave()  # the head's turn is over
        if self._at_hand is not None:
            return self._deliver("device", self._at_hand, why)
        # A branch under way answers when it is done, be it a faster one than would be chosen now.
        return () if self._local is not None else self._start_local(at)

    def local_done(self, at: Seconds, exit: int) -> tuple[Action, ...]:
        """The local branch has answered."""
        assert exit == self._local, f"branch {exit} was not started"
        self._at_hand = exit
        self._leave()
        return self.tick(at)

    def device_failed(self, at: Seconds) -> tuple[Action, ...]:
        """What was started on the device cannot be done: that ends the request, and its turn."""
        del at  # it has failed whenever that is
        self._leave()
        return ()

    def tick(self, at: Seconds) -> tuple[Action, ...]:
        """Time has passed."""
        if self.delivered is not None:
            return ()
        # The device's answer waits for a better one as long as that can still be delivered in time, and no longer.
        if self._at_hand is not None and (at >= self.give_at or not self._edge_pending):
            # Whoever failed before has said why already; an edge of which nothing was heard is late.
            why = self._why or (Reason.LATE if self._edge_pending else Reason.NONE)
            return self._deliver("device", self._at_hand, why)
        # Until the boundary is sent the device is busy with the head; a local branch beside it would slow both down.
        if self._edge_pending and not self._sent:
            return () if self._head_started else self._start_head(at)
        if self._local is None and at >= self._start_at:
            self._why = Reason.LATE if self._edge_pending else self._why
            return self._start_local(at)
        return self._wait()

    def __repr__(self) -> str:
        edge = "pending" if self._edge_pending else "not pending"
        local = f"local {self._local}, at hand {self._at_hand}"
        return f"<Request exit {self.exit}: edge {edge}, {local}, {self.delivered or 'not delivered'}>"

    @property
    def _start_at(self) -> float:
        """When the local branch is wanted."""
        # Nobody else can answer any more, or the turn waits for nothing but the device.
        if not self._edge_pending or (self._turn is not None and self._turn.wanted):
            return -math.inf
        # Without a race only a failure of the edge brings the device in.
        if not self.race:
            return math.inf
        if self._turn is not None:
            return self._turn.begin_at
        # It will be late, unless the edge is in time: and one that was not lately is hardly worth being later still.
        return -math.inf if self._schedule.stands_in else self.give_at

    def _wait(self) -> tuple[Action, ...]:
        if not self._edge_pending:
            return ()
        # While the local branch computes, its own end is the next event; before, and after, it is a moment.
        until = self._start_at if self._local is None else self.give_at
        computes = self._local is not None and self._at_hand is None
        return (WaitUntil(Seconds(until)),) if math.isfinite(until) and not computes else ()

    def _start_head(self, at: float) -> tuple[Action, ...]:
        """The head starts, or waits for its turn."""
        # A head of less than a slice holds nobody up: a turn for it would cost more than it keeps.
        if self.head > SLICE:
            if self._turn is None:
                self._turn = self._schedule.reserve(at, [self.head], self.give_at, self._call)
            if self._turn is None:
                self._turn = self._schedule.reserve_late(self.head, self._call, at + self.patience)
            self._turn.then = self._fastest.seconds if self.race else 0.0
            if self._schedule.begin(self._turn, at, [self.head], self.margin / 2) is None:
                return self._until_called(at)
        self._head_started = True
        return (StartHead(),)

    def _reserve(self, at: float, overdue_at: float = math.inf) -> None:
        # Without a branch that fits there is nothing to reserve: the edge is the only one that can still be in time.
        choice = [branch.seconds for branch in self._fitting(at, grace=0.0)]
        if choice:
            # The margin may be less than what long work strays by. Then its turn ends the earlier, as far as there is
            # time for that; where the others leave none, being in time by what is expected must do.
            stray = max(0.0, self.scatter * choice[0] - self.margin)
            early = min(self.give_at, max(self.give_at - stray, at + choice[0]))
            turns = (self._schedule.reserve(at, choice, due, self._call, overdue_at) for due in (early, self.give_at))
            self._turn = next(filter(None, turns), None)

    def _start_local(self, at: float) -> tuple[Action, ...]:
        """The local branch starts, or waits for its turn."""
        # Half the margin is for this thread having woken late: a branch started on time must not be lost to that.
        grace = self.margin / 2
        if self._turn is None:
            self._reserve(at)
        choice = self._fitting(at, grace)
        if self._turn is None or not (choice or math.isinf(self._turn.due)):
            # Too late for every branch: the fastest one, at a moment when it makes nobody else late as well.
            self._leave()
            self._turn = self._schedule.reserve_late(self._fastest.seconds, self._call, at + self.patience)
        choice = choice or [self._fastest]
        seconds = self._schedule.begin(self._turn, at, [branch.seconds for branch in choice], grace)
        if seconds is None:
            return self._until_called(at)
        self._local = next(branch.exit for branch in choice if branch.seconds == seconds)
        self._schedule.stands_in |= self.uses_edge
        return (StartLocal(self._local),)

    def _until_called(self, at: float) -> tuple[Action, ...]:
        """Its turn waits for others; nobody calls it where one that is expected reserves none."""
        until = self._schedule.expects_until
        return (WaitUntil(Seconds(until if until > at else math.inf)),)

    def _leave(self) -> None:
        if self._turn is not None:
            self._schedule.drop(self._turn)
            self._turn = None

    def _fitting(self, at: float, grace: float) -> list[LocalBranch]:
        """The branches to choose among that are done in time if they start now, the best first, each faster than that.

        As everywhere, the fastest of about equally accurate ones is the best.
        """
        # The last term is rounding: a branch that ends at the deadline by arithmetic is in time.
        left = [branch for branch in self.branches if at + branch.seconds <= self.give_at + grace + 1e-9]
        choice: list[LocalBranch] = []
        while left:
            most = max(_merit(branch) for branch in left)
            equal = (branch for branch in left if _merit(branch) >= most - TOLERANCE - DUST)
            # Then only faster ones are of use: all slower ones are at best about as accurate.
            choice.append(min(equal, key=lambda branch: (branch.seconds, -_merit(branch))))
            left = [branch for branch in left if branch.seconds < choice[-1].seconds]
        return choice

    def _send(self, at: Seconds) -> Send:
        # With a turn reserved a branch takes over in time, and an answer at hand is given in time: until then the edge
        # may answer. Else the request is late unless it does, and nothing is won by giving it up at the deadline.
        if self._turn is not None or self._at_hand is not None:
            return Send(Seconds(max(0.0, self.give_at - at)), binding=True, meanwhile=self.tick(at))
        left = self.started_at + self.deadline - at
        return Send(Seconds(max(left, self.patience)), binding=not self.race, meanwhile=self.tick(at))

    def _deliver(self, by: By, exit: int, why: Reason) -> tuple[Action, ...]:
        if self.delivered is not None:
            return ()
        self.delivered = Deliver(by, exit, why)
        return (self.delivered,)


def _merit(branch: LocalBranch) -> float:
    # Later exits of one network are trained to be better; without a measurement that is all that is known.
    return branch.exit if branch.accuracy is None else branch.accuracy
