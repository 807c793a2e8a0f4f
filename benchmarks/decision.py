"""How long planning takes: the table of candidates, its frontier, and one decision.

    python benchmarks/decision.py [MODEL ...] [--gates FILE] [--decisions N] [--seed S] [--json]

Each model is profiled for a few seconds; the device is the emulated pi-3b+, the edge this machine. Without models:
b-alexnet with its own calibration, and resnet50 of the onnx wheel. A model without accuracies and calibration gets
made-up ones for every exit, cut and tensor codec, so that there is as much to choose among as there can be: right for
timing, and for nothing else. With `--gates` policies are among the candidates, of the one model. Decisions are made
under random conditions and deadlines. `controller`: those of a live device in the dynamic environment, on a link that
varies around levels that change, both machines' speeds drifting by some per cent from request to request. `spread` is
the interquartile range over the median.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.codec import Calibration
from edgent.codec.calibration import CodecAccuracy, EncodedSize
from edgent.device.choosers.chooser import Scope
from edgent.device.choosers.dynamic import Dynamic
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.link import TransferModel
from edgent.link.transfer import Transfer
from edgent.model import Model
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.gates import Gates
from edgent.planning.policy import with_policies
from edgent.planning.pricing import price
from edgent.profiling.model_profiler import profile
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

LARGER = "resnet50"
DEVICE = "pi-3b+"
DEADLINE, MARGIN = Seconds(0.1), Seconds(0.003)
BUILDS = 7
BUDGET = 5.0  # seconds of profiling
_RATIO = {"float32+zstd": 0.8, "float16+zstd": 0.4, "uint8+zstd": 0.12}  # of the raw size, give or take a tenth
_LOSS = {"float16": 0.001, "uint8": 0.01}  # of accuracy, at most


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names or files")
    parser.add_argument("--decisions", type=int, default=1000, help="of each model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gates", type=Path, metavar="FILE", help="of the model, as edgent gate writes it")
    options = parser.parse_args()
    if not 10 <= options.decisions <= 1_000_000:
        parser.error(f"--decisions {options.decisions}: expected 10 .. 1000000")
    results = [
        _measure(load(name), options.decisions, options.seed, options.gates)
        for name in options.models or ["b-alexnet", _larger()]
    ]
    command.show(options, {"device": str(find_device(DEVICE)), "models": results}, lambda: _print(results))
    return 0


def _larger() -> str:
    import onnx

    return str(Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{LARGER}.onnx")


def _measure(model: Model, decisions: int, seed: int, file: Path | None) -> dict[str, Any]:
    gates = None if file is None else Gates.load(file)
    if gates is not None:
        gates.check(model)
    print(f"{model.name}: profiling", file=sys.stderr)
    edge = profile(model, OnnxRuntimeEngine(), budget=BUDGET)
    device = emulated_profile(edge, find_device(DEVICE))
    random = np.random.default_rng(seed)
    calibration = calibration_for(model, None)
    measured = calibration is not None
    calibration = calibration or _made_up(model, random)

    def build() -> Candidates:
        costs = price(model, device, edge, calibration)
        if not measured:
            costs = tuple(replace(branch, accuracy=0.7 + branch.exit / 100) for branch in costs)
        plain = Candidates.of(costs, calibration.measure)
        return plain if gates is None else with_policies(plain, gates, model)

    table = build()
    planner = Planner(table)
    made, found = [], []
    for _ in range(BUILDS):
        made.append(_milliseconds(build))
        found.append(_milliseconds(table.frontier))
    asked = [(_conditions(random), Seconds(float(10 ** random.uniform(-2, 0.5)))) for _ in range(decisions)]
    chosen = [_milliseconds(lambda now=now, by=by: planner.plan(now, by)) for now, by in asked]
    scope = Scope(
        candidates=table, device=device, edge=edge, deadline=DEADLINE, race=True, margin=lambda _: Seconds(0.003)
    )
    followed = _followed(scope, decisions, random)
    return {
        "model": model.name,
        "calibration": "measured" if measured else "made up",
        "layers": max(len(branch.layers) for branch in model.branches),
        "exits": len(model.branches),
        "gates": 0 if gates is None else len(gates.gates),
        "candidates": len(table),
        "frontier": len(planner.candidates),
        "table_ms": _summary(made),
        "frontier_ms": _summary(found),
        "decision_ms": _summary(chosen) | {"p99": float(np.percentile(chosen, 99))},
        "controller_ms": _summary(followed) | {"p99": float(np.percentile(followed, 99))},
    }


def _followed(scope: Scope, decisions: int, random: np.random.Generator) -> list[float]:
    """Milliseconds of each decision, a request every half second; what it sends tells the bandwidth."""
    chooser = Dynamic(scope)
    level, took = 0.0, []
    for k in range(decisions):
        if k % 50 == 0:
            level = float(10 ** random.uniform(5, 7.5))
        drifted = replace(_conditions(random), device_factor=_factor(random), edge_factor=_factor(random))
        now = Seconds(0.5 * k)
        took.append(_milliseconds(lambda now=now, seen=drifted: chooser.choose(now, seen, DEADLINE)))
        bandwidth = level * float(np.exp(0.2 * random.normal()))
        for direction, size in (("up", 6_000), ("down", 1_000)):
            seconds = size * BITS_PER_BYTE / bandwidth
            chooser.observe([Transfer(direction=direction, size=size, seconds=seconds, at=Seconds(now + 0.3))])
    return took


def _factor(random: np.random.Generator) -> float:
    return float(np.exp(0.03 * random.normal()))


def _made_up(model: Model, random: np.random.Generator) -> Calibration:
    """Sizes of every compressed and accuracies behind every lossy crossing: seeded, and nobody's."""
    sizes: dict[tuple[tuple[str, ...], str], EncodedSize] = {}
    accuracies: dict[tuple[int, tuple[str, ...], str], CodecAccuracy] = {}
    for branch in model.branches:
        n = len(branch.layers)
        for cut in range(n):
            crossing = branch.boundary(cut, n).up
            names, raw = tuple(sorted(t.name for t in crossing)), float(sum(t.nbytes or 0 for t in crossing))
            for codec, ratio in _RATIO.items():
                size = raw * ratio * float(random.uniform(0.9, 1.1))
                sizes[names, codec] = EncodedSize(tensors=names, codec=codec, mean_bytes=size, samples=1)
            for codec, loss in _LOSS.items():
                accuracy = 0.7 + branch.exit / 100 - loss * float(random.integers(0, 5)) / 5
                key = (branch.exit, names, codec)
                accuracies[key] = CodecAccuracy(exit=key[0], tensors=names, codec=codec, accuracy=accuracy, samples=1)
    return Calibration(
        model=model.name,
        digest=model.digest,
        data="made up",
        sizes=tuple(sizes.values()),
        accuracies=tuple(accuracies.values()),
    )


