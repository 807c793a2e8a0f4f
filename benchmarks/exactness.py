"""Does a divided model answer as its file does? Models x cuts x ways to divide, live as well, and planted faults.

    python benchmarks/exactness.py [--only NAME] [--cuts N] [--models DIR] [--output FILE] [--json]

What is right is the original file in plain ONNX Runtime, undivided. Every cut of every exit (or a seeded draw of
`--cuts`) is run alone, device first, edge first and with a second cut after it, piece by piece; and one of these, in
turn, live: a device and an edge over loopback gRPC. The models are those of `models.py`, made at first use; one that
cannot be had is said and left out. Then faults are planted (`planted.py`), of which nearly all must be found.
A difference passes within what the engine differs from itself: see `edgent.evaluation.original`.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.cli.terminal import show
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.feeds import Feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.evaluation.original import AnswerComparison, expected_answers
from edgent.evaluation.verify import OfferedCuts, run_pieces
from edgent.model import Model
from edgent.planning.plan import Configuration
from edgent.units import Seconds
from models import Entry, by_name, default_folder, prepared, remove
from planted import KINDS, Bench, Fault, planted
from provenance import provenance

CUTS = 200  # of a model, at most
INPUTS, SEED = 2, 0
FAULTS, ENOUGH = 100, 95
FAULTY = ("b-alexnet", "fastestdet", "efficientnet-lite0", "rapidocr-recogniser", "magika", "yolov8")
FAULTY += ("lstm-state", "kv-cache-step")
PATIENCE = Seconds(120.0)
WORKERS = 2
_SESSIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one model.

    Attributes:
        cuts: of all exits.
        verified: cuts that were run, in every way.
        not_offered: cuts at which something crosses that cannot travel.
        live: divisions run over loopback.
        failed: divisions, live or piece by piece, that differ or do not run.
        max_relative_difference: the largest seen.
        tolerance: what passes for that answer.
        answers_equal: whether whole numbers, text and the place of the largest element are as the original's.
        seconds: that it took.
        why: the first failure, in words.
    """

    cuts: int
    verified: int
    not_offered: int
    live: int
    failed: int
    max_relative_difference: float
    tolerance: float
    answers_equal: bool
    seconds: float
    why: str = ""


class Divided:
    """A model divided in all ways, and what came of it.

    Args:
        model: what is divided.
        inputs: that it is run on.
        seed: of the draw of cuts and of second cuts.
    """

    def __init__(self, model: Model, inputs: Sequence[Feeds], seed: int = SEED) -> None:
        self.model, self.inputs = model, inputs
        self.comparison = AnswerComparison(expected_answers(model, inputs))
        self.branches = [OfferedCuts(branch) for branch in model.branches]
        self.whys: list[str] = []
        self.live = 0
        self._random = np.random.default_rng(seed)
        self._engine = OnnxRuntimeEngine(capacity=_SESSIONS)

    def run(self, most: int) -> int:
        """Runs cuts of every exit; returns how many."""
        drawn = share(self.branches, most, self._random)
        with Edge(self.model, port=0, engine=self._engine) as edge, ExitStack() as stack:
            device = stack.enter_context(
                Device(self.model, edge=edge.address, deadline=PATIENCE, engine=self._engine, race=False)
            )
            device.wait_ready(30.0)
            for divisions in self.branches:
                n = len(divisions.branch.layers)
                self._pieces(divisions, (n, n))
                self._live(device, divisions, (n, n))
            for turn, (divisions, cut) in enumerate(drawn):
                ways = divisions.at(cut, self._random)
                for way in ways:
                    self._pieces(divisions, way)
                self._live(device, divisions, ways[turn % len(ways)])
        return len(drawn)

    def _pieces(self, divisions: OfferedCuts, way: tuple[int, int]) -> None:
        for at, feeds in enumerate(self.inputs):
            try:
                answers = run_pieces(self.model, divisions.branch, self._engine, feeds, *way)
            except EdgentError as error:
                self._failed(divisions, way, "pieces", str(error))
            else:
                self._failed(divisions, way, "pieces", self.comparison.check(at, answers)[1])

    def _live(self, device: Device, divisions: OfferedCuts, way: tuple[int, int]) -> None:
        at = self.live % len(self.inputs)
        self.live += 1
        configuration = Configuration(exit=divisions.branch.exit, upload_cut=way[0], download_cut=way[1])
        try:
            answer = device.infer(dict(self.inputs[at]), configuration=configuration, race=False)
        except EdgentError as error:
            self._failed(divisions, way, "live", str(error))
            return
        by = "device" if configuration.device_only else "edge"
        late = "" if answer.record.by == by else f"the {answer.record.by} answered: {answer.record.why}"
        self._failed(divisions, way, "live", late or self.comparison.check(at, answer.outputs)[1])

    def _failed(self, divisions: OfferedCuts, way: tuple[int, int], how: str, why: str) -> None:
        if why:
            self.whys.append(f"exit {divisions.branch.exit} cuts {way[0]}..{way[1]} {how}: {why}")


