"""One method on one trace in virtual time: requests come, it chooses, transfers integrate the trace, and are seen.

A request does not wait for the one before: at the next request at the latest, and not before the deadline, a
transfer that has not ended is given up. While the plan sends nothing and something that is sent could be better,
probes are sent (`edgent.link.probing`); the plan is looked at between requests too, for what was seen of the link grows
old. All methods probe alike. Before the first request each sends one probe, which is given up as any other is.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgent.link.probing import SHARE, WINDOW, Probe, ProbeBudget, probe_for
from edgent.link.transfer import WIRE, Transfer
from edgent.planning.planner import DUST
from edgent.replay.choices import Choices, Outcomes, outcomes
from edgent.replay.methods import World
from edgent.replay.predictors import Method
from edgent.units import Seconds

Floats = NDArray[np.float64]

PATIENCE = SHARE * WINDOW  # seconds after which a probe is given up, at the latest
_FIRST = 1_000  # bytes of the one before the first request, where none is of use
_LONGEST = 10.0  # seconds that an answer is waited for, back to back
_LEAST = 1e-6  # seconds, so that no time is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTimes:
    """When requests come.

    Attributes:
        first: Seconds after the trace's begin.
        interval: Seconds between requests; None: back to back.
        end: Seconds; none comes then or later.
    """

    first: float
    interval: float | None
    end: float

    @classmethod
    def drawn(cls, seed: int, interval: float | None, duration: float) -> RequestTimes:
        """The first one comes anywhere within an interval, once a probe has had its time."""
        # Recorded values begin at whole seconds, counted ones at half seconds. Were requests to come then too, each
        # would meet a link that has changed just since the probe before it; links have no such appointment.
        ahead = min(PATIENCE, duration / 2)
        phase = float(np.random.default_rng(seed).random()) * min(interval or 0.0, duration - ahead)
        return cls(first=ahead + phase, interval=interval, end=duration)

    def all(self) -> Floats:
        """All of them, where they come whatever is chosen."""
        assert self.interval is not None, "back to back they come as answers do"
        count = math.ceil((self.end - self.first) / self.interval) + 1
        times: Floats = self.first + self.interval * np.arange(count, dtype=np.float64)
        return times[times < self.end]

    def after(self, number: int, at: float, latency: float) -> float:
        """When the next one comes after that of this number, which came then and was answered so late."""
        return at + min(latency, _LONGEST) if self.interval is None else self.first + self.interval * (number + 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`Outcomes` of one request."""

    sent_at: float
    uploaded_at: float
    edge: float
    in_time: bool
    accuracy: float
    latency: float


