"""How well latency models predict models that were never measured, beside how well measuring again does.

    python benchmarks/latency_models.py [--sweep-seconds 300] [--cuts 5] [--plot FILE.svg] [--json]

A sweep of random networks fits the latency models; the nine topologies of the onnx wheel and EfficientNet-Lite0 (built
here, with random weights) are the test. Nothing that has the shape of a layer of theirs is used for fitting. At some
single-tensor cuts of each, drawn by a fixed seed, head and tail are built and timed twice, with a part of the sweep
between both times, so that fit, truth and re-measurement meet the same phases of the machine; segments below 5 % of
the whole do not count. Each timing has a small convolution beside it: how a model's times follow it is fitted to its
own timings, and the truth is what it takes while that reference is at the median of the sweep.

`ours`, `paper` (its variables, least squares, clamped), `flops` (a line on floating point operations) and `measured`
(a profile of the very model, made between both timings, scaled to the whole) are judged on both timings together;
`noise` is the first against the second. Plans: over bandwidth x model, the fastest device-first plan by predicted times
and an emulated edge, eight times as fast in everything, against the fastest by measured times; both cost what was
measured.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgent.latency.family import Sample
from edgent.latency.machine import Fit, fit
from edgent.latency.prediction import BranchWork, LatencyModel, Measured
from edgent.latency.traits import traits
from edgent.model import Branch, Model, load
from edgent.model.builder import Builder
from edgent.report.plots import COLOURS, Axis, Line, lines
from edgent.runtime.engine import Engine, Feeds, Session
from edgent.runtime.machine import branch_work
from edgent.runtime.profiler import profile
from edgent.runtime.sweep import Bench, Timed, samples, sweep
from edgent.runtime.verify import random_feeds

SMALLEST = 0.05  # of the whole
ROUNDS_FOR = 2.5  # seconds of timing for each model, twice
PROFILE_FOR = 2.0
BANDWIDTHS = (1e6, 2e6, 5e6, 10e6, 20e6, 50e6)
EDGE_FACTOR = 1 / 8
COSTS = (10.0, 30.0, 60.0, 120.0)  # seconds of the sweep after which its model is judged as well
Ends = tuple[list[str], list[str]]


@dataclass
class Piece:
    """A segment of a test model: the layers between two cuts, and its timings beside the reference's."""

    first: int
    last: int
    ends: Ends
    passes: tuple[list[tuple[float, float]], list[tuple[float, float]]] = field(default_factory=lambda: ([], []))


@dataclass
class Case:
    """A test model."""

    name: str
    work: BranchWork
    pieces: list[Piece]
    crossing: list[float]
    measured: Measured | None = None


def main() -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep-seconds", type=float, default=300.0)
    parser.add_argument("--cuts", type=int, default=5, help="single-tensor cuts of each model, by seeded choice")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="the sweep's cost against the error it reaches")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if options.sweep_seconds <= 0 or options.cuts < 1 or options.threads < 1:
        parser.error("--sweep-seconds, --cuts and --threads are positive")
    engine = Engine(threads=options.threads, capacity=4)
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        run = Run(engine, options.sweep_seconds, options.cuts)
        for path in test_models(Path(folder)):
            run.add(load(path))
    result = run.judged()
    if options.plot:
        plot(result, options.plot)
    if options.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    else:
        show(result)
    return 0


def test_models(folder: Path) -> list[Path]:
    """The topologies of the onnx wheel, and EfficientNet-Lite0."""
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    lite = folder / "efficientnet_lite0.onnx"
    lite.write_bytes(efficientnet_lite0())
    return [*sorted(light.glob("light_*.onnx")), lite]


def efficientnet_lite0() -> bytes:
    """EfficientNet-Lite0 with random weights [Tan and Le 2019; lite: ReLU6, no squeeze-and-excitation]."""
    made = Builder()

    def normed(x: str, maps: int, side: int, stride: int = 1, groups: int = 1) -> str:
        return made.norm(made.conv(x, maps, side, stride=stride, groups=groups, bias=False))

    x = made.activation(normed(made.input((1, 3, 224, 224)), 32, 3, 2), "Clip")
    stages = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
    for widening, side, first_stride, maps, repeats in (*stages, (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)):
        for number in range(repeats):
            channels, stride = made.shapes[x][1], first_stride if number == 0 else 1
            y = made.activation(normed(x, channels * widening, 1), "Clip") if widening > 1 else x
            y = made.activation(normed(y, channels * widening, side, stride, channels * widening), "Clip")
            y = normed(y, maps, 1)
            x = made.add(y, x) if made.shapes[y] == made.shapes[x] else y
    x = made.mean(made.activation(normed(x, 1280, 1), "Clip"))
    return made.segment([made.gemm(made.reshape(x, 1, 1280), 1000)]).proto


