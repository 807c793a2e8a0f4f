"""The sweep: random networks timed on this machine, for the latency model of models never measured.

Each specimen is run without a profiler, which tells how long it takes, and with one, which tells how that divides among
its kernels; warm, and with its constants out of the caches, as those of a large model are. A machine is not always
equally fast, in arithmetic or in memory, so a small convolution and a copy are timed beside every run: the fit learns
how slow they were just then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from edgent.engine.engine import Engine, Session
from edgent.engine.feeds import Feeds, random_feeds
from edgent.latency.booking import deflated
from edgent.latency.family import References, Sample
from edgent.latency.traits import FORGOTTEN, Traits, footprint, traits
from edgent.model.builder import Builder
from edgent.model.kernels import RUN, Kernel, kernels
from edgent.model.specimens import FIRST_GO, specimen
from edgent.model.values import Tensor
from edgent.profiling.interruptions import without_interruptions
from edgent.profiling.next_specimen import next_number
from edgent.profiling.timing import Clock, Progress, Task

_ROUNDS = 5
# Cold runs take long, for all caches are emptied before each, and only kernels of mostly constants use them.
_COLD_ROUNDS = 2
_BURST = 0.0015  # seconds that a timing lasts at least
_MOST_IN_BURST = 20
_MOSTLY_CONSTANTS = 4.0  # times its other tensors: only then does a cold run show the constants and nothing else
_SMALLEST, _LARGEST = 1e7, 4e8  # floating point operations of a specimen
_SHARE = 1 / 20_000  # of the budget, that a specimen's largest layers may take
_TINY, _TINY_ROUNDS = 100, 20  # nodes, and runs of them, that show what the profiler adds
_LEAST = 1e-7  # seconds of a run beside its nodes: nothing is free
_COPIED = 800_000  # bytes that the reference for memory copies: with their copy more than the caches of a core hold
_CREDIBLE = 100.0  # times a reference's median: what takes longer beside it was interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenTimes:
    """One specimen's timings.

    Attributes:
        number: the specimen's.
        seconds: what timing it took.
        kernels: what was timed, warm or cold.
        times: seconds of each.
        references: what the references took meanwhile.
    """

    number: int
    seconds: float
    kernels: tuple[Traits, ...]
    times: tuple[float, ...]
    references: tuple[References, ...]


class SpecimenTimer:
    """Times specimens.

    Args:
        engine: runs them.
        folder: for the engine's files; empty again where nothing was interrupted.
        clock: seconds, never going back; one that does is not believed. The budget is spent by it.
        stopwatch: the clock that runs are timed by, such as that of `stopwatch_for`; by default the same.
    """

    def __init__(
        self, engine: Engine, folder: Path, clock: Clock = time.perf_counter, stopwatch: Clock | None = None
    ) -> None:
        self._engine, self._folder, self._clock, self._stopwatch = engine, folder, clock, stopwatch or clock
        builder = Builder()
        # A convolution of medium size that stays in a core's caches: its time is arithmetic and nothing else.
        segment = builder.segment([builder.conv(builder.input((1, 64, 28, 28)), 64, 3)])
        self._convolution, self._convolution_feeds = engine.build(segment), _feeds(segment.given)
        # Ones: pages of zeros that nobody has written to are all one page, and that stays in the cache.
        self._source, self._copy = (np.ones(_COPIED // 8) for _ in range(2))
        self._caches = np.ones(int(FORGOTTEN) // 8)
        self.around, self.added = self._overheads()
        # Multiplications and additions of that convolution: filters x channels x 3 x 3 x positions.
        self._flops = 2 * 64 * 64 * 9 * 28 * 28

    def _overheads(self) -> tuple[float, float]:
        """Seconds of a run beside its nodes, and those that the profiler adds to each node."""
        # One sigmoid of one number, and a hundred: they take next to nothing themselves. What the one takes is the run,
        # and what is reported of the many beyond what they take is the profiler.
        (one, _), (many, reported) = self._tiny(1), self._tiny(_TINY)
        node = max(0.0, many - one) / (_TINY - 1)
        return max(0.0, one - node), max(0.0, reported - many) / _TINY

    def _tiny(self, nodes: int) -> tuple[float, float]:
        """Seconds of a run of so many tiny nodes, and what the profiler reports of them."""
        builder = Builder()
        x = builder.input((1, 1))
        for _ in range(nodes):
            x = builder.activation(x, "Sigmoid")
        segment = builder.segment([x])
        plain, profiled = self._engine.build(segment), self._engine.build(segment, profile=self._folder)
        feeds = _feeds(segment.given)
        runs = []
        for _ in range(_TINY_ROUNDS):
            # By turns, so that both meet the same phases of the machine.
            runs.append(self.timed(plain, feeds, 4)[0])
            profiled.run(feeds)
        return median(runs), sum(map(median, profiled.end_profiling().values()))

    def most_flops(self, budget: float) -> float:
        """How much arithmetic a specimen may hold, so that a budget is enough for many of them."""
        # The fastest of five: any disturbance makes a run longer, never shorter.
        speed = self._flops / max(1e-9, min(self.references().arithmetic for _ in range(5)))
        # A specimen's share of the budget, falling with its root: longer sweeps time more and larger specimens, not
        # only more.
        return min(max(_SMALLEST, speed * budget * _SHARE * math.sqrt(60 / budget) * 2), _LARGEST)

    def time(self, number: int, most_flops: float) -> SpecimenTimes:
        """Times one specimen."""
        begun = self._clock()
        drawn = specimen(number, most_flops)
        feeds = _feeds(drawn.segment.given)
        plain = self._engine.build(drawn.segment)
        optimised = self._folder / "optimised.onnx"
        profiled = self._engine.build(drawn.segment, profile=self._folder, optimised=optimised)
        fused = kernels(optimised, drawn.shapes)
        optimised.unlink()
        runs = _Runs(self, plain, profiled, feeds)
        samples = [*runs.samples(fused)]
        # A clock that was set back must not give a negative time.
        seconds = max(0.0, self._clock() - begun)
        return SpecimenTimes(
            number=number,
            seconds=seconds,
            kernels=tuple(sample.traits for sample in samples),
            times=tuple(sample.seconds for sample in samples),
            references=tuple(sample.slowness for sample in samples),
        )

    def timed(
        self, session: Session, feeds: Feeds, count: int = 1, *, prepare: Task | None = None
    ) -> tuple[float, References]:
        """Mean seconds of a run, and of the references around it.

        Args:
            session: what to run.
            feeds: with what.
            count: how often.
            prepare: done just before; None: a run that does not count, for the references push a small network out of
                the caches, and one that runs over and over is there.
        """
        # References before and after: what lies between is taken to have met their mean.
        before = self.references()
        if prepare is None:
            session.run(feeds)
        else:
            prepare()
        begun = self._stopwatch()
        for _ in range(count):
            session.run(feeds)
        seconds = (self._stopwatch() - begun) / count
        after = self.references()
        return seconds, References(*((a + b) / 2 for a, b in zip(before, after, strict=True)))

    def burst(self, session: Session, feeds: Feeds) -> tuple[int, float]:
        """How many runs one timing needs, and the seconds of a first one."""
        begun = self._stopwatch()
        session.run(feeds)
        seconds = max(self._stopwatch() - begun, 1e-9)
        return max(1, min(_MOST_IN_BURST, int(_BURST / seconds))), seconds

    def empty_caches(self) -> None:
        """Pushes everything else out of the caches."""
        self._caches.sum()

    def references(self) -> References:
        """What the references take now."""
        memory = self._second_time(lambda: np.copyto(self._copy, self._source))
        arithmetic = self._second_time(lambda: self._convolution.run(self._convolution_feeds))
        return References(arithmetic=arithmetic, memory=memory)

    def _second_time(self, work: Task) -> float:
        # The first call brings the data of the reference into the caches, the second one is timed.
        work()
        begun = self._stopwatch()
        work()
        return self._stopwatch() - begun


class _Runs:
    """All runs of one specimen, without and with a profiler by turns, both in bursts of as many."""

    def __init__(self, bench: SpecimenTimer, plain: Session, profiled: Session, feeds: Feeds) -> None:
        self.warm: list[tuple[float, References]] = []
        self.cold: list[tuple[float, References]] = []
        # Of the profiled session: what they are, how many runs, and seconds of one by the stopwatch, 0 if not timed.
        self.bursts = [("first", 1, 0.0)]
        self.around, self.added = bench.around, bench.added
        self._time(bench, plain, profiled, feeds)
        self.nodes = profiled.end_profiling()

    def _time(self, bench: SpecimenTimer, plain: Session, profiled: Session, feeds: Feeds) -> None:
        # Neither first run counts: sessions allocate their memory then.
        plain.run(feeds)
        profiled.run(feeds)
        count, _ = bench.burst(plain, feeds)
        for number in range(_ROUNDS):
            self.warm.append(bench.timed(plain, feeds, count))
            # The profiled session runs in the same rounds and the same bursts, so both meet the same state of caches
            # and machine.
            seconds, _ = bench.timed(profiled, feeds, count)
            # The profiled session writes one event per node and run: these counts say which run each event belongs to.
            self.bursts += [("again", 1, 0.0), ("warm", count, seconds)]
            if number < _COLD_ROUNDS:
                self.cold.append(bench.timed(plain, feeds, prepare=bench.empty_caches))
                seconds, _ = bench.timed(profiled, feeds, prepare=bench.empty_caches)
                self.bursts.append(("cold", 1, seconds))

    def samples(self, fused: Sequence[Kernel]) -> Iterator[Sample]:
        """The kernels' times, scaled to the runs without a profiler; the slowness is the references' time here."""
        # Warm: since the last run only this network passed through the caches. Cold: everything did.
        for kind, timings, touched in (("warm", self.warm, footprint(fused)), ("cold", self.cold, FORGOTTEN)):
            credible = [(seconds, *references) for seconds, references in timings if min(seconds, *references) > 0]
            if not credible:
                continue
            # Medians over the rounds: one disturbed round must not count.
            whole, *references = (median(column) for column in zip(*credible, strict=True))
            if kind == "warm":
                yield Sample(traits(RUN, touched), max(self.around, _LEAST), References(*references))
            times = self._scaled(
                kind, whole - self.around, {kernel.name: kernel.events for kernel in fused if kernel.bodies}
            )
            for kernel in fused:
                # A cold run is slow for all its tensors. Only where nearly all of a kernel's bytes are constants is the
                # cold time that of reading constants; others would be learned as slower than they are in a network that
                # runs warm.
                if times.get(kernel.name, 0.0) > 0 and (kind == "warm" or _mostly_constants(kernel)):
                    yield Sample(traits(kernel, touched), times[kernel.name], References(*references))

    def _scaled(self, kind: str, whole: float, events: Mapping[str, float]) -> dict[str, float]:
        kept = deflated(self._profiled(kind), self.added, events)
        total = sum(kept.values())
        # The profiler's proportions, scaled to the time without it.
        return {name: seconds * whole / total for name, seconds in kept.items()} if min(total, whole) > 0 else {}

    def _profiled(self, kind: str) -> dict[str, float]:
        """Seconds of each node, with what the profiler adds."""
        ends = np.cumsum([count for _, count, _ in self.bursts])
        # A node that did not run in every run (a branch of control flow) cannot be assigned to bursts.
        runs = {
            name: np.split(np.array(seconds), ends[:-1])
            for name, seconds in self.nodes.items()
            if len(seconds) == ends[-1]
        }
        if not runs:
            return {}
        these = [k for k, (this, _, _) in enumerate(self.bursts) if this == kind]
        times = np.array([[bursts[k].mean() for bursts in runs.values()] for k in these])
        left = without_interruptions(times, np.array([self.bursts[k][2] for k in these]))
        return dict(zip(runs, left.tolist(), strict=True))


def sweep(
    bench: SpecimenTimer,
    *,
    budget: float,
    done: Sequence[SpecimenTimes] = (),
    keep: Callable[[SpecimenTimes], None] = lambda _: None,
    progress: Progress | None = None,
) -> tuple[SpecimenTimes, ...]:
    """Times specimens until a budget is spent.

    Args:
        bench: times them.
        budget: seconds, those spent on what is done already included.
        done: what an earlier sweep timed.
        keep: called with each specimen as soon as it is timed.
        progress: called with the seconds spent and the budget.
    """
    timed = list(done)
    spent = sum(one.seconds for one in timed)
    most = bench.most_flops(budget)
    while spent < budget:
        one = bench.time(next_number(timed), _first_go(most) if len(timed) < FIRST_GO else most)
        timed.append(one)
        keep(one)
        spent += max(one.seconds, 1e-3)  # a clock that stands still must not keep the sweep going for ever
        if progress:
            progress(min(round(spent), round(budget)), round(budget))
    return tuple(timed)


def _first_go(most_flops: float) -> float:
    """Arithmetic of the specimens of the first go round: small ones, for what matters is that no block lacks."""
    return max(_SMALLEST, most_flops / 4)


def usual_references(timed: Sequence[SpecimenTimes]) -> References:
    """Median seconds of the references."""
    timings = [references for one in timed for references in one.references]
    return References(*map(median, zip(*timings, strict=True))) if timings else References(1.0, 1.0)


def samples(timed: Sequence[SpecimenTimes]) -> list[list[Sample]]:
    """The samples of each specimen, with how slow the references were beside their medians over all of them."""
    usual = usual_references(timed)
    return [
        [
            Sample(kernel, seconds, slowness(references, usual))
            for kernel, seconds, references in zip(one.kernels, one.times, one.references, strict=True)
            # A reference that took a hundred times its median was interrupted, and so perhaps was the kernel beside it.
            if all(now < _CREDIBLE * then for now, then in zip(references, usual, strict=True))
        ]
        for one in timed
    ]


def slowness(references: References, usual: References) -> References:
    """Logarithms of what the references took, over what they usually take."""
    return References(*(math.log(now / then) for now, then in zip(references, usual, strict=True)))


def _mostly_constants(kernel: Kernel) -> bool:
    constants = sum(math.prod(shape) for shape in kernel.weights)
    others = sum(math.prod(shape) for shape in kernel.inputs) + math.prod(kernel.output)
    return constants > _MOSTLY_CONSTANTS * others


def _feeds(inputs: Sequence[Tensor]) -> Feeds:
    return random_feeds(inputs, np.random.default_rng(0))