def share(branches: Sequence[OfferedCuts], most: int, random: np.random.Generator) -> list[tuple[OfferedCuts, int]]:
    """That many of the cuts of all exits, or all."""
    cuts = [(divisions, cut) for divisions in branches for cut in divisions.cuts]
    if most >= len(cuts):
        return cuts
    return [cuts[index] for index in np.sort(random.choice(len(cuts), size=most, replace=False))]


def exactness(entry: Entry, path: Path, most: int) -> Row:
    """Divides a model in all ways."""
    began = time.perf_counter()
    try:
        model = load(path, dims=entry.dims)
        divided = Divided(model, drawn_inputs(entry, model))
        verified = divided.run(most)
    except EdgentError as error:  # it does not even run: a failure like any other
        return _broken(str(error), time.perf_counter() - began)
    return Row(
        cuts=sum(len(branch.layers) + 1 for branch in model.branches),
        verified=verified,
        not_offered=sum(len(divisions.refused) for divisions in divided.branches),
        live=divided.live,
        failed=len(divided.whys),
        max_relative_difference=max(divided.comparison.largest, 0.0),
        tolerance=divided.comparison.tolerance,
        answers_equal=divided.comparison.answers_equal,
        seconds=time.perf_counter() - began,
        why=next(iter(divided.whys), ""),
    )


def drawn_inputs(entry: Entry, model: Model) -> list[Feeds]:
    """Seeded inputs that make sense to a model."""
    random = np.random.default_rng(SEED)
    return [entry.draw(model.inputs, random) for _ in range(INPUTS)]


def faults(folder: Path, number: int = FAULTS) -> list[Fault]:
    """Plants faults, the kinds and the models in turn, where a model has a place for one."""
    random = np.random.default_rng(SEED)
    benches = list(_benches(folder))
    seen: list[Fault] = []
    with tempfile.TemporaryDirectory() as elsewhere:
        for turn in range(10 * number):
            if len(seen) == number or not benches:
                break
            fault = planted(benches[turn % len(benches)], KINDS[len(seen) % len(KINDS)], random, Path(elsewhere))
            seen += [] if fault is None else [fault]
    return seen


def _benches(folder: Path) -> Iterator[Bench]:
    for entry in by_name(FAULTY):
        try:
            path = prepared(entry, folder)
            model = load(path, dims=entry.dims)
            inputs = drawn_inputs(entry, model)
            comparison = AnswerComparison(expected_answers(model, inputs))
        except EdgentError as error:
            print(f"no faults planted in {entry.name}: {error}", file=sys.stderr)
            continue
        yield Bench(name=entry.name, path=path, dims=entry.dims, model=model, inputs=inputs, comparison=comparison)


def _broken(why: str, seconds: float) -> Row:
    return Row(
        cuts=0,
        verified=0,
        not_offered=0,
        live=0,
        failed=1,
        max_relative_difference=0.0,
        tolerance=0.0,
        answers_equal=False,
        seconds=seconds,
        why=why,
    )


def document(rows: Mapping[str, Row], seen: Sequence[Fault], unavailable: Mapping[str, str]) -> dict[str, Any]:
    """The JSON document."""
    missed = [_finite(asdict(fault)) for fault in seen if not fault.found]
    return {
        "models": {name: _finite(asdict(row)) for name, row in rows.items()},
        "unavailable": dict(unavailable),
        "planted": {"faults": len(seen), "found": len(seen) - len(missed), "missed": missed},
    }


