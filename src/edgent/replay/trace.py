"""One trace in virtual time: requests come, each method chooses, transfers integrate the trace, and are seen.

A request does not wait for the one before: at the next request at the latest, and not before the deadline, a
transfer that has not ended is given up. While the plan sends nothing and something that is sent could be better,
probes are sent, which take no more than 2 % of the time; the plan is looked at between requests too, for what was seen
of the link grows old. All methods probe alike. At the beginning each has seen one probe.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgent.link.generator import varied
from edgent.link.trace import Trace
from edgent.link.transfer import WIRE, Transfer
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.oracles import CLAIRVOYANT, best_in_time
from edgent.planning.planner import DUST
from edgent.planning.reward import Reward
from edgent.replay.choices import Choices, Outcomes, outcomes
from edgent.replay.methods import METHODS, World, foreseen, method
from edgent.replay.predictors import Method
from edgent.units import Seconds

Floats = NDArray[np.float64]

PROBE = 1_000  # bytes
_SHARE = 0.02  # of the time, that probes may take
_PATIENCE = 0.04  # seconds after which a probe is given up; sooner where the link is then too slow to be of use
_LONGEST = 10.0  # seconds that an answer is waited for, back to back
_LEAST = 1e-6  # seconds, so that no time is 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceSettings:
    """What all traces of a run have in common.

    Attributes:
        choices: What may be run.
        states: The map of the paper's controller.
        race: Whether a local branch answers when the edge is late.
        interval: Seconds between requests; None: back to back.
        variation: Coefficient of the short-term variation.
        seed: Of that variation.
        reward: What the mean reward is of.
    """

    choices: Choices
    states: ConfigurationMap
    race: bool
    interval: float | None
    variation: float
    seed: int
    reward: Reward


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """What one method has to show on one trace; sums over its requests."""

    requests: int
    accuracy: float
    missed: int
    reward: float
    throughput: float
    switches: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """One trace of a run.

    Attributes:
        name: Of the trace.
        sums: Of each method but `fixed`, by name.
        fixed: Sums of each choice, had it been the fixed one.
        beaten: Requests, of the clairvoyant's, at which each choice gave less than the clairvoyant.
        claims: Of each plan of `edgent` that used the link: the chance that it claimed, and 1 where it was in time,
            shape (n, 2).
    """

    name: str
    sums: dict[str, Sums]
    fixed: tuple[Sums, ...]
    beaten: Floats
    claims: Floats


def replayed(job: TraceSettings, trace: Trace, number: int) -> Replayed:
    """Runs every method over one trace; `number` is its place in the run, for the seed."""
    seed = int(np.random.SeedSequence([job.seed, number]).generate_state(1)[0])
    world = World(
        choices=job.choices,
        trace=varied(trace, seed, variation=job.variation),
        recorded=trace,
        variation=job.variation,
    )
    rows = np.arange(job.choices.remote.size)
    begins, chosen = _foreseen_run(job, world, rows)
    every = outcomes(job.choices, rows, world.trace, begins[:, None])
    known = None if job.interval is None else _singles(every)
    runs = {
        name: _Run(job, world, method(name, world, job.states, race=job.race), known)
        for name in METHODS
        if name not in ("fixed", CLAIRVOYANT)
    }
    sums = {name: run.sums() for name, run in runs.items()}
    picked = _picked(every, chosen)
    sums[CLAIRVOYANT] = _summed(job, picked, chosen)
    beaten = (every.accuracy < picked.accuracy[:, None]).sum(axis=0).astype(np.float64)
    return Replayed(
        name=trace.name, sums=sums, fixed=_fixed(job, world, every), beaten=beaten, claims=runs["edgent"].claims
    )


class _Run:
    """One method on one trace; where requests come whatever is chosen, `every` outcome is known before."""

    def __init__(self, job: TraceSettings, world: World, who: Method, every: list[list[_Single]] | None = None) -> None:
        self._job, self._world, self._who, self._every = job, world, who, every
        self._pending: deque[Transfer] = deque()
        self._remote = job.choices.remote.tolist()
        self._call_time = job.choices.call_time
        self._probe_bits = WIRE.uplink(PROBE)
        self._patience = min(_PATIENCE, 2 * self._probe_bits / job.choices.useful)
        self._probes = self._patience > 0  # else nothing that is sent is ever better
        self._claims: list[tuple[float, bool]] = []
        self._probe(0.0, math.inf, math.inf)
        self._who.observe(replace(self._pending.popleft(), at=Seconds(0.0)))  # as if sent just before
        self._probe_from = 0.0

    def sums(self) -> Sums:
        """Runs all requests."""
        chosen: list[int] = []
        singles: list[_Single] = []
        at, duration, deadline = 0.0, self._world.trace.duration, self._job.choices.deadline
        while at < duration:
            self._see(at)
            row = self._who.choose(at)
            outcome = self._outcome(len(chosen), row, at)
            at_next = _next(self._job, at, outcome.latency, len(chosen))
            chosen.append(row)
            singles.append(outcome)
            if self._who.claim is not None and self._remote[row]:
                self._claims.append((self._who.claim, outcome.edge <= deadline))
            self._after(row, at, outcome, max(at_next, at + deadline))
            if self._probes:
                self._idle(row, at + outcome.edge if self._remote[row] else at, at_next)
            at = at_next
        return _summed(self._job, _stacked(singles), np.array(chosen))

    @property
    def claims(self) -> Floats:
        """What was claimed, and what came of it; see `Replayed`."""
        return np.array(self._claims, dtype=np.float64).reshape(-1, 2)

    def _outcome(self, number: int, row: int, at: float) -> _Single:
        return _single(self._world, row, at) if self._every is None else self._every[number][row]

    def _see(self, now: float) -> None:
        while self._pending and self._pending[0].at <= now:
            self._who.observe(self._pending.popleft())

    def _after(self, row: int, at: float, outcome: _Single, patience: float) -> None:
        choices = self._job.choices
        if self._remote[row]:
            self._send(float(choices.table.bytes_up[row]), outcome.sent_at, outcome.uploaded_at, patience)
            own = float(choices.before[row] + choices.after[row])
            self._who.learn(row, min(outcome.edge, patience - at) - own)

    def _idle(self, row: int, at: float, until: float) -> None:
        """Until the next request: probes, as late as they can still tell something, if the plan would send nothing."""
        rhythm = self._job.interval is not None
        while True:
            due = until - self._lead if rhythm else at
            at = max(at, due, self._probe_from, self._pending[-1].at if self._pending else 0.0)
            if at >= until:
                return
            self._see(at)
            if self._remote[self._who.plan(row, until)]:
                return
            self._probe(at, until, self._patience)

    def _probe(self, at: float, until: float, patience: float) -> None:
        end = self._world.trace.arrival(at, self._probe_bits)
        self._send(PROBE, at, end, min(until, at + patience))
        self._probe_from = at + (self._pending[-1].seconds + self._call_time) / _SHARE

    def _send(self, size: float, begin: float, end: float, until: float) -> None:
        ended = min(end, until)
        seconds = max(ended - begin, _LEAST)
        self._pending.append(Transfer(direction="up", size=size, seconds=seconds, at=Seconds(ended), cut=end > until))
        wire = self._patience if end > until else 2 * seconds * self._probe_bits / WIRE.uplink(size)
        self._lead = min(self._patience, wire) + self._call_time


@dataclass(frozen=True, slots=True)
class _Single:
    """`Outcomes` of one request."""

    sent_at: float
    uploaded_at: float
    edge: float
    in_time: bool
    accuracy: float
    latency: float


def _single(world: World, row: int, at: float) -> _Single:
    return _singles(outcomes(world.choices, np.array([[row]]), world.trace, np.array([[at]])))[0][0]


def _singles(every: Outcomes) -> list[list[_Single]]:
    """By request and choice."""
    columns = [getattr(every, name).tolist() for name in _Single.__slots__]
    return [[_Single(*values) for values in zip(*rows, strict=True)] for rows in zip(*columns, strict=True)]


def _next(job: TraceSettings, at: float, latency: float, number: int) -> float:
    """When the request after the one of this number comes."""
    return at + min(latency, _LONGEST) if job.interval is None else job.interval * (number + 1)


def _stacked(singles: list[_Single]) -> Outcomes:
    columns = {name: np.array([getattr(single, name) for single in singles]) for name in _Single.__slots__}
    return Outcomes(**columns)


def _foreseen_run(job: TraceSettings, world: World, rows: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """When the clairvoyant's requests come, and what it chooses."""
    if job.interval is not None:
        begins = job.interval * np.arange(math.ceil(world.trace.duration / job.interval), dtype=np.float64)
        every = outcomes(job.choices, rows, world.trace, begins[:, None])
        return begins, best_in_time(every.accuracy, every.edge)
    times: list[float] = []
    chosen: list[int] = []
    at = 0.0
    while at < world.trace.duration:
        row = foreseen(world, rows, at)
        at_next = _next(job, at, _single(world, row, at).latency, len(chosen))
        times.append(at)
        chosen.append(row)
        at = at_next
    return np.array(times), np.array(chosen, dtype=np.intp)


