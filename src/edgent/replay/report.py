"""Many traces: each on a core of its own, then one table."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.trace import Trace
from edgent.link.transfer import CALL_TIME
from edgent.planning.candidates import Candidates
from edgent.planning.oracles import CLAIRVOYANT, REGIME
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.planning.reward import LEXICOGRAPHIC, Reward
from edgent.replay.choices import Choices
from edgent.replay.methods import BASELINES, METHODS
from edgent.replay.trace import Replayed, Sums, TraceSettings, replayed
from edgent.units import BitsPerSecond, Seconds, format_duration

if TYPE_CHECKING:
    from edgent.codec import MeasureName
    from edgent.latency import Profile

AHEAD = 0.01
"""The regime oracle must be this far ahead of the best baseline for a gap to be spoken of."""

_STATES = grid(BitsPerSecond(1e4), BitsPerSecond(2e8), 428)  # as many states as the paper's map has
_MOST = 200_000  # requests on a trace; their outcomes are all held at once
_OFTEN = 0.01  # seconds between requests, back to back
_TOO_FEW = 8  # requests below which starting processes takes longer than it saves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplaySettings:
    """What is asked of a replay.

    Attributes:
        candidates: What may be run.
        device: The profile that they were priced with.
        edge: The same of the edge.
        deadline: Of each request.
        interval: Seconds between requests; None: back to back.
        variation: Coefficient of the short-term variation, 0: as recorded.
        seed: Of all that is random.
        race: Whether all methods have a local branch when the edge is late, or none has.
        reward: What the mean reward is of.
        call_time: What a call takes whatever its size and the link, seconds.
    """

    candidates: Candidates
    device: Profile
    edge: Profile
    deadline: Seconds
    interval: float | None = 2.0
    variation: float = 0.0
    seed: int = 0
    race: bool = True
    reward: Reward = LEXICOGRAPHIC
    call_time: Seconds = CALL_TIME

    def __post_init__(self) -> None:
        if not 0 < self.deadline < math.inf:
            raise InputError(f"deadline {self.deadline!r}: expected a positive, finite number of seconds")
        if self.interval is not None and not 0.01 <= self.interval < math.inf:
            raise InputError(f"interval {self.interval!r}: expected 10 ms or more")
        if not 0 <= self.variation <= 2:
            raise InputError(f"variation {self.variation!r}: expected a coefficient from 0 to 2")
        if self.seed < 0:
            raise InputError(f"seed {self.seed}: expected 0 or more")
        if not 0 <= self.call_time < math.inf:
            raise InputError(f"call time {self.call_time!r}: expected 0 seconds or more")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Report:
    """What came out.

    Attributes:
        deadline: Of each request.
        measure: What the accuracies are; None: they are not known, and methods are ranked by what is in time.
        names: Of the traces.
        per_trace: Sums of every method, `fixed` included, for each trace.
        contested: Share of requests at which the clairvoyant's answer beats the fixed plan's.
        fixed: The fixed plan, printed.
        claims: Chances that `edgent` claimed, and what came of them; see `Replayed`.
    """

    deadline: Seconds
    measure: MeasureName | None
    names: tuple[str, ...]
    per_trace: tuple[dict[str, Sums], ...]
    contested: float
    fixed: str
    claims: NDArray[np.float64]

    def mean(self, method: str, what: str) -> float:
        """A sum of one method, per request."""
        requests = sum(sums[method].requests for sums in self.per_trace)
        total: float = sum(getattr(sums[method], what) for sums in self.per_trace)
        return total / requests

    @property
    def best_baseline(self) -> str:
        """The baseline of the highest accuracy in time."""
        return max(BASELINES, key=lambda name: self.mean(name, "accuracy"))

    @property
    def gap_closed(self) -> float | None:
        """(ours - best baseline) / (regime oracle - best baseline); None where the latter is less than a point."""
        base = self.mean(self.best_baseline, "accuracy")
        gap = self.mean(REGIME, "accuracy") - base
        return (self.mean("edgent", "accuracy") - base) / gap if gap >= AHEAD else None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "deadline_ms": round(self.deadline * 1e3, 6),
            "traces": len(self.per_trace),
            "contested": self.contested,
            "gap_closed": self.gap_closed,
            "methods": self.methods,
        }

    @property
    def methods(self) -> dict[str, dict[str, float | None]]:
        """What each method has to show, by name; an agreement or a fidelity is called so."""
        return {name: self._method(name) for name in METHODS}

    def _method(self, name: str) -> dict[str, float | None]:
        number = {} if self.measure is None else {f"{self.measure}_in_time": self.mean(name, "accuracy")}
        return {
            "accuracy_in_time": None,
            **number,
            "miss_rate": self.mean(name, "missed"),
            "reward_mean": self.mean(name, "reward"),
            "throughput_mean": self.mean(name, "throughput"),
            "switches": sum(sums[name].switches for sums in self.per_trace),
        }

    def __repr__(self) -> str:
        return f"<Report {format_duration(self.deadline)}, {len(self.per_trace)} traces, gap closed {self.gap_closed}>"


def replay(
    request: ReplaySettings,
    traces: Sequence[Trace],
    *,
    processes: int | None = None,
    pool: Executor | None = None,
    done: Callable[[int], None] | None = None,
) -> Report:
    """Runs all methods over some traces; the same request gives the same report, to the bit.

    Args:
        request: What is asked.
        traces: The links.
        processes: How many run at a time; None: one on each core.
        pool: Processes that are there already, for who replays often; see `workers`.
        done: Told how many traces are done, after each.

    Raises:
        InputError: no trace, or one too long.
    """
    if not traces:
        raise InputError("found no trace, expected one or more")
    for trace in traces:
        if trace.duration > _MOST * (request.interval or _OFTEN):
            raise InputError(
                f"{trace.name}: lasts {format_duration(trace.duration)}, expected at most {_MOST} requests: "
                "cut it, or let them come less often"
            )
    job = _job(request, apart=any(trace.downlink != 1 for trace in traces))
    replays = []
    for replay in _all(job, traces, processes or os.cpu_count() or 1, pool):
        replays.append(replay)
        if done is not None:
            done(len(replays))
    return _report(request, job, replays)


def _job(request: ReplaySettings, *, apart: bool = False) -> TraceSettings:
    choices = Choices.of(
        request.candidates, request.deadline, race=request.race, call_time=request.call_time, apart=apart
    )
    recipe = MapSettings(bandwidths=_STATES, deadlines=[request.deadline], reward=request.reward)
    return TraceSettings(
        choices=choices,
        states=build_map(choices.table, "", request.device, request.edge, recipe),
        race=request.race,
        interval=request.interval,
        variation=request.variation,
        seed=request.seed,
        reward=request.reward,
    )


def workers(processes: int | None = None) -> Executor:
    """Processes to replay in, one on each core unless told; a context manager."""
    return ProcessPoolExecutor(processes or os.cpu_count(), mp_context=multiprocessing.get_context("spawn"))


def _all(job: TraceSettings, traces: Sequence[Trace], processes: int, pool: Executor | None) -> Iterator[Replayed]:
    """In the traces' order, whoever is done first."""
    if pool is not None:
        share = max(1, len(traces) // (4 * processes))
        yield from pool.map(replayed, repeat(job), traces, range(len(traces)), chunksize=share)
    elif processes == 1 or len(traces) < _TOO_FEW:
        yield from map(replayed, repeat(job), traces, range(len(traces)))
    else:
        with workers(processes) as own:
            yield from _all(job, traces, processes, own)


def _report(request: ReplaySettings, job: TraceSettings, replays: Sequence[Replayed]) -> Report:
    # The best in hindsight over all traces: one choice for all of them, or it would know each trace beforehand.
    totals = np.array([[sums.accuracy for sums in replay.fixed] for replay in replays]).sum(axis=0)
    requests = np.array([[sums.requests for sums in replay.fixed] for replay in replays]).sum(axis=0)
    best = int((totals / requests).argmax())
    compared = sum(replay.sums[CLAIRVOYANT].requests for replay in replays)
    table = request.candidates
    return Report(
        deadline=request.deadline,
        measure=None if np.isnan(table.accuracy).any() else table.measure,
        names=tuple(replay.name for replay in replays),
        per_trace=tuple({**replay.sums, "fixed": replay.fixed[best]} for replay in replays),
        contested=float(sum(replay.beaten[best] for replay in replays)) / compared,
        claims=np.concatenate([replay.claims for replay in replays]),
        fixed=_named(job.choices.table, best),
    )


def _named(table: Candidates, row: int) -> str:
    plan, gate = table.configurations[row], table.gate_of(row)
    where = "on the device" if plan.device_only else f"cuts {plan.upload_cut}..{plan.download_cut} {plan.codecs}"
    return f"exit {plan.exit} {where}{'' if gate is None else f' unless exit {gate.exit} is sure'}"
