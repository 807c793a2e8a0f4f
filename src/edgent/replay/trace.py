"""Every method over one trace: the same link and the same requests for all, and what each has to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.link.generator import varied
from edgent.link.trace import Trace
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.oracles import CLAIRVOYANT, best_in_time
from edgent.planning.planner import DUST
from edgent.planning.reward import Reward
from edgent.replay.choices import Choices, Outcomes, outcomes
from edgent.replay.method_run import MethodRun, Outcome, RequestTimes, by_request, outcome_of, stacked
from edgent.replay.methods import METHODS, World, foreseen, method
from edgent.replay.predictors import Method

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TraceSettings:
    """What all traces of a run have in common.

    Attributes:
        choices: What may be run.
        states: The map of the paper's controller.
        race: Whether a local branch answers when the edge is late.
        interval: Seconds between requests; None: back to back.
        variation: Coefficient of the short-term variation.
        seed: Of that variation, and of when the first request comes.
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
    # By its place in the run, and not by what ran before it: so processes may share the traces in any way.
    of_variation, of_requests = np.random.SeedSequence([job.seed, number]).generate_state(2).tolist()
    choices = job.choices.over(trace.downlink)
    world = World(
        choices=choices,
        trace=varied(trace, of_variation, variation=job.variation),
        recorded=trace,
        variation=job.variation,
    )
    requests = RequestTimes.drawn(of_requests, job.interval, trace.duration)
    rows = np.arange(choices.remote.size)
    # Where requests come whatever is chosen, each choice's outcome is the same for all methods, and is worked out once.
    begins, chosen = _foreseen_run(world, requests, rows)
    every = outcomes(choices, rows, world.trace, begins[:, None])
    known = None if job.interval is None else by_request(every)
    runs = {
        name: MethodRun(world, requests, method(name, world, job.states, race=job.race), known)
        for name in METHODS
        if name not in ("fixed", CLAIRVOYANT)
    }
    sums = {name: _run(job, run) for name, run in runs.items()}
    picked = _picked(every, chosen)
    sums[CLAIRVOYANT] = _summed(job, picked, chosen)
    beaten = (every.accuracy < picked.accuracy[:, None]).sum(axis=0).astype(np.float64)
    return Replayed(
        name=trace.name,
        sums=sums,
        fixed=_fixed(job, world, requests, every),
        beaten=beaten,
        claims=np.array(runs["edgent"].claims, dtype=np.float64).reshape(-1, 2),
    )


def _run(job: TraceSettings, run: MethodRun) -> Sums:
    run.run()
    return _summed(job, stacked(run.outcomes), np.array(run.chosen))


def _foreseen_run(world: World, requests: RequestTimes, rows: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """When the clairvoyant's requests come, and what it chooses."""
    if requests.interval is not None:
        begins = requests.all()
        every = outcomes(world.choices, rows, world.trace, begins[:, None])
        return begins, best_in_time(every.accuracy, every.edge)
    # Back to back the next request comes when this one is answered, so each way of choosing has requests of its own.
    times: list[float] = []
    chosen: list[int] = []
    at = requests.first
    while at < requests.end:
        row = foreseen(world, rows, at)
        at_next = requests.after(len(chosen), at, outcome_of(world, row, at).latency)
        times.append(at)
        chosen.append(row)
        at = at_next
    return np.array(times), np.array(chosen, dtype=np.intp)


def _picked(every: Outcomes, chosen: NDArray[np.intp]) -> Outcomes:
    rows = np.arange(chosen.size)
    return Outcomes(**{name: getattr(every, name)[rows, chosen] for name in Outcome.__slots__})


def _fixed(job: TraceSettings, world: World, requests: RequestTimes, every: Outcomes) -> tuple[Sums, ...]:
    """What each choice would have shown as the fixed one."""
    count = job.choices.remote.size
    if job.interval is not None:
        return tuple(
            _summed(job, _picked(every, np.full(len(every.edge), row)), np.full(len(every.edge), row))
            for row in range(count)
        )
    return tuple(_run(job, MethodRun(world, requests, Method(row))) for row in range(count))


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
