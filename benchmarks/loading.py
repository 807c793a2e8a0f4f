"""What a version costs at the start: loading the shipped models and their first answer, against another version.

    python benchmarks/loading.py BEFORE [--pairs N] [--json]

BEFORE is a working tree of that other version (`git worktree add /tmp/before COMMIT`). Each run is a fresh process
that imports `edgent`, loads a model, and answers once on the device alone. Runs of the two versions alternate, the
first of a pair in turn, and a version is as slow as the median of the ratios of its pairs. With a kept cache, which is
what every start but the first has, and with an empty one. Processor time is the steadier of the two on a busy machine.
It passes where no median is more than 10 % above the other version's.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.cli.terminal import show
from edgent.errors import EdgentError
from edgent.model import SHIPPED
from programs import output
from provenance import commit, provenance

HERE = Path(__file__).resolve().parents[1]
PAIRS, MOST = 15, 1.10
PATIENCE = 120.0  # seconds of one run
STAGES = ("import", "load", "answer")
JUDGED = "load_and_answer"
CLOCKS = ("wall", "cpu")

RUN = """
import json, resource, sys, time
import numpy as np

def now():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime

times = [now()]
import edgent
edgent.load, edgent.Device, edgent.Configuration
times.append(now())
model = edgent.load(sys.argv[1])
times.append(now())
branch = model.branches[-1]
n = len(branch.layers)
whole = edgent.Configuration(exit=branch.exit, upload_cut=n, download_cut=n)
feeds = {tensor.name: np.zeros(tensor.shape, tensor.dtype) for tensor in model.inputs}
with edgent.Device(model, deadline=60.0) as device:
    device.infer(feeds, configuration=whole)
    times.append(now())
print(json.dumps([[1e3 * (b - a) for a, b in zip(start, end)] for start, end in zip(times, times[1:])]))
"""
"""Uses nothing but the public names, which both versions have. Prints milliseconds, wall and processor, by stage."""

Stages = dict[str, dict[str, float]]


def run(tree: Path, model: str, cache: Path) -> Stages:
    """One start of a version: milliseconds by clock and stage, and of load and answer together.

    Raises:
        EdgentError: it does not run there.
    """
    environment = {"PYTHONPATH": str(tree / "src"), "XDG_CACHE_HOME": str(cache)}
    environment["PYTHONDONTWRITEBYTECODE"] = ""  # or each start compiles the sources
    try:
        printed = output(sys.executable, "-c", RUN, model, environment=environment, patience=PATIENCE)
    except EdgentError as error:
        raise EdgentError(f"{tree} does not run {model}: {error}") from None
    by_stage = dict(zip(STAGES, json.loads(printed), strict=True))
    stages = {clock: {stage: by_stage[stage][at] for stage in STAGES} for at, clock in enumerate(CLOCKS)}
    return {clock: parts | {JUDGED: parts["load"] + parts["answer"]} for clock, parts in stages.items()}


def pairs_of(trees: tuple[Path, Path], model: str, number: int, *, keep: bool) -> list[tuple[Stages, Stages]]:
    """That many pairs of runs, before and after; the cache is kept from run to run, or empty each time."""
    with tempfile.TemporaryDirectory() as folder:
        caches = [Path(folder) / name for name in ("before", "after")]
        if keep:
            for tree, cache in zip(trees, caches, strict=True):
                run(tree, model, cache)
        pairs = []
        for turn in range(number):
            sides = {}
            for side in ((0, 1), (1, 0))[turn % 2]:
                cache = caches[side] if keep else Path(tempfile.mkdtemp(dir=folder))
                sides[side] = run(trees[side], model, cache)
            pairs.append((sides[0], sides[1]))
    return pairs


def compared(pairs: Sequence[tuple[Stages, Stages]], stage: str, clock: str) -> dict[str, float]:
    """Medians in milliseconds, and the median and the quartiles of the pairs' ratios."""
    times = np.array([[side[clock][stage] for side in pair] for pair in pairs])
    before, after = np.median(times, axis=0)
    low, middle, high = np.quantile(times[:, 1] / times[:, 0], (0.25, 0.5, 0.75))
    return {
        "before_ms": round(float(before), 2),
        "after_ms": round(float(after), 2),
        "ratio": round(float(middle), 4),
        "ratio_low": round(float(low), 4),
        "ratio_high": round(float(high), 4),
    }


def measured(before: Path, number: int) -> dict[str, Any]:
    """The JSON document: under each stage a row for each model, cache and clock."""
    models = sorted(file.stem for file in SHIPPED.glob("*.onnx"))
    starts = [(model, keep) for model in models for keep in (True, False)]
    stages: dict[str, list[dict[str, Any]]] = {stage: [] for stage in (JUDGED, *STAGES)}
    versions = {"run": provenance(HERE), "before": commit(before)}
    with show.live_progress() as progress:
        for done, (model, keep) in enumerate(starts):
            progress("starts", done, len(starts))
            pairs = pairs_of((before, HERE), model, number, keep=keep)
            names = {"model": model, "cache": "kept" if keep else "empty"}
            for stage, rows in stages.items():
                rows += [{**names, "clock": clock, **compared(pairs, stage, clock)} for clock in CLOCKS]
    return {**versions, "pairs": number, "stages": stages}


def passes(document: Mapping[str, Any]) -> bool:
    """Whether loading and the first answer are at most a tenth slower, by either clock."""
    return all(row["ratio"] <= MOST for row in document["stages"][JUDGED])


def _print(document: Mapping[str, Any]) -> None:
    for stage, rows in document["stages"].items():
        print(stage.replace("_", " "))
        for row in rows:
            spread = f"{row['ratio']:.2f} ({row['ratio_low']:.2f} .. {row['ratio_high']:.2f})"
            name = f"{row['model']:17} {row['cache']:5} cache {row['clock']:4}"
            print(f"    {name} {row['before_ms']:7.1f} -> {row['after_ms']:7.1f} ms  ratio {spread}")


def main() -> int:
    """Measures and prints; fails where this version is more than a tenth slower."""
    parser = command.options(__doc__)
    parser.add_argument("before", metavar="BEFORE", type=Path, help="a working tree of the other version")
    parser.add_argument("--pairs", type=command.at_least(1), default=PAIRS, help="of runs, for each model and cache")
    options = parser.parse_args()
    if not (options.before / "src" / "edgent").is_dir():
        parser.error(f"{options.before} is no working tree of Edgent: it has no src/edgent")
    document = measured(options.before.absolute(), options.pairs)
    command.show(options, document, lambda: _print(document))
    return 0 if passes(document) else 1


if __name__ == "__main__":
    command.run(main)
