"""How long a model takes on this machine: layers, codecs, pre-processing.

Whole runs without a profiler tell how long a branch takes; the engine's own profiler tells how that divides among the
layers. Every profiled event is booked exactly once: to the layers its node stands for, or to nobody. The layers are
then scaled so that they add up to the whole, for a profiler slows small nodes down.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.latency.profile import BranchProfile, Profile
from edgent.model import Branch, Model
from edgent.model.costs import LayerCost, layer_costs
from edgent.model.optimised import named, node_layers
from edgent.runtime.coding import Coding, Source
from edgent.runtime.engine import Engine, Feeds, Session
from edgent.runtime.timing import Progress, Task, interleaved, summary

_ROUNDS = 30
_BURST = 3  # profiled runs in a row; the first meets cold caches and does not count
_FLOPS, _BYTES = 4e10, 1e10  # a core's rough speed a second: it only divides the time of fused layers among them
_DROPPED = {"Dropout", "Identity"}  # nothing is left of them once other layers are fused around them
_KERNEL = "_kernel_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Where profiled time went.

    Attributes:
        layers: seconds of each layer of the branch, shape (n,).
        unassigned: seconds of nodes that stand for no layer.
    """

    layers: NDArray[np.float64]
    unassigned: float

    @property
    def total(self) -> float:
        """All of it, in seconds."""
        return float(self.layers.sum()) + self.unassigned


def profile(
    model: Model,
    engine: Engine,
    *,
    rounds: int = _ROUNDS,
    budget: float = 15.0,
    source: bytes | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Measures this machine.

    Args:
        model: what to time.
        engine: runs it.
        rounds: timings of each thing, all things interleaved; at least 3 are made.
        budget: seconds after which no new round begins.
        source: a typical input as it will come (a coded image); None: one is made.
        progress: called with the rounds done and their number.

    Raises:
        CodecError: `source` is no image.
        InputError: `source` for a model that takes no images.
    """
    until = time.perf_counter() + budget
    given = Source(model, source)
    coding = Coding(model, engine, given)
    wholes = [_whole(model, branch, engine, given.feeds) for branch in model.branches]
    with ExitStack() as stack:
        profiled = [stack.enter_context(_Profiled(model, branch, engine, given.feeds)) for branch in model.branches]
        runs = [one.run for one in profiled]
        times = interleaved([*wholes, *coding.tasks], runs, rounds=rounds, until=until, progress=progress)
        bookings = [one.booking() for one in profiled]
    coded = coding.times(times[len(wholes) :])
    return Profile(
        model=model.name,
        digest=model.digest,
        machine=f"{platform.node()} {platform.machine()}",
        engine=engine.name,
        threads=engine.threads,
        branches=tuple(map(_branch_profile, model.branches, times, bookings)),
        codecs=coded.codecs,
        decode_source=coded.decode_source,
        fit=coded.fit,
        normalise=coded.normalise,
    )


def node_times(events: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Seconds of each node of the graph, one for each run, in the order of the runs.

    Args:
        events: of the engine's profiler; it counts in microseconds. Nodes inside another (the body of a Loop or an If)
            are part of its time, and do not count again.
    """
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_KERNEL)]
    nodes.sort(key=lambda event: (event["ts"], -event["dur"]))
    found: dict[str, list[float]] = {}
    outer_ends = -1
    for event in nodes:
        ends = event["ts"] + event["dur"]
        if event["ts"] >= outer_ends or ends > outer_ends:
            found.setdefault(event["name"].removesuffix(_KERNEL), []).append(event["dur"] / 1e6)
            outer_ends = ends
    return found


def book(times: Mapping[str, float], layers: Mapping[str, tuple[int, ...]], costs: Sequence[LayerCost]) -> Booking:
    """Books each node's time exactly once: to the layers it stands for, in proportion to their work, or to nobody.

    Args:
        times: seconds by name of the node.
        layers: from `node_layers`.
        costs: of the branch's layers.
    """
    work = np.array([_work(cost) for cost in costs])
    booked, unassigned = np.zeros(len(costs)), 0.0
    for name, seconds in times.items():
        positions = list(layers.get(name, ()))
        if not positions:
            unassigned += seconds
            continue
        share = work[positions] if work[positions].any() else np.ones(len(positions))
        booked[positions] += seconds * share / share.sum()
    return Booking(layers=booked, unassigned=unassigned)


class _Profiled:
    """A branch under the engine's profiler."""

    def __init__(self, model: Model, branch: Branch, engine: Engine, feeds: Feeds) -> None:
        segment = named(model.segment(*_ends(branch)))
        self._costs = layer_costs(model, branch)
        self._feeds = {tensor.name: feeds[tensor.name] for tensor in segment.given}
        with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
            optimised = Path(folder) / "optimised.onnx"
            self._session: Session | None = engine.build(segment, profile=True, optimised=optimised)
            self._layers = node_layers(optimised, branch)

    def __enter__(self) -> _Profiled:
        self.run()  # the first burst warms up
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._events()  # so that the profiler's file goes away

    def run(self) -> None:
        """One burst."""
        assert self._session is not None
        for _ in range(_BURST):
            self._session.run(self._feeds)

    def booking(self) -> Booking:
        """Books the median time of every node; ends the profiling."""
        times = {name: _steady(seconds) for name, seconds in node_times(self._events()).items()}
        return book(times, self._layers, self._costs)

    def _events(self) -> list[dict[str, Any]]:
        session, self._session = self._session, None
        return [] if session is None else session.end_profiling()


def _steady(seconds: list[float]) -> float:
    """The median without the first burst, and without the first run of each burst."""
    bursts = np.array(seconds).reshape(-1, _BURST)
    return float(np.median(bursts[1:, 1:]))


def _branch_profile(branch: Branch, times: NDArray[np.float64], booking: Booking) -> BranchProfile:
    whole, booked = summary(times), booking.layers.sum()
    even = np.full(len(branch.layers), 1 / max(1, len(branch.layers)))
    shares = booking.layers / booked if booked > 0 else even
    return BranchProfile(
        exit=branch.exit,
        whole=whole,
        layers=tuple(float(seconds) for seconds in shares * whole.median),
        unassigned=booking.unassigned / booking.total if booking.total > 0 else 0.0,
    )


def _whole(model: Model, branch: Branch, engine: Engine, feeds: Feeds) -> Task:
    session = engine.session(model, *_ends(branch))
    given = {tensor.name: feeds[tensor.name] for tensor in session.segment.given}
    return lambda: session.run(given)


def _ends(branch: Branch) -> tuple[list[str], list[str]]:
    return [tensor.name for tensor in branch.inputs], [tensor.name for tensor in branch.outputs]


def _work(cost: LayerCost) -> float:
    """Roughly the seconds that a layer takes; 0 for one that does nothing."""
    if cost.kind in _DROPPED:
        return 0.0
    moved = (cost.bytes_in or 0) + (cost.bytes_out or 0) + cost.bytes_weights
    return (cost.flops or 0) / _FLOPS + moved / _BYTES
