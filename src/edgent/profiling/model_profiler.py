"""How long a model takes on this machine: layers, codecs, pre-processing.

Whole runs without a profiler tell how long a branch takes; the engine's own profiler tells how that divides among the
layers. Every profiled event is booked exactly once: to the layers its node stands for, or to nobody. The layers are
then scaled so that they add up to the whole, after each node has given back what the profiler added to it.

A profile is of what the machine does with the model, not of what else it did meanwhile. So runs are timed by the
processor's time where the engine computes in the thread that calls it, and what other programs took is taken out of
the profiler's events, which go by the wall.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path

import numpy as np

from edgent.engine.engine import Engine, branch_ends
from edgent.engine.feeds import Feeds
from edgent.engine.overtime import OvertimeError
from edgent.errors import EdgentError, InputError
from edgent.latency.booking import Booking, book, deflated
from edgent.latency.gaussian import Array
from edgent.latency.profile import BranchProfile, Profile
from edgent.model import Branch, Model
from edgent.model.costs import layer_costs
from edgent.profiling.codec_timing import Coding, Source
from edgent.profiling.interruptions import without_interruptions
from edgent.profiling.timing import Clock, Progress, Task, interleaved, machine_name, stopwatch_for, summary
from edgent.units import Seconds, format_duration

_ROUNDS = 30
_MOST_EVENTS = (
    300_000  # that are recorded, an event per node and run: reading a million takes a minute, and more are lost
)
_BURST = 3  # profiled runs in a row; the first meets cold caches and does not count


def profile(
    model: Model,
    engine: Engine,
    *,
    rounds: int = _ROUNDS,
    budget: float = 15.0,
    most: float = math.inf,
    source: bytes | None = None,
    progress: Progress | None = None,
    stopwatch: Clock | None = None,
) -> Profile:
    """Measures this machine.

    Args:
        model: what to time.
        engine: runs it.
        rounds: timings of each thing, all things interleaved; at least 3 are made.
        budget: seconds after which no new round begins; three are made all the same.
        most: seconds after which it is given up, between two runs: a run may take a minute, and some twenty are needed.
        source: a typical input as it will come (a coded image); None: one is made.
        progress: called with the rounds done and their number.
        stopwatch: what runs are timed by; None: the clock that shows best what the engine's work takes.

    Raises:
        CodecError: `source` is no image.
        InputError: `source` for a model that takes no images; or a model that does not run on made-up input.
        EdgentError: it takes longer than `most`.
    """
    until, stopwatch = time.perf_counter() + budget, stopwatch or stopwatch_for(engine)
    limit = _Limit(model.name, most)
    typical = Source(model, source)
    # Whole runs are timed without a profiler: it slows small models by a third, and each node by about the same time.
    wholes = [_whole(model, branch, engine, typical.feeds) for branch in model.branches]
    _check_runs(model, wholes)
    coding = Coding(model, engine, typical)
    # Preparing has run the model already; on a slow machine that may have used up the time.
    limit.check()
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        profiled = [
            _Profiled(model, branch, engine, typical.feeds, Path(folder), limit, stopwatch) for branch in model.branches
        ]
        runs = [one.run for one in profiled]
        # The profiler's events are bounded: beyond a million of them ONNX Runtime drops what comes.
        rounds = min(rounds, _MOST_EVENTS // (_BURST * max(1, len(model.proto.graph.node))))
        # Everything is interleaved: a slow phase of the machine then hits each branch, codec and profiled run alike,
        # and ratios between them stay right.
        tasks = [*wholes, *coding.tasks]
        times = interleaved(tasks, runs, rounds=rounds, until=until, progress=progress, stopwatch=stopwatch)
        wholes_seconds = [summary(seconds).median for seconds in times[: len(wholes)]]
        bookings = [one.booking(whole) for one, whole in zip(profiled, wholes_seconds, strict=True)]
    coded = coding.times(times[len(wholes) :])
    return Profile(
        model=model.name,
        digest=model.digest,
        machine=machine_name(),
        engine=engine.name,
        threads=engine.threads,
        branches=tuple(map(_branch_profile, model.branches, times, bookings)),
        codecs=coded.codecs,
        decode_source=coded.decode_source,
        fit=coded.fit,
        normalise=coded.normalise,
    )


def _check_runs(model: Model, wholes: list[Task]) -> None:
    """Refuses to measure on input that a model cannot run on: not to every graph do random numbers make sense."""
    try:
        for whole in wholes:
            whole()
    except OvertimeError:
        raise
    except EdgentError as error:
        if model.metadata.preprocessing is not None:
            raise
        raise InputError(
            f"{error}; that was on made-up input: put an `example` that makes sense under [inputs.NAME] "
            "in the model's configuration"
        ) from error


class _Limit:
    """Gives up a profiling that takes too long."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name, self._seconds = name, seconds
        self._end = time.perf_counter() + seconds

    def check(self) -> None:
        """Raises an error if the time is over; called before each run that is not timed itself."""
        if time.perf_counter() > self._end:
            raise EdgentError(
                f"{self._name}: profiling it takes more than {format_duration(Seconds(self._seconds))}; "
                "`edgent profile -o FILE` takes the time it needs: give that FILE with --profile"
            )


