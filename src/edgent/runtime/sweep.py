"""The sweep: random networks timed on this machine, for the latency model of models never measured.

Each specimen is run without a profiler, which tells how long it takes, and with one, which tells how that divides among
its kernels; warm, and with its constants out of the caches, as those of a large model are. A machine is not always
equally fast, so a small convolution is timed beside every run: the fit is told how slow it was just then.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from edgent.latency.booking import deflated
from edgent.latency.family import Sample
from edgent.latency.traits import FORGOTTEN, Traits, footprint, traits
from edgent.model.builder import Builder
from edgent.model.kernels import Kernel, kernels
from edgent.model.specimens import Specimen, specimen
from edgent.runtime.engine import Engine, Feeds, Session
from edgent.runtime.timing import Progress

Clock = Callable[[], float]

_ROUNDS = 5
_COLD_ROUNDS = 2
_BURST = 0.0015  # seconds that a timing lasts at least
_MOST_IN_BURST = 20
_MOSTLY_CONSTANTS = 4.0  # times its other tensors: only then does a cold run show the constants and nothing else
_SMALLEST, _LARGEST = 1e7, 4e8  # floating point operations of a specimen
_SHARE = 1 / 20_000  # of the budget, that a specimen's largest layers may take
_TINY, _TINY_ROUNDS = 100, 20  # nodes, and runs of them, that show what the profiler adds
_CREDIBLE = 100.0  # times the reference's median: what takes longer beside it was interrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One specimen's timings.

    Attributes:
        number: the specimen's.
        seconds: what timing it took.
        kernels: what was timed, warm or cold.
        times: seconds of each.
        references: seconds of the reference meanwhile.
    """

    number: int
    seconds: float
    kernels: tuple[Traits, ...]
    times: tuple[float, ...]
    references: tuple[float, ...]