class Run:
    """The interleaved run: for each model its timings, a part of the sweep, its profile, its timings again."""

    def __init__(self, engine: Engine, sweep_seconds: float, cuts: int) -> None:
        self.engine, self.bench, self.cuts = engine, Bench(engine), cuts
        self.sweep_seconds, self.models = sweep_seconds, 10
        self.timed: tuple[Timed, ...] = ()
        self.cases: list[Case] = []

    def add(self, model: Model) -> None:
        """One test model."""
        branch = model.branches[-1]
        case = Case(
            name=model.name,
            work=branch_work(model, branch, self.engine),
            pieces=list(pieces(branch, self.cuts)),
            crossing=crossing_bytes(branch),
        )
        feeds = random_feeds(model.inputs, np.random.default_rng(0))
        sessions = [self.engine.build(model.segment(*piece.ends)) for piece in case.pieces]
        given = [self._feeds(session, feeds) for session in sessions]
        self._pass(case, sessions, given, 0)
        done = len(self.cases) + 1
        share = self.sweep_seconds * done / self.models
        self.timed = sweep(self.bench, budget=share, done=self.timed)
        case.measured = Measured(profile=profile(model, self.engine, budget=PROFILE_FOR).branches[-1])
        self._pass(case, sessions, given, 1)
        self.cases.append(case)
        counts = f"{len(case.pieces)} segments, {len(self.timed)} specimens"
        print(f"{done}/{self.models} {case.name}: {counts}", file=sys.stderr)

    def _feeds(self, session: Session, known: Feeds) -> Feeds:
        drawn = random_feeds(session.segment.given, np.random.default_rng(1))
        return {name: known.get(name, array) for name, array in drawn.items()}

    def _pass(self, case: Case, sessions: Sequence[Session], given: Sequence[Feeds], which: int) -> None:
        counts = []
        for session, feeds in zip(sessions, given, strict=True):
            session.run(feeds)
            counts.append(self.bench.burst(session, feeds))
        until, rounds = time.perf_counter() + ROUNDS_FOR, 0
        while rounds < 4 or time.perf_counter() < until:
            for piece, session, feeds, count in zip(case.pieces, sessions, given, counts, strict=True):
                session.run(feeds)
                piece.passes[which].append(self.bench.timed(session, feeds, count))
            rounds += 1

    def judged(self) -> dict[str, Any]:
        """The whole result."""
        usual = float(np.log(np.median([reference for one in self.timed for reference in one.references])))
        tested = {traits(kernel, 0.0).shape for case in self.cases for kernel in case.work.kernels}
        found = [[s for s in specimen if s.traits.shape not in tested] for specimen in samples(self.timed)]
        begun = time.perf_counter()
        machine = fit([specimen for specimen in found if specimen])
        truths = [Truth(case, usual) for case in self.cases]
        kept = sum(map(len, found))
        cost = [
            {"sweep_seconds": seconds, **self._after(seconds, found, truths)}
            for seconds in COSTS
            if seconds < self.sweep_seconds
        ]
        return {
            **judge_all(machine, self.cases, truths),
            "plans": judge_plans(machine, self.cases, truths),
            "cost": cost,
            "sweep": {
                "seconds": sum(one.seconds for one in self.timed),
                "fit_seconds": time.perf_counter() - begun,
                "specimens": len(self.timed),
                "kernels": kept,
                "left_out": sum(map(len, samples(self.timed))) - kept,
                "held_out_kernels_in_their_90_percent_interval": machine.validation.kernel.coverage,
                "held_out_specimens_in_theirs": machine.validation.specimen.coverage,
                "held_out_kernel_ape": machine.validation.kernel.median_ape,
            },
            "engine": {"name": self.engine.name, **self.engine.options},
        }

    def _after(self, seconds: float, found: Sequence[Sequence[Sample]], truths: Sequence[Truth]) -> dict[str, Any]:
        """How well a model predicts that was fitted to the first seconds of the sweep."""
        spent = np.cumsum([one.seconds for one in self.timed])
        early = [specimen for specimen, at in zip(found, spent, strict=True) if specimen and at <= seconds]
        machine = fit(early)
        result = judge(self.cases, truths, lambda _: machine)
        keys = ("median_ape", "worst_model_median_ape", "models_within_10_percent", "in_90_percent_interval")
        return {key: result[key] for key in keys}


