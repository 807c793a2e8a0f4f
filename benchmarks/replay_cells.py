"""What `replay` runs: three settings, sets of traces, and the cells that both make.

Every folder of traces is a set, and the synthetic links are one more. Of each set some traces are drawn by a seed: the
first two thirds of that order are what the design may be looked at on; the *kept* rest is for one run at the end. Rates
of sets differ by a hundred, and what an emulated device needs does not; so each is scaled as a whole, twice: until the
median of its traces' means is `MIDDLES`. No set has numbers of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.latency import Profile
from edgent.link.generator import CHARACTERS, generated
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces
from edgent.planning import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.pricing import price
from edgent.profiling.model_profiler import profile
from edgent.replay.choices import Choices
from edgent.units import Seconds

SHARES = (0.4, 0.6, 0.9)  # of what the last exit takes on the device alone
VARIATIONS = (0.0, 0.2)
MIDDLES = (2e6, 0.4e6)  # bits per second
OFTEN, FASTEST, RARELY = 0.5, 0.1, 2.0  # seconds between requests
TRACES = {RARELY: 12, OFTEN: 8, FASTEST: 4}
LASTS = {RARELY: 150.0, OFTEN: 100.0, FASTEST: 40.0}  # seconds of each trace, at most
GENERATED, SYNTHETIC = "generated", 90  # links
ORDER, KEPT = 11, 1 / 3  # the seed of the order, and the share that is kept for the end
ASSUMED_EXITS = ((0.45, 0.66), (0.75, 0.72), (1.0, 0.761))  # share of the last exit's work, accuracy
ASSUMED_JPEG, ASSUMED_ANSWER = 16_000, 4_000  # bytes
DEVICE, BOARD = "paper-pi3-resident", "pi-3b+"
CODED = "b-alexnet coded"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """A model on two machines."""

    name: str
    candidates: Candidates
    device: Profile
    edge: Profile
    assumed: bool = False

    @property
    def whole(self) -> float:
        """Seconds of the last exit on the device alone."""
        return self.device.branches[-1].whole.median


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """What is replayed at once."""

    setting: Setting
    deadline: Seconds
    traces: str
    middle: float
    variation: float
    interval: float
    race: bool

    def __str__(self) -> str:
        race = "race" if self.race else "no race"
        link = f"{self.traces} at {self.middle / 1e6:g} Mbit/s, {self.variation:g}"
        return f"{self.setting.name}, {self.deadline * 1e3:.0f} ms, {link}, {self.interval:g} s, {race}"


def settings() -> tuple[Setting, ...]:
    """B-AlexNet, float32 only and with all codecs, and a weighty network."""
    model = load("b-alexnet")
    here = profile(model, OnnxRuntimeEngine(threads=1))
    slow = emulated_profile(here, find_device(DEVICE))
    coded = Candidates.build(model, slow, here, calibration_for(model, None)).frontier()
    raw = Candidates.build(model, slow, here, source="array").restricted(codecs=["float32"]).frontier()
    return (
        Setting(name="b-alexnet float32", candidates=raw, device=slow, edge=here),
        Setting(name=CODED, candidates=coded, device=slow, edge=here),
        weighty(),
    )


def weighty() -> Setting:
    """ResNet-50 with exits that are assumed, on the emulated pi-3b+."""
    with tempfile.TemporaryDirectory() as folder:
        model = load(with_seeded_weights(LIGHT / "light_resnet50.onnx", Path(folder)))
        here = profile(model, OnnxRuntimeEngine(threads=1))
    slow = emulated_profile(here, find_device(BOARD))
    (whole,) = price(model, slow, here, None, source="array")
    work = np.cumsum(whole.device) / whole.device.sum()
    branches = [
        _exit(whole, exit, int(np.searchsorted(work, share)) + 1 if share < 1 else whole.layers, accuracy)
        for exit, (share, accuracy) in enumerate(ASSUMED_EXITS)
    ]
    return Setting(
        name="resnet50 assumed", candidates=Candidates.of(branches).frontier(), device=slow, edge=here, assumed=True
    )


def _exit(whole: BranchCosts, exit: int, layers: int, accuracy: float) -> BranchCosts:
    """The first layers of a branch as a branch: what comes down from its end is the answer."""
    raw = (next(each for each in way if each.codec == "float32") for way in (whole.up, whole.down))
    size, back = (crossing.size[: layers + 1, : layers + 1].copy() for crossing in raw)
    back[:, -1] = ASSUMED_ANSWER
    nothing = np.zeros_like(size)
    coded = np.full_like(size, np.nan)
    coded[0] = ASSUMED_JPEG
    up = [
        Crossing(codec=codec, size=plane, encode=nothing, decode=nothing, prepare=nothing)
        for codec, plane in (("float32", size), ("source", coded))
    ]
    return BranchCosts(
        exit=exit,
        accuracy=accuracy,
        device=whole.device[:layers],
        edge=whole.edge[:layers],
        up=tuple(up),
        down=(Crossing(codec="float32", size=back, encode=nothing, decode=nothing),),
    )


def links(folder: Path, *, kept: bool) -> dict[str, tuple[Trace, ...]]:
    """The sets of traces by name, in a drawn order: those to look at, or those that are kept for the end.

    Raises:
        InputError: there is no folder of traces in it.
    """
    folders = sorted(one for one in folder.iterdir() if one.is_dir())
    if not folders:
        raise InputError(f"{folder}: found no folder, expected one for each set of traces")
    sets = {one.name: _part(load_traces([one]), kept) for one in folders}
    return {**sets, GENERATED: _part([_synthetic(seed) for seed in range(SYNTHETIC)], kept)}


def _synthetic(seed: int) -> Trace:
    """One of every character in turn; of those whose directions differ a replay here has no use."""
    kinds = [one for one in CHARACTERS if one != "apart"]
    return generated(seed, seconds=200, character=kinds[seed % len(kinds)])


def _part(traces: Sequence[Trace], kept: bool) -> tuple[Trace, ...]:
    order = np.random.default_rng(ORDER).permutation(len(traces)).tolist()
    whole = len(order) - int(KEPT * len(order))
    return tuple(traces[row] for row in (order[whole:] if kept else order[:whole]))


def of_cell(cell: Cell, traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """The traces that a cell is replayed on: the first ones of its set, scaled and cut."""
    factor = cell.middle / float(np.median([trace.mean for trace in traces]))
    begun = (_begun(trace, LASTS[cell.interval]) for trace in traces)
    carrying = [trace.scaled(factor) for trace in begun if trace is not None]
    return tuple(carrying[: TRACES[cell.interval]])


def _begun(trace: Trace, seconds: float) -> Trace | None:
    """The first seconds of a trace; None where nothing gets through in them."""
    inside = trace.starts < seconds
    if not trace.bandwidths[inside].any():
        return None
    lasts = Seconds(min(trace.duration, seconds))
    return replace(trace, starts=trace.starts[inside], bandwidths=trace.bandwidths[inside], duration=lasts)


def cells(made: Sequence[Setting], names: Sequence[str]) -> Iterator[Cell]:
    """All of them; one after the other of every set, for a run may be stopped."""
    for setting in made:
        for deadline in (Seconds(share * setting.whole) for share in SHARES):
            for middle in MIDDLES:
                for variation in VARIATIONS:
                    for interval, race in _rhythms(setting, deadline):
                        for name in names:
                            yield Cell(
                                setting=setting,
                                deadline=deadline,
                                traces=name,
                                middle=middle,
                                variation=variation,
                                interval=interval,
                                race=race,
                            )


def _rhythms(setting: Setting, deadline: Seconds) -> Iterator[tuple[float, bool]]:
    """Intervals, without a race and with one; all of them of the setting that has the most codecs."""
    yield RARELY, False
    if setting.name == CODED:
        yield OFTEN, False
        yield FASTEST, False
        if Choices.of(setting.candidates, deadline, race=True).rescue.any():
            yield RARELY, True
