"""How well a profile predicts the time of a head that is really built, beside how well measuring it again does.

    python benchmarks/segments.py [MODEL ...] [--threads N] [--budget SECONDS] [--json]

Each model is profiled. Then heads of every branch (those that take at least 5 % of it) are built and timed, all of
them interleaved, twice. `error_ape` compares the prediction with the mean of both timings; `share_ape` does so after
dividing both by the time of the whole branch in the same run, so that a machine that became slower meanwhile does not
count; `noise_ape` compares the second timing with the first.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import command
from edgent.engine.feeds import Feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.latency import Profile
from edgent.model import Branch, Model
from edgent.profiling.codec_timing import Source
from edgent.profiling.model_profiler import profile
from edgent.profiling.timing import Task, interleaved

TOPOLOGIES = ("squeezenet", "shufflenet", "resnet50", "inception_v1", "densenet121")
CUTS = 6  # heads of each branch
SMALLEST = 0.05  # of the branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One head: seconds as predicted and as timed twice, and the errors as fractions."""

    exit: int
    cut: int
    predicted: float
    first: float
    second: float
    error_ape: float
    share_ape: float
    noise_ape: float


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("models", nargs="*", help="names or files; default: b-alexnet and topologies of the onnx wheel")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=float, default=15.0, help="seconds for each profile and each timing of heads")
    options = parser.parse_args()
    results = []
    for name in options.models or ["b-alexnet", *map(str, _topologies())]:
        results.append(_measure(load(name), OnnxRuntimeEngine(threads=options.threads, capacity=8), options.budget))
        if not options.json:
            print(_row(results[-1]), flush=True)
    if options.json:
        command.write({"threads": options.threads, "models": results})
    return 0


def _topologies() -> list[Path]:
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return [folder / f"light_{name}.onnx" for name in TOPOLOGIES]


def _measure(model: Model, engine: OnnxRuntimeEngine, budget: float) -> dict[str, Any]:
    measured = profile(model, engine, budget=budget)
    feeds = Source(model).feeds
    heads: list[Head] = []
    for branch in model.branches:
        heads += _heads(model, branch, measured, engine, feeds, budget / len(model.branches))
    medians = {f"median_{name}": median(getattr(head, name) for head in heads) for name in _ERRORS}
    whole = {f"exit_{branch.exit}_ms": branch.whole.median * 1e3 for branch in measured.branches}
    unassigned = max(branch.unassigned for branch in measured.branches)
    return {
        "model": model.name,
        **whole,
        "unassigned": unassigned,
        **medians,
        "heads": [asdict(head) for head in heads],
    }


_ERRORS = ("error_ape", "share_ape", "noise_ape")


def _heads(
    model: Model, branch: Branch, measured: Profile, engine: OnnxRuntimeEngine, feeds: Feeds, budget: float
) -> list[Head]:
    n = len(branch.layers)
    whole = measured.head(branch.exit, n)
    large = [cut for cut in range(1, n) if measured.head(branch.exit, cut) >= SMALLEST * whole]
    cuts = sorted({large[round(k)] for k in np.linspace(0, len(large) - 1, CUTS)}) if large else []
    tasks = [_head(model, branch, cut, engine, feeds) for cut in (*cuts, n)]
    passes = []
    for _ in range(2):
        times = interleaved(tasks, rounds=20, until=time.perf_counter() + budget / 2)
        passes.append([float(np.median(seconds)) for seconds in times])
    first, second = passes
    return [
        _compared(
            branch.exit, cut, measured.head(branch.exit, cut), whole, (first[k], second[k]), (first[-1], second[-1])
        )
        for k, cut in enumerate(cuts)
    ]


def _compared(
    exit: int, cut: int, predicted: float, whole: float, timed: tuple[float, float], wholes: tuple[float, float]
) -> Head:
    mean, share = sum(timed) / 2, sum(timed) / sum(wholes)
    return Head(
        exit=exit,
        cut=cut,
        predicted=predicted,
        first=timed[0],
        second=timed[1],
        error_ape=abs(predicted / mean - 1),
        share_ape=abs(predicted / whole / share - 1),
        noise_ape=abs(timed[1] / timed[0] - 1),
    )


def _head(model: Model, branch: Branch, cut: int, engine: OnnxRuntimeEngine, feeds: Feeds) -> Task:
    n = len(branch.layers)
    inputs = [tensor.name for tensor in branch.inputs]
    crossing = branch.boundary(cut, n).up if cut < n else branch.outputs
    asked = [tensor.name for tensor in crossing if tensor.name not in inputs]
    session = engine.build(model.segment(inputs, asked))
    given = {name: feeds[name] for name in inputs}
    return lambda: session.run(given)


def _row(result: dict[str, Any]) -> str:
    numbers = "  ".join(f"{name.removesuffix('_ape')} {result[f'median_{name}']:6.1%}" for name in _ERRORS)
    heads = f"{len(result['heads']):3} heads"
    return f"{result['model']:24} {heads}, medians: {numbers}  unassigned {result['unassigned']:.1%}"


if __name__ == "__main__":
    command.run(main)
