"""Every method over links left out: what ours closes of the gap between the best baseline and the regime oracle.

    python benchmarks/replay.py TRACES [--kept] [--set NAME ...] [--json] [--seed S] [--keep FILE]

TRACES is a folder with a folder for each set, as `oboe/`, `belgium-4g/` and `norway-3g/`; synthetic links are one set
more. Which traces of a set are run, at which rates, and what is kept for the end (`--kept`) is told in `replay_cells`.
Bandwidth as recorded and with a variation of coefficient 0.2 within the recorded samples. Deadlines are shares of what
the last exit takes on the device alone. Requests come every 2 s, and with all codecs every 0.5 and 0.1 s as well.

The settings: B-AlexNet on the emulated paper-pi3-resident with float32 only, and with all codecs; ResNet-50 on the
emulated pi-3b+, its layers profiled, its two early exits and all accuracies *assumed* (an exit is taken to cost nothing
itself), its input a JPEG of an assumed 16 kB or raw. A *cell* is a setting, a deadline, a set of traces at one rate, a
variation and an interval; without a race, and every 2 s also with one where some local branch fits.

*Leave one set out*: what is run on a set is chosen on the others, by the rule of `replay_figures.left_out`, which was
written before it was run. `worse` lists the cells where a baseline is more than half a point ahead; the best fixed plan
is one of them. `calibration`: plans that claimed to be in time with about that probability.

With `--keep`, profiles and cells are written to a file as they are done, and a run that was stopped goes on there. The
time told is the sum over the cells, whenever they were run.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import command
from edgent.errors import InputError
from edgent.lab.boards.emulation import find_device
from edgent.link.trace import Trace
from edgent.planning.oracles import REGIME
from edgent.replay import ReplaySettings, Report, replay, workers
from edgent.replay.methods import BASELINES, OURS
from replay_cells import BOARD, DEVICE, Cell, Setting, cells, links, of_cell, settings
from replay_figures import calibration, largest_lead, left_out, rhythms, worse

Sets = dict[str, tuple[Trace, ...]]


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


def measured(kept: Kept, sets: Sets, seed: int, processes: int) -> Table:
    """Replays every cell that is not kept."""
    table = Table()
    todo = list(cells(kept.settings, list(sets)))
    with workers(processes) as pool:
        for number, cell in enumerate(todo, start=1):
            report, seconds = kept.cell(cell, partial(_replayed, cell, sets[cell.traces], seed, pool))
            table.cells.append((cell, report))
            table.seconds += seconds
            print(f"{number}/{len(todo)} {table.seconds:.0f} s: {cell}", file=sys.stderr)
    return table


def _replayed(cell: Cell, traces: tuple[Trace, ...], seed: int, pool: Executor) -> Report:
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
    return replay(request, of_cell(cell, traces), pool=pool)


def document(table: Table, sets: Sets, seed: int) -> dict[str, object]:
    """Everything, as JSON."""
    by_set, mean = left_out(table.cells, seed)
    return {
        "traces": {name: len(traces) for name, traces in sets.items()},
        "seconds": table.seconds,
        "requests": sum(sums["edgent"].requests for _, report in table.cells for sums in report.per_trace),
        "left_out": [asdict(one) for one in by_set],
        "mean": mean,
        "worse": worse(table.cells, seed),
        "calibration": calibration(table.cells),
        "rhythms": rhythms(table.cells),
        "largest_lead_of_a_baseline": largest_lead(table.cells),
        "cells": [_row(cell, report) for cell, report in table.cells],
    }


def _row(cell: Cell, report: Report) -> dict[str, object]:
    best = report.best_baseline
    return {
        "setting": cell.setting.name,
        "deadline_ms": cell.deadline * 1e3,
        "traces": cell.traces,
        "middle_bps": cell.middle,
        "variation": cell.variation,
        "interval": cell.interval,
        "race": cell.race,
        "requests": sum(sums["edgent"].requests for sums in report.per_trace),
        **{name: report.mean(name, "accuracy") for name in (REGIME, *OURS)},
        "best_baseline": best,
        "best": report.mean(best, "accuracy"),
        "gap_closed": report.gap_closed,
        "contested": report.contested,
    }


def _print(table: Table, figures: dict[str, Any]) -> None:
    names = ("clairvoyant", "regime", *BASELINES, *OURS)
    short = ("clair", "regime", "fixed", "static", "last", "ewma", "harm", "bandit", "paper", "no-cp", "edgent")
    print("accuracy in time, per cent; gap closed where the regime oracle is a point ahead")
    print(" " * 8 + " ".join(f"{name:>6}" for name in short) + "    gap  contested")
    for cell, report in table.cells:
        print(cell)
        values = " ".join(f"{report.mean(name, 'accuracy') * 100:6.2f}" for name in names)
        closed = "     -" if report.gap_closed is None else f"{report.gap_closed * 100:5.0f}%"
        print(f"        {values} {closed} {report.contested * 100:6.0f} %")
    for title in ("left_out", "rhythms", "worse", "calibration"):
        for line in figures[title]:
            print(f"{title}: {line}")
    print(f"mean over sets: {figures['mean']}")
    print(f"{table.seconds:.0f} s, {figures['requests']} requests; traces: {figures['traces']}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replays and prints."""
    parser = command.options(__doc__)
    parser.add_argument("traces", type=Path, help="a folder with a folder for each set")
    parser.add_argument("--kept", action="store_true", help="the traces that are kept for the end, and no others")
    parser.add_argument("--set", dest="only", action="append", metavar="NAME", help="only this set (repeatable)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on where an earlier run was stopped")
    options = parser.parse_args(arguments)
    if options.seed < 0 or options.processes < 1:
        parser.error(f"--seed {options.seed}, --processes {options.processes}: expected 0 or more, and 1 or more")
    sets = links(options.traces, kept=options.kept)
    if unknown := set(options.only or ()) - set(sets):
        parser.error(f"--set {', '.join(sorted(unknown))}: expected some of {', '.join(sets)}")
    sets = {name: traces for name, traces in sets.items() if name in (options.only or sets)}
    run = (options.seed, options.kept, {name: len(traces) for name, traces in sets.items()})
    table = measured(Kept(options.keep, run), sets, options.seed, options.processes)
    figures = document(table, sets, options.seed)
    command.show(options, figures, lambda: _print(table, figures))
    for name in (DEVICE, BOARD):
        print(find_device(name), file=sys.stderr)
    return 0


if __name__ == "__main__":
    command.run(main)