class MethodRun:
    """One method on one trace.

    Args:
        world: The link, and what may be run.
        requests: When they come.
        who: The method.
        every: Each request's outcome by choice, where requests come whatever is chosen; None: found out on the way.

    Attributes:
        chosen: What the method chose, by request.
        outcomes: What came of it.
        claims: The chance of being in time that was claimed, and whether it was, of each request that used the link.
    """

    def __init__(
        self, world: World, requests: RequestTimes, who: Method, every: list[list[Outcome]] | None = None
    ) -> None:
        self.chosen: list[int] = []
        self.outcomes: list[Outcome] = []
        self.claims: list[tuple[float, bool]] = []
        self._world, self._requests, self._who, self._every = world, requests, who, every
        self._choices: Choices = world.choices
        self._pending: deque[Transfer] = deque()
        self._remote = world.choices.remote.tolist()
        self._deferred, self._owed = world.choices.deferred.tolist(), 0.0
        probe = probe_for(world.choices.useful, period=requests.interval or math.inf, least=WIRE.uplink(0.0))
        self._probes = probe is not None  # else nothing that is sent is ever better
        self._probe_sized = probe or Probe(bits=WIRE.uplink(float(_FIRST)), patience=Seconds(PATIENCE))
        self._budget = ProbeBudget()
        self._probe(0.0, requests.first)
        self._budget = ProbeBudget()  # the first one is a connection's, and costs no later one its turn

    def run(self) -> None:
        """Runs all requests."""
        at, deadline = self._requests.first, self._choices.deadline
        while at < self._requests.end:
            self._see(at)
            number, row, tried = len(self.chosen), self._who.choose(at), self._who.tried(at)
            sent = row if tried is None else tried
            outcome = self._outcome(number, sent, at)
            answer = outcome if tried is None else self._of_trial(tried, outcome)
            at_next = self._requests.after(number, at, answer.latency)
            # What comes of it is known at once; what the method sees of it, it sees when the transfer has ended.
            self.chosen.append(row)
            self.outcomes.append(answer)
            if self._who.claim is not None and self._remote[row]:
                self.claims.append((self._who.claim, outcome.edge <= deadline))
            self._after(sent, at, outcome, max(at_next, at + deadline))
            if self._probes:
                self._idle(sent, at + outcome.edge if self._remote[sent] else at, at_next)
            at = at_next

    def _outcome(self, number: int, row: int, at: float) -> Outcome:
        return outcome_of(self._world, row, at) if self._every is None else self._every[number][row]

    def _of_trial(self, tried: int, outcome: Outcome) -> Outcome:
        """The edge's answer where it is in time, else the device's own, which is given at the deadline."""
        choices = self._choices
        if outcome.edge <= choices.deadline + DUST or not (own := choices.at_hand(tried)):
            return outcome
        return replace(outcome, in_time=True, accuracy=own, latency=choices.deadline)

    def _see(self, now: float) -> None:
        # In the order in which they were begun, as answers on one connection: none overtakes the one before.
        while self._pending and self._pending[0].at <= now:
            self._who.observe(self._pending.popleft())

    def _after(self, row: int, at: float, outcome: Outcome, patience: float) -> None:
        choices = self._choices
        if self._sends(row):
            # Both ways as one transfer, as what a plan needs is of both: an answer that comes late says as much of the
            # link as a picture that does. What the edge takes between them is as known as the device's own times.
            bits = float(choices.bits_up[row] + choices.bits_down[row])
            ended = at + outcome.edge - float(choices.after[row])
            self._send(_size(bits), outcome.sent_at + float(choices.between[row]), ended, patience)
            # The device knows its own times: what is to be learned is the rest.
            own = float(choices.before[row] + choices.after[row])
            self._who.learn(row, min(outcome.edge, patience - at) - own)

    def _sends(self, row: int) -> bool:
        """Whether a request is one that the choice sends: of a policy's as many as it defers, evenly spread."""
        self._owed += self._deferred[row]
        is_sent = self._owed >= 1 - DUST
        self._owed -= is_sent
        return bool(is_sent)

    def _idle(self, row: int, at: float, until: float) -> None:
        """Until the next request: probes, as late as they can still tell something, if the plan would send nothing."""
        rhythm = self._requests.interval is not None
        while True:
            affordable = self._budget.affordable(self._probe_sized.patience)
            at = max(at, affordable, self._pending[-1].at if self._pending else 0.0)
            # One that would begin too late to end before the request tells it nothing: then the next one has it.
            if at > until - self._lead / 2:
                return
            at = max(at, until - self._lead) if rhythm else at
            self._see(at)
            if self._remote[self._who.plan(row, until)]:
                return
            self._probe(at, until)

    def _probe(self, at: float, until: float) -> None:
        bits, patience = self._probe_sized.bits, self._probe_sized.patience
        self._send(_size(bits), at, self._world.trace.arrival(at, bits), min(until, at + patience))
        self._budget.spent(Seconds(at), self._pending[-1].seconds)

    def _send(self, size: float, begin: float, end: float, until: float) -> None:
        ended = min(end, until)
        seconds = max(ended - begin, _LEAST)
        self._pending.append(Transfer(direction="up", size=size, seconds=seconds, at=Seconds(ended), cut=end > until))
        probe = self._probe_sized
        wire = probe.patience if end > until else 2 * seconds * probe.bits / WIRE.uplink(size)
        self._lead = min(probe.patience, wire) + self._choices.call_time


def outcome_of(world: World, row: int, at: float) -> Outcome:
    """What comes of a choice for a request at some time."""
    return by_request(outcomes(world.choices, np.array([[row]]), world.trace, np.array([[at]])))[0][0]


def by_request(every: Outcomes) -> list[list[Outcome]]:
    """By request and choice."""
    columns = [getattr(every, name).tolist() for name in Outcome.__slots__]
    return [[Outcome(*values) for values in zip(*rows, strict=True)] for rows in zip(*columns, strict=True)]


def stacked(results: list[Outcome]) -> Outcomes:
    """The other way round, of one choice for each request."""
    return Outcomes(**{name: np.array([getattr(one, name) for one in results]) for name in Outcome.__slots__})


def _size(bits: float) -> float:
    """Bytes of a message that has so many bits on the wire."""
    nothing = WIRE.uplink(0.0)
    return (bits - nothing) / (WIRE.uplink(1.0) - nothing)