def _finite(content: Mapping[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: an answer of another form is infinitely far, and its distance null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in content.items()
    }


def passes(found: Mapping[str, Any]) -> bool:
    """Whether nothing differs, and enough of the planted faults were found."""
    planted_faults = found["planted"]
    enough = planted_faults["found"] * FAULTS >= ENOUGH * planted_faults["faults"]
    return enough and all(not row["failed"] and row["answers_equal"] for row in found["models"].values())


def measured(entries: Sequence[Entry], folder: Path, most: int, *, plant: bool) -> dict[str, Any]:
    """Every model in a process of its own, two at a time, with a bar on stderr."""
    paths, unavailable = collected(entries, folder)
    rows: dict[str, Row] = {}
    seen: list[Fault] = []
    workers = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1)
    try:
        with workers as pool, show.live_progress() as progress:
            tasks: dict[Future[Any], str] = {
                pool.submit(exactness, entry, paths[entry.name], most): entry.name
                for entry in entries
                if entry.name in paths
            }
            planting = pool.submit(faults, folder) if plant else None
            for done, task in enumerate(as_completed(tasks), start=1):
                name, row = tasks[task], task.result()
                rows[name] = row
                show.err.print(f"{name}: {row.verified} cuts, {row.failed} failed, {row.seconds:.0f} s")
                progress("models", done, len(tasks))
            seen = planting.result() if planting else []
    finally:
        for entry in entries:
            if entry.large:
                remove(entry, folder)
    return document({name: rows[name] for name in paths}, seen, unavailable)


def collected(entries: Sequence[Entry], folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The files of models, and why others cannot be had."""
    paths, unavailable = {}, {}
    with show.live_progress() as progress:
        for done, entry in enumerate(entries):
            progress(f"making {entry.name}", done, len(entries))
            try:
                paths[entry.name] = prepared(entry, folder)
            except EdgentError as error:
                unavailable[entry.name] = str(error)
    return paths, unavailable


def _print(found: Mapping[str, Any]) -> None:
    titles = f"{'cuts':>5} {'run':>5} {'live':>5} {'failed':>6} {'largest':>8} {'passes':>8} {'equal':>5} {'s':>5}"
    print(f"{'model':24} {titles}")
    for name, row in found["models"].items():
        print(
            f"{name:24} {row['cuts']:5} {row['verified']:5} {row['live']:5} {row['failed']:6} "
            f"{_short(row['max_relative_difference'])} {_short(row['tolerance'])} "
            f"{'yes' if row['answers_equal'] else 'no':>5} {row['seconds']:5.0f}"
        )
        if row["why"]:
            print(f"    {row['why'][:200]}")
    for name, why in found["unavailable"].items():
        print(f"{name:24} could not be had: {why}")
    print(f"{found['planted']['faults']} faults planted, {found['planted']['found']} found")
    for fault in found["planted"]["missed"]:
        where = f"{fault['kind']} {fault['where']}, difference {_short(fault['difference']).strip()}"
        print(f"    missed in {fault['model']}: {where}")


def _short(value: float | None) -> str:
    return f"{'inf' if value is None else f'{value:.1e}':>8}"


def main() -> int:
    """Measures and prints; fails where an answer differs or too few planted faults were found."""
    parser = command.options(__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="of the list (repeatable)")
    parser.add_argument("--cuts", type=command.at_least(1), default=CUTS, help="of a model, at most: a seeded draw")
    parser.add_argument("--models", type=Path, default=default_folder(), metavar="DIR", help="where models are kept")
    parser.add_argument("--no-faults", action="store_true", help="plant none")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON document there as well")
    options = parser.parse_args()
    try:
        entries = by_name(options.only)
        show.check_output(options.output)
    except ValueError as error:
        parser.error(str(error))
    folder = options.models.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    run = provenance(Path(__file__).parent) | {"cuts": options.cuts, "inputs": INPUTS, "seed": SEED}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".cache-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # of this process and its workers: gigabytes, of use to nobody else
        found = {"run": run} | measured(entries, folder, options.cuts, plant=not options.no_faults)
    if options.output:
        options.output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")
    command.show(options, found, lambda: _print(found))
    return 0 if passes(found) else 1


if __name__ == "__main__":
    command.run(main)