def pieces(branch: Branch, most: int) -> Iterator[Piece]:
    """The whole, and head and tail at some of the cuts that one tensor crosses."""
    n = len(branch.layers)
    given, asked = ([tensor.name for tensor in side] for side in (branch.inputs, branch.outputs))
    yield Piece(0, n, (given, asked))
    crossings = {k: [tensor.name for tensor in branch.boundary(k, n).up] for k in range(1, n)}
    cuts = [k for k, names in crossings.items() if len(names) == 1 and names != given]
    for k in sorted(np.random.default_rng(7).choice(cuts, min(most, len(cuts)), replace=False).tolist()):
        yield Piece(0, k, (given, crossings[k]))
        yield Piece(k, n, (crossings[k], asked))


def crossing_bytes(branch: Branch) -> list[float]:
    """Bytes that cross each cut of a device-first plan."""
    n = len(branch.layers)
    return [float(sum(tensor.nbytes or 0 for tensor in branch.boundary(k, n).up)) for k in range(n + 1)]


class Truth:
    """What a model's segments take while the reference is at its median."""

    def __init__(self, case: Case, usual: float) -> None:
        self.usual = usual
        rises = [self._deviations(piece) for piece in case.pieces]
        top, bottom = (sum(pair[k] for pair in rises) for k in (0, 1))
        self.follows = min(max(top / bottom if bottom > 0 else 0.0, 0.0), 1.3)
        self.first, self.second, self.both = (
            np.array([self._median(of(piece)) for piece in case.pieces])
            for of in (lambda p: p.passes[0], lambda p: p.passes[1], lambda p: p.passes[0] + p.passes[1])
        )
        self.counts = self.both > SMALLEST * self.both[0]
        self.counts[0] = False

    def _deviations(self, piece: Piece) -> tuple[float, float]:
        times, references = np.log(np.array(piece.passes[0] + piece.passes[1])).T
        references = references - references.mean()
        return float(((times - times.mean()) * references).sum()), float((references**2).sum())

    def _median(self, timings: Sequence[tuple[float, float]]) -> float:
        return math.exp(float(np.median([math.log(t) - self.follows * (math.log(r) - self.usual) for t, r in timings])))


def judge_all(machine: Fit, cases: Sequence[Case], truths: Sequence[Truth]) -> dict[str, Any]:
    """Every latency model on every test model."""
    models: dict[str, Callable[[Case], LatencyModel | None]] = {
        "ours": lambda _: machine,
        "paper": lambda _: machine.paper,
        "flops": lambda _: machine.flops,
        "measured": lambda case: case.measured,
    }
    result: dict[str, Any] = {name: judge(cases, truths, of) for name, of in models.items()}
    again = [np.abs(truth.second / truth.first - 1) for truth in truths]
    errors = [error[truth.counts] for error, truth in zip(again, truths, strict=True)]
    result["noise"] = summary(errors, [float(error[0]) for error in again], cases)
    return result


def judge(cases: Sequence[Case], truths: Sequence[Truth], of: Callable[[Case], LatencyModel | None]) -> dict[str, Any]:
    """One latency model."""
    errors, wholes, inside = [], [], []
    for case, truth in zip(cases, truths, strict=True):
        model = of(case)
        assert model is not None
        prediction = model.predict(case.work)
        if isinstance(model, Measured):  # profiled at another moment: its shares count, as in segments.py
            scale = truth.both[0] / prediction.layers.sum()
            prediction = replace(prediction, layers=prediction.layers * scale)
        expected = [prediction.between(piece.first, piece.last) for piece in case.pieces]
        error = np.abs(np.array([one.seconds for one in expected]) / truth.both - 1)
        errors.append(error[truth.counts])
        wholes.append(float(error[0]))
        held = np.array([one.low <= t <= one.high for one, t in zip(expected, truth.both, strict=True)])
        inside += held[truth.counts].tolist()
    return {**summary(errors, wholes, cases), "in_90_percent_interval": float(np.mean(inside))}