class Bench:
    """Times specimens.

    Args:
        engine: runs them.
        clock: seconds, never going back; one that does is not believed.
    """

    def __init__(self, engine: Engine, clock: Clock = time.perf_counter) -> None:
        self._engine, self._clock = engine, clock
        made = Builder()
        segment = made.segment([made.conv(made.input((1, 64, 28, 28)), 64, 3)])
        self._reference, self._reference_feeds = engine.build(segment), _feeds(segment.given)
        self._caches = np.zeros(int(FORGOTTEN) // 8)
        self.added = self._added_by_profiler()
        self._flops = 2 * 64 * 64 * 9 * 28 * 28

    def _added_by_profiler(self) -> float:
        """Seconds that the profiler adds to each node: what it reports of tiny nodes beyond what they take."""
        made = Builder()
        x = made.input((1, 1))
        for _ in range(_TINY):
            x = made.activation(x, "Sigmoid")
        segment = made.segment([x])
        plain, profiled = self._engine.build(segment), self._engine.build(segment, profile=True)
        feeds = _feeds(segment.given)
        runs = []
        for _ in range(_TINY_ROUNDS):
            runs.append(self.timed(plain, feeds, 4)[0])
            profiled.run(feeds)
        reported = sum(map(median, profiled.end_profiling().values()))
        return max(0.0, reported - median(runs)) / _TINY

    def most_flops(self, budget: float) -> float:
        """How much arithmetic a specimen may hold, so that a budget is enough for many of them."""
        speed = self._flops / max(1e-9, min(self._reference_time() for _ in range(5)))
        return min(max(_SMALLEST, speed * budget * _SHARE * math.sqrt(60 / budget) * 2), _LARGEST)

    def time(self, number: int, most_flops: float) -> Timed:
        """Times one specimen."""
        begun = self._clock()
        drawn = specimen(number, most_flops)
        feeds = _feeds(drawn.segment.given)
        plain = self._engine.build(drawn.segment)
        with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
            optimised = Path(folder) / "optimised.onnx"
            profiled = self._engine.build(drawn.segment, profile=True, optimised=optimised)
            found = kernels(optimised, drawn.shapes)
        runs = _Runs(self, plain, profiled, feeds)
        samples = [*runs.samples(found)]
        taken = max(0.0, self._clock() - begun)
        return Timed(
            number=number,
            seconds=taken,
            kernels=tuple(sample.traits for sample in samples),
            times=tuple(sample.seconds for sample in samples),
            references=tuple(sample.slowness for sample in samples),
        )

    def timed(self, session: Session, feeds: Feeds, count: int = 1) -> tuple[float, float]:
        """Mean seconds of a run, and of the reference around it."""
        before = self._reference_time()
        begun = self._clock()
        for _ in range(count):
            session.run(feeds)
        seconds = (self._clock() - begun) / count
        return seconds, (before + self._reference_time()) / 2

    def burst(self, session: Session, feeds: Feeds) -> tuple[int, float]:
        """How many runs one timing needs, and the seconds of a first one."""
        begun = self._clock()
        session.run(feeds)
        taken = max(self._clock() - begun, 1e-9)
        return max(1, min(_MOST_IN_BURST, int(_BURST / taken))), taken

    def empty_caches(self) -> None:
        """Pushes everything else out of the caches."""
        self._caches.sum()

    def _reference_time(self) -> float:
        self._reference.run(self._reference_feeds)
        begun = self._clock()
        self._reference.run(self._reference_feeds)
        return self._clock() - begun


class _Runs:
    """All runs of one specimen, without and with a profiler by turns."""

    def __init__(self, bench: Bench, plain: Session, profiled: Session, feeds: Feeds) -> None:
        self.warm: list[tuple[float, float]] = []
        self.cold: list[tuple[float, float]] = []
        self.kinds = ["first"]
        plain.run(feeds)
        profiled.run(feeds)
        count, _ = bench.burst(plain, feeds)
        for number in range(_ROUNDS):
            plain.run(feeds)
            self.warm.append(bench.timed(plain, feeds, count))
            profiled.run(feeds)
            bench.timed(profiled, feeds)
            self.kinds += ["again", "warm"]
            if number < _COLD_ROUNDS:
                bench.empty_caches()
                self.cold.append(bench.timed(plain, feeds))
                bench.empty_caches()
                bench.timed(profiled, feeds)
                self.kinds.append("cold")
        self.added = bench.added
        self.nodes = profiled.end_profiling()

    def samples(self, found: Sequence[Kernel]) -> Iterator[Sample]:
        """The kernels' times, scaled to the runs without a profiler; the slowness is the reference's time here."""
        for kind, timings, touched in (("warm", self.warm, footprint(found)), ("cold", self.cold, FORGOTTEN)):
            credible = [(seconds, reference) for seconds, reference in timings if seconds > 0 and reference > 0]
            if not credible:
                continue
            whole, reference = (median(column) for column in zip(*credible, strict=True))
            times = self._scaled(kind, whole)
            for kernel in found:
                if times.get(kernel.name, 0.0) > 0 and (kind == "warm" or _mostly_constants(kernel)):
                    yield Sample(traits(kernel, touched), times[kernel.name], reference)

    def _scaled(self, kind: str, whole: float) -> dict[str, float]:
        chosen = [position for position, this in enumerate(self.kinds) if this == kind]
        times = {
            name: median(seconds[position] for position in chosen)
            for name, seconds in self.nodes.items()
            if len(seconds) == len(self.kinds)
        }
        kept = deflated(times, self.added)
        total = sum(kept.values())
        return {name: seconds * whole / total for name, seconds in kept.items()} if total > 0 else {}


def sweep(
    bench: Bench,
    *,
    budget: float,
    done: Sequence[Timed] = (),
    keep: Callable[[Timed], None] = lambda _: None,
    progress: Progress | None = None,
) -> tuple[Timed, ...]:
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
    number = 1 + max((one.number for one in timed), default=-1)
    while spent < budget:
        one = bench.time(number, most)
        timed.append(one)
        keep(one)
        spent += max(one.seconds, 1e-3)  # a clock that stands still must not keep the sweep going for ever
        number += 1
        if progress:
            progress(min(round(spent), round(budget)), round(budget))
    return tuple(timed)


def usual_reference(timed: Sequence[Timed]) -> float:
    """Median seconds of the reference."""
    references = [reference for one in timed for reference in one.references]
    return median(references) if references else 1.0


def samples(timed: Sequence[Timed]) -> list[list[Sample]]:
    """The samples of each specimen, with how slow the reference was beside its median over all of them."""
    usual = usual_reference(timed)
    return [
        [
            Sample(kernel, seconds, math.log(reference / usual))
            for kernel, seconds, reference in zip(one.kernels, one.times, one.references, strict=True)
            if reference < _CREDIBLE * usual
        ]
        for one in timed
    ]


def _mostly_constants(kernel: Kernel) -> bool:
    constants = sum(math.prod(shape) for shape in kernel.weights)
    others = sum(math.prod(shape) for shape in kernel.inputs) + math.prod(kernel.output)
    return constants > _MOSTLY_CONSTANTS * others


def _feeds(given: Sequence[object]) -> Feeds:
    from edgent.runtime.verify import random_feeds

    return random_feeds(given, np.random.default_rng(0))  # type: ignore[arg-type]


__all__ = ["Bench", "Specimen", "Timed", "samples", "sweep"]