def _picked(every: Outcomes, chosen: NDArray[np.intp]) -> Outcomes:
    requests = np.arange(chosen.size)
    return Outcomes(**{name: getattr(every, name)[requests, chosen] for name in _Single.__slots__})


def _fixed(job: TraceSettings, world: World, every: Outcomes) -> tuple[Sums, ...]:
    """What each choice would have shown as the fixed one."""
    count = job.choices.remote.size
    if job.interval is not None:
        return tuple(
            _summed(job, _picked(every, np.full(len(every.edge), row)), np.full(len(every.edge), row))
            for row in range(count)
        )
    return tuple(_Run(job, world, Method(row)).sums() for row in range(count))


def _summed(job: TraceSettings, runs: Outcomes, chosen: NDArray[np.intp]) -> Sums:
    rewards = [
        job.reward.value(accuracy, latency if in_time else math.inf, job.choices.deadline + DUST)
        for accuracy, latency, in_time in zip(
            runs.accuracy.tolist(), runs.latency.tolist(), runs.in_time.tolist(), strict=True
        )
    ]
    return Sums(
        requests=chosen.size,
        accuracy=float(runs.accuracy.sum()),
        missed=int((~runs.in_time).sum()),
        reward=math.fsum(rewards),
        throughput=float((1 / runs.latency).sum()),
        switches=int(np.count_nonzero(np.diff(chosen))),
    )