def _conditions(random: np.random.Generator) -> Conditions:
    up, down = (BitsPerSecond(float(10 ** random.uniform(4.5, 8))) for _ in range(2))
    round_trip = Seconds(float(random.uniform(0, 0.05)))
    return Conditions(
        uplink=TransferModel(bandwidth=up, round_trip=round_trip),
        downlink=TransferModel(bandwidth=down, round_trip=round_trip),
        queue=Seconds(float(random.exponential(0.003))),
    )


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1e3


def _summary(samples: list[float]) -> dict[str, float]:
    low, median, high = np.percentile(samples, [25, 50, 75])
    return {"median": float(median), "spread": float((high - low) / median)}


def _print(results: list[dict[str, Any]]) -> None:
    print(find_device(DEVICE))
    print(f"{'model':14} {'candidates':>10} {'frontier':>8}  {''.join(f'{name:>16}' for name in _TIMES)}")
    for row in results:
        times = (f"{t['median']:8.2f} ms ±{t['spread']:3.0%}" for t in (row[f"{k}_ms"] for k in _TIMES))
        print(f"{row['model'][:14]:14} {row['candidates']:10} {row['frontier']:8}  {''.join(times)}")


_TIMES = ("table", "frontier", "decision", "controller")

if __name__ == "__main__":
    command.run(main)