class _Profiled:
    """A branch under the engine's profiler, whose files are in a folder."""

    def __init__(
        self,
        model: Model,
        branch: Branch,
        engine: Engine,
        feeds: Feeds,
        folder: Path,
        limit: _Limit,
        stopwatch: Clock,
    ) -> None:
        self._limit, self._stopwatch = limit, stopwatch
        self._costs = layer_costs(model, branch)
        self._feeds = {tensor.name: feeds[tensor.name] for tensor in branch.inputs}
        self._session, self._layers = engine.profiled(model, branch, folder)
        self._taken: list[float] = []  # seconds of a run by the stopwatch, one for each burst
        self.run()  # the first burst warms up

    def run(self) -> None:
        """One burst."""
        # Within a burst the first run finds the caches full of other tasks' data; a running device is in the state of
        # the rest.
        self._run()
        begun = self._stopwatch()
        for _ in range(_BURST - 1):
            self._run()
        self._taken.append((self._stopwatch() - begun) / (_BURST - 1))

    def _run(self) -> None:
        self._limit.check()
        self._session.run(self._feeds)

    def booking(self, whole: float) -> Booking:
        """Books the time of every node, beside the seconds of the whole; ends the profiling."""
        nodes = self._session.end_profiling()
        taken = np.array(self._taken[1:])
        rounds = np.array([_bursts(seconds) for seconds in nodes.values()]).reshape(len(nodes), len(taken))
        times = dict(zip(nodes, without_interruptions(rounds.T, taken).tolist(), strict=True))
        # What the profiled nodes take together beyond the whole run is the profiler's; it is about the same for each
        # node.
        added = max(0.0, sum(times.values()) - whole) / max(1, len(times))
        return book(deflated(times, added), self._layers, self._costs)


def _bursts(seconds: list[float]) -> Array:
    """Mean seconds of a node in each burst: without the first burst, and without the first run of each."""
    means: Array = np.array(seconds).reshape(-1, _BURST)[1:, 1:].mean(axis=1)
    return means


def _branch_profile(branch: Branch, times: Array, booking: Booking) -> BranchProfile:
    whole, booked = summary(times), booking.layers.sum()
    # A branch without profiled time (all nodes fused away, or a clock that stood still) is divided evenly.
    even = np.full(len(branch.layers), 1 / max(1, len(branch.layers)))
    # Layers are scaled to the unprofiled whole: the profiler tells proportions better than it tells times.
    shares = booking.layers / booked if booked > 0 else even
    return BranchProfile(
        exit=branch.exit,
        whole=whole,
        layers=tuple(float(seconds) for seconds in shares * whole.median),
        unassigned=booking.unassigned / booking.total if booking.total > 0 else 0.0,
    )


def _whole(model: Model, branch: Branch, engine: Engine, feeds: Feeds) -> Task:
    session = engine.session(model, *branch_ends(branch))
    inputs = {tensor.name: feeds[tensor.name] for tensor in session.given}
    return lambda: session.run(inputs)