def summary(errors: Sequence[np.ndarray], wholes: Sequence[float], cases: Sequence[Case]) -> dict[str, Any]:
    """Medians over the segments, and the wholes."""
    medians = {case.name: float(np.median(error)) for case, error in zip(cases, errors, strict=True)}
    return {
        "median_ape": float(np.median(np.concatenate(errors))),
        "worst_model_median_ape": max(medians.values()),
        "models_within_10_percent": sum(error <= 0.1 for error in wholes),
        "models": {
            name: {"median_ape": medians[name], "whole_ape": whole} for name, whole in zip(medians, wholes, strict=True)
        },
    }


def judge_plans(machine: Fit, cases: Sequence[Case], truths: Sequence[Truth]) -> dict[str, Any]:
    """What plans from predicted times cost more than plans from measured ones, both paid in measured time."""
    extra: list[float] = []
    for case, truth in zip(cases, truths, strict=True):
        assert case.measured is not None
        measured = np.array(case.measured.profile.layers)
        measured *= truth.both[0] / measured.sum()
        predicted = machine.predict(case.work).layers
        for bandwidth in BANDWIDTHS:
            really, expected = (_totals(layers, case.crossing, bandwidth) for layers in (measured, predicted))
            extra.append(float(really[expected.argmin()] / really.min() - 1))
    return {"mean_extra_latency": float(np.mean(extra)), "worst_extra_latency": max(extra), "cells": len(extra)}


def _totals(layers: np.ndarray, crossing: Sequence[float], bandwidth: float) -> np.ndarray:
    """Latency of every device-first plan: head here, the crossing tensors up, the rest on the faster edge."""
    head = np.concatenate([[0.0], np.cumsum(layers)])
    up = np.array(crossing) * 8 / bandwidth
    up[-1] = 0.0
    return head + up + (head[-1] - head) * EDGE_FACTOR


def show(result: dict[str, Any]) -> None:
    """The table."""
    names = [name for name in ("ours", "paper", "flops", "measured", "noise") if name in result]
    print(f"{'median error of segments':26}" + "".join(f"{name:>13}" for name in names))
    for model in result["ours"]["models"]:
        cells = (result[name]["models"][model]["median_ape"] for name in names)
        print(f"{model:26}" + "".join(f"{cell:13.1%}" for cell in cells))
    for row in ("median_ape", "worst_model_median_ape"):
        print(f"{row:26}" + "".join(f"{result[name][row]:13.1%}" for name in names))
    within = "models_within_10_percent"
    print(f"{within:26}" + "".join(f"{result[name][within]:13}" for name in names))
    print(f"ours, segments in their 90 % interval: {result['ours']['in_90_percent_interval']:.1%}")
    for row in result["cost"]:
        print(f"after {row['sweep_seconds']:3.0f} s of the sweep: {row['median_ape']:.1%}")
    for part in ("plans", "sweep", "engine"):
        numbers = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in result[part].items()}
        print(f"{part}:", "; ".join(f"{key} {value}" for key, value in numbers.items()))


def plot(result: dict[str, Any], path: Path) -> None:
    """The median error of segments over the seconds of the sweep."""
    last = {"sweep_seconds": result["sweep"]["seconds"], **result["ours"]}
    rows = [*result["cost"], last]
    figures = (("median over all segments", "median_ape"), ("worst model", "worst_model_median_ape"))
    series = [
        Line(name=name, points=[(row["sweep_seconds"], 100 * row[key]) for row in rows], colour=colour)
        for (name, key), colour in zip(figures, COLOURS[4:], strict=False)
    ]
    drawn = lines(series, Axis(label="sweep, s", log=True), Axis(label="median error, %", low=0.0))
    alone = '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="12" '
    drawn = drawn.replace("<svg ", alone, 1)
    path.write_text(drawn[: drawn.index("</svg>") + 6] + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
