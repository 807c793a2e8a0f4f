"""Every method over recorded links: what ours closes of the gap between the best baseline and the regime oracle.

    python benchmarks/replay.py TRACES [--quick] [--json] [--seed S] [--keep FILE]

TRACES is a folder with `oboe/` (scaled by 1) and `belgium-4g/` (scaled by 1/10 and 1/3), both searched for traces;
without one, synthetic traces take their place, and the output says so. Bandwidth as recorded and with a variation of
coefficient 0.2 within the recorded samples. Deadlines are shares of what the last exit takes on the device alone, and
the paper's 1000 ms. Requests come every 2 s on all traces, every 0.5 s on a seeded quarter, back to back on a seeded
fiftieth (at the middle deadline: it is a check, and slow).

The settings: B-AlexNet on the emulated paper-pi3-resident with float32 only, and with all codecs; ResNet-50 on the
emulated pi-3b+, its layers profiled, its two early exits and all accuracies *assumed* (an exit is taken to cost nothing
itself), its input a JPEG of an assumed 16 kB or raw. A *cell* is a setting, a deadline, a set of traces, a variation
and an interval. Each cell is replayed without a race, and that of 2 s again with one where some local branch fits.

With `--keep`, profiles and cells are written to a file as they are done, and a run that was stopped goes on there. The
time told is the sum over the cells, whenever they were run.

The gap closed is pooled over the requests of all cells whose regime oracle is a point ahead of the best baseline; its
interval is a bootstrap over traces. `worse` lists the cells where a baseline is more than half a point ahead of ours,
beyond the interval (paired, over traces). `calibration`: plans that claimed to be in time with about that probability.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.latency import Profile
from edgent.link.generator import generated
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces
from edgent.model.topologies import LIGHT, with_seeded_weights
from edgent.planning import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.pricing import price
from edgent.profiling.model_profiler import profile
from edgent.replay import ReplaySettings, Report, replay, workers
from edgent.replay.choices import Choices
from edgent.replay.methods import BASELINES
from edgent.units import Seconds

SHARES = (0.4, 0.5, 0.6, 0.75, 0.9)
PAPERS = Seconds(1.0)
VARIATIONS = (0.0, 0.2)
SCALES = {"belgium/10": 0.1, "belgium/3": 1 / 3}
ASSUMED_EXITS = ((0.45, 0.66), (0.75, 0.72), (1.0, 0.761))  # share of the last exit's work, accuracy
ASSUMED_JPEG, ASSUMED_ANSWER = 16_000, 4_000  # bytes
HALF_A_POINT = 0.005
AHEAD = 0.01
DEVICE, BOARD = "paper-pi3-resident", "pi-3b+"
DRAWS = 2000
QUICK = 10  # traces of Oboe's
_EVERY = 2.0  # seconds between requests, on all traces
Floats = NDArray[np.float64]


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
    variation: float
    interval: float | None
    race: bool

    def __str__(self) -> str:
        every = "back to back" if self.interval is None else f"{self.interval:g} s"
        race = "race" if self.race else "no race"
        return f"{self.setting.name}, {self.deadline * 1e3:.0f} ms, {self.traces}, {self.variation:g}, {every}, {race}"


@dataclass(slots=True, kw_only=True, eq=False)
class Table:
    """What came out of all cells."""

    cells: list[tuple[Cell, Report]] = field(default_factory=list)
    seconds: float = 0.0


class Kept:
    """Settings and cells that are done, in a file that outlives the run (a pickle after another); None: nowhere."""

    def __init__(self, file: Path | None, run: tuple[object, ...]) -> None:
        self._file = file
        self._cells: dict[str, tuple[Report, float]] = {}
        found = _pickles(file) if file is not None and file.exists() else []
        if not found:
            found = [(run, [{each.name: getattr(made, each.name) for each in fields(made)} for made in settings()])]
            self._add(found[0])
        (kept, plain), *done = found
        if kept != run:
            raise InputError(f"{file}: found a run of {kept}, expected {run}; take another file")
        self.settings = tuple(Setting(**each) for each in plain)  # cells belong to profiles
        self._cells.update(done)

    def cell(self, cell: Cell, run: Callable[[], Report]) -> tuple[Report, float]:
        """A report and the seconds it took, now or earlier."""
        if str(cell) not in self._cells:
            begin = time.monotonic()
            self._cells[str(cell)] = run(), time.monotonic() - begin
            self._add((str(cell), self._cells[str(cell)]))
        return self._cells[str(cell)]

    def _add(self, item: object) -> None:
        if self._file is not None:
            with self._file.open("ab") as file:
                pickle.dump(item, file)


def _pickles(path: Path) -> list[Any]:
    """All that are whole; what a killed run left behind them is cut off."""
    found, end = [], 0
    with path.open("rb") as file:
        while True:
            try:
                found.append(pickle.load(file))
            except (EOFError, pickle.UnpicklingError):
                break
            end = file.tell()
    os.truncate(path, end)
    return found


def settings() -> tuple[Setting, ...]:
    """B-AlexNet, float32 only and with all codecs, and a weighty network."""
    model = load("b-alexnet")
    here = profile(model, OnnxRuntimeEngine(threads=1))
    slow = emulated_profile(here, find_device(DEVICE))
    coded = Candidates.build(model, slow, here, calibration_for(model, None)).frontier()
    raw = Candidates.build(model, slow, here, source="array").restricted(codecs=["float32"]).frontier()
    return (
        Setting(name="b-alexnet float32", candidates=raw, device=slow, edge=here),
        Setting(name="b-alexnet coded", candidates=coded, device=slow, edge=here),
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


def links(folder: Path | None, seed: int, quick: bool) -> dict[str, tuple[Trace, ...]]:
    """The sets of traces by name."""
    if folder is None:
        return {"generated": tuple(generated(seed + k, seconds=180) for k in range(QUICK if quick else 100))}
    oboe, belgium = (load_traces([folder / name]) for name in ("oboe", "belgium-4g"))
    if quick:
        oboe, belgium = _some(oboe, QUICK, seed), _some(belgium, QUICK // 2, seed)
    scaled = {name: tuple(trace.scaled(scale) for trace in belgium) for name, scale in SCALES.items()}
    return {"oboe": oboe, **scaled}


def cells(made: Sequence[Setting], names: Sequence[str], quick: bool) -> Iterator[Cell]:
    """All of them; if it has to be quick, those of 2 s."""
    for setting in made:
        for deadline in (*(Seconds(share * setting.whole) for share in SHARES), PAPERS):
            for race in (False, True):
                rescued = Choices.of(setting.candidates, deadline, race=race).rescue.any()
                if race and not rescued:
                    continue  # the same as without
                for name in names:
                    for variation in VARIATIONS:
                        middle = deadline == Seconds(0.6 * setting.whole)
                        more = () if race or quick else (0.5, None) if middle else (0.5,)
                        intervals: tuple[float | None, ...] = (_EVERY, *more)
                        where = {"setting": setting, "deadline": deadline, "traces": name, "variation": variation}
                        for interval in intervals:
                            yield Cell(**where, interval=interval, race=race)


def measured(kept: Kept, sets: dict[str, tuple[Trace, ...]], seed: int, quick: bool) -> Table:
    """Replays every cell that is not kept."""
    table = Table()
    todo = sorted(cells(kept.settings, list(sets), quick), key=lambda cell: _order(cell, len(sets[cell.traces])))
    with workers() as pool:
        for number, cell in enumerate(todo, start=1):
            report, seconds = kept.cell(cell, partial(_replayed, cell, sets[cell.traces], seed, pool))
            table.cells.append((cell, report))
            table.seconds += seconds
            print(f"{number}/{len(todo)} {table.seconds:.0f} s: {cell}", file=sys.stderr)
    return table


def _order(cell: Cell, traces: int) -> tuple[bool, bool, int, bool]:
    """What tells most in little time comes first, for a run may be stopped."""
    return cell.interval is None, cell.interval != _EVERY, traces, cell.race


def _replayed(cell: Cell, traces: tuple[Trace, ...], seed: int, pool: Executor) -> Report:
    part = {_EVERY: traces, 0.5: _some(traces, -(-len(traces) // 4), seed)}
    chosen = part.get(cell.interval or 0.0) or _some(traces, -(-len(traces) // 50), seed)
    request = ReplaySettings(
        candidates=cell.setting.candidates,
        device=cell.setting.device,
        edge=cell.setting.edge,
        deadline=cell.deadline,
        interval=cell.interval,
        variation=cell.variation,
        seed=seed,
        race=cell.race,
    )
    return replay(request, chosen, pool=pool)


def gap(table: Table, seed: int, *, race: bool) -> dict[str, object]:
    """The gap closed, pooled over the cells that have one, and its interval over traces."""
    ahead = [report for cell, report in table.cells if cell.race == race and report.gap_closed is not None]
    if not ahead:
        return {"cells": 0, "gap_closed": None, "low": None, "high": None}
    names = sorted({name for report in ahead for name in report.names})
    parts = np.zeros((3, len(names)))  # ours, best baseline, oracle: a trace counts in all cells that it is in
    for report in ahead:
        rows = [names.index(name) for name in report.names]
        parts[:, rows] += np.stack([_sums(report, name) for name in ("edgent", report.best_baseline, "regime")])
    random = np.random.default_rng(seed)
    drawn = [_ratio(parts[:, random.integers(0, len(names), len(names))]) for _ in range(DRAWS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"cells": len(ahead), "gap_closed": _ratio(parts), "low": float(low), "high": float(high)}


def worse(table: Table, seed: int) -> list[dict[str, object]]:
    """Cells in which a baseline is more than half a point ahead of ours, beyond chance."""
    found = []
    random = np.random.default_rng(seed)
    for cell, report in table.cells:
        requests = np.array([sums["edgent"].requests for sums in report.per_trace], dtype=np.float64)
        for name in BASELINES:
            lost = report.mean(name, "accuracy") - report.mean("edgent", "accuracy")
            if lost <= HALF_A_POINT:
                continue
            differences = _sums(report, name) - _sums(report, "edgent")
            rows = random.integers(0, requests.size, (DRAWS, requests.size))
            low = float(np.percentile(differences[rows].sum(axis=1) / requests[rows].sum(axis=1), 2.5))
            found.append({"cell": str(cell), "baseline": name, "points": lost * 100, "certain": low > HALF_A_POINT})
    return found


def calibration(table: Table) -> list[dict[str, float]]:
    """Plans of ours that claimed about .90, .95 and .99, without a race: the mean claim, and how many were in time."""
    claims = np.concatenate([report.claims for cell, report in table.cells if not cell.race])
    found = []
    for about, low, high in ((0.90, 0.875, 0.925), (0.95, 0.925, 0.97), (0.99, 0.98, 0.995)):
        band = claims[(claims[:, 0] >= low) & (claims[:, 0] < high)]
        if band.size:
            claimed, came = band.mean(axis=0).tolist()
            found.append({"about": about, "plans": len(band), "claimed": claimed, "in_time": came})
    return found


def document(table: Table, sets: dict[str, tuple[Trace, ...]], seed: int) -> dict[str, object]:
    """Everything, as JSON."""
    return {
        "traces": {name: len(traces) for name, traces in sets.items()},
        "seconds": table.seconds,
        "gap": {"no race": gap(table, seed, race=False), "race": gap(table, seed, race=True)},
        "worse": worse(table, seed),
        "calibration": calibration(table),
        "cells": [
            {
                "setting": cell.setting.name,
                "assumed_accuracies": cell.setting.assumed,
                "traces_of": cell.traces,
                "variation": cell.variation,
                "interval": cell.interval,
                "race": cell.race,
                **report.document(),
            }
            for cell, report in table.cells
        ],
    }


def _sums(report: Report, name: str) -> Floats:
    return np.array([sums[name].accuracy for sums in report.per_trace])


def _ratio(parts: Floats) -> float:
    ours, base, oracle = parts.sum(axis=1)
    return float((ours - base) / (oracle - base))


def _some(traces: Sequence[Trace], count: int, seed: int) -> tuple[Trace, ...]:
    rows = np.sort(np.random.default_rng(seed).permutation(len(traces))[:count])
    return tuple(traces[row] for row in rows)


def _print(table: Table, sets: dict[str, tuple[Trace, ...]], seed: int) -> None:
    names = ("clairvoyant", "regime", *BASELINES, "edgent-no-change-points", "edgent")
    short = ("clair", "regime", "fixed", "static", "last", "ewma", "harm", "bandit", "paper", "no-cp", "edgent")
    print("accuracy in time, per cent; gap closed where the regime oracle is a point ahead")
    print(" " * 8 + " ".join(f"{name:>6}" for name in short) + "    gap  contested")
    for cell, report in table.cells:
        print(cell)
        values = " ".join(f"{report.mean(name, 'accuracy') * 100:6.2f}" for name in names)
        closed = "     -" if report.gap_closed is None else f"{report.gap_closed * 100:5.0f}%"
        print(f"        {values} {closed} {report.contested * 100:6.0f} %")
    for race in (False, True):
        print(f"{'race' if race else 'no race'}: {gap(table, seed, race=race)}")
    for title, lines in (("worse", worse(table, seed)), ("calibration", calibration(table))):
        for line in lines:
            print(f"{title}: {line}")
    print(f"{table.seconds:.0f} s; traces: { ({name: len(traces) for name, traces in sets.items()}) }")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replays and prints."""
    parser = command.options(__doc__)
    parser.add_argument("traces", nargs="?", type=Path, help="a folder with oboe/ and belgium-4g/")
    parser.add_argument("--quick", action="store_true", help=f"a seeded subset: {QUICK} of Oboe's traces, every 2 s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on where an earlier run was stopped")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: expected 0 or more")
    sets = links(options.traces, options.seed, options.quick)
    kept = Kept(options.keep, (options.seed, options.quick, {name: len(each) for name, each in sets.items()}))
    table = measured(kept, sets, options.seed, options.quick)
    command.show(options, document(table, sets, options.seed), lambda: _print(table, sets, options.seed))
    for name in (DEVICE, BOARD):
        print(find_device(name), file=sys.stderr)
    return 0


if __name__ == "__main__":
    command.run(main)
