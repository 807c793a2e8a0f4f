"""How well latency models predict models that were never measured, beside how well measuring again does.

    python benchmarks/latency_models.py [MODEL ...] [--sweep-seconds 300] [--cuts N] [--plot FILE.svg] [--json]

With `--sweep-seconds 90 --cuts 4` it takes some seven minutes on an idle machine. On a busy one it takes as much longer
as others take of its cores, and its figures say less: `programs_ready` tells how many there were.

A sweep of random networks fits the latency models; the nine topologies of the onnx wheel and EfficientNet-Lite0 (built
here, with random weights) are the test. Nothing that has the shape of a layer of theirs is used for fitting. At every
cut that one tensor crosses (`--cuts`: at so many of each model) head and tail are built and timed twice, with a part
of the sweep between both times, so that fit, truth and re-measurement meet the same phases of the machine; segments
below 5 % of the whole do not count. With one thread all times, those of the sweep too, are the processor's. Each
timing has a small convolution and a copy beside it: how a model's times follow them is fitted to its own timings, and
the truth is what it takes while both are at their medians of the sweep.

`ours`, `paper` (its variables, least squares, clamped), `flops` (a line on floating point operations) and `measured`
(a profile of the very model, made between both timings, scaled to the whole) are judged on both timings together;
`noise` is the first against the second. Plans: over bandwidth x deadline x model (B-AlexNet with its five exits is one
more), what the planner chooses by our predictions against what it chooses by measured profiles; both cost what was
measured. The edge is this machine, the device an emulated one, 13 times slower in everything.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

# As `edgent` has it: threads of the algebra would wait for each other longer than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import command
from edgent.engine.engine import Session
from edgent.engine.feeds import Feeds, random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.calibration_files import calibration_for
from edgent.latency.family import References, Sample
from edgent.latency.kernel_model import KernelModel, fit
from edgent.latency.prediction import BranchWork, LatencyModel, Prediction
from edgent.latency.profile import BranchProfile, Profile
from edgent.link import TransferModel
from edgent.model import Model
from edgent.model.kernels import RUN
from edgent.planning import Candidates, Conditions
from edgent.planning.planner import TOLERANCE, choose
from edgent.profiling.model_profiler import profile
from edgent.profiling.predicted_profile import branch_work
from edgent.profiling.sweep import SpecimenTimer, SpecimenTimes, samples, sweep, usual_references
from edgent.profiling.timing import stopwatch_for
from edgent.report import COLOURS, Axis, Line, Panel, picture, plot
from edgent.units import BitsPerSecond, Seconds
from unseen import Case, Piece, Timings, followed, pieces, test_models, usual_time

SMALLEST = 0.05  # of the whole
ROUNDS_FOR = 3.0  # seconds of timing for each model, twice
LONG = 0.1  # seconds; what takes longer is timed half as often, and does not feel what ran before it in the caches
PROFILE_FOR = 2.0
EVERY = 1_000_000  # more cuts than any model has
BANDWIDTHS = (1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6)
DEADLINES = (0.1, 0.3, 1.0)  # of what the device takes alone
ROUND_TRIP = 5e-3
DEVICE_FACTOR = 13.0
COSTS = (5.0, 10.0, 15.0, 30.0, 60.0, 120.0)  # seconds of the sweep after which its model is judged as well


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("models", nargs="*", type=Path, help="ONNX files of fixed shapes, to be judged on as well")
    parser.add_argument("--sweep-seconds", type=float, default=300.0)
    parser.add_argument("--cuts", type=int, default=EVERY, help="of each model; default: all that one tensor crosses")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="the sweep's cost against the error it reaches")
    options = parser.parse_args()
    if options.sweep_seconds <= 0 or options.cuts < 1 or options.threads < 1:
        parser.error("--sweep-seconds, --cuts and --threads are positive")
    engine = OnnxRuntimeEngine(threads=options.threads, capacity=4)
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        paths = [*test_models(Path(folder)), *options.models]
        run = Run(engine, Path(folder), options.sweep_seconds, options.cuts, len(paths))
        for path in paths:
            run.add(load(path))
        result = run.judged()
    if options.plot:
        draw(result, options.plot)
    command.show(options, result, lambda: show(result))
    return 0


class Cell(NamedTuple):
    """One decision: the same plan as by measured times? Late where that one is in time? How much slower, a share."""

    same: bool
    late: bool
    extra: float


class Run:
    """The interleaved run: for each model its timings, a part of the sweep, its profile, its timings again."""

    def __init__(self, engine: OnnxRuntimeEngine, folder: Path, sweep_seconds: float, cuts: int, models: int) -> None:
        self.engine, self.cuts = engine, cuts
        # The sweep's seconds are processor time too: on a shared machine they are as many specimens as on an idle one.
        self.bench = SpecimenTimer(engine, folder, stopwatch_for(engine))
        self.sweep_seconds, self.models = sweep_seconds, models
        self.exits = load("b-alexnet")
        self.exits_measured = profile(self.exits, engine, budget=2 * PROFILE_FOR)
        self.timed: tuple[SpecimenTimes, ...] = ()
        self.ready_before = os.getloadavg()[0]
        self.cases: list[Case] = []

    def add(self, model: Model) -> None:
        """One test model."""
        branch = model.branches[-1]
        work = branch_work(model, branch, self.engine)
        case = Case(model=model, work=work, pieces=list(pieces(branch, self.cuts)))
        timed = 0
        for group in case.groups():
            timed += len(group)
            self._time(case, group, timed / len(case.pieces))
        self.cases.append(case)
        counts = f"{len(case.pieces)} segments, {len(self.timed)} specimens"
        print(f"{len(self.cases)}/{self.models} {case.name}: {counts}", file=sys.stderr)

    def _time(self, case: Case, group: Sequence[Piece], share: float) -> None:
        """Some pieces, what is due of the sweep, the model's profile, and the pieces again."""
        known = random_feeds(case.model.inputs, np.random.default_rng(0))
        sessions = [self.engine.build(case.model.segment(*piece.ends)) for piece in group]
        given = [self._feeds(session, known) for session in sessions]
        seconds = ROUNDS_FOR * len(group) / len(case.pieces)
        self._pass(group, sessions, given, 0, seconds)
        budget = self.sweep_seconds * (len(self.cases) + share) / self.models
        self.timed = sweep(self.bench, budget=budget, done=self.timed)
        if case.measured is None:
            case.measured = profile(case.model, self.engine, budget=PROFILE_FOR)
        self._pass(group, sessions, given, 1, seconds)

    def _feeds(self, session: Session, known: Feeds) -> Feeds:
        drawn = random_feeds(session.given, np.random.default_rng(1))
        return {name: known.get(name, array) for name, array in drawn.items()}

    def _pass(
        self, group: Sequence[Piece], sessions: Sequence[Session], given: Sequence[Feeds], which: int, seconds: float
    ) -> None:
        bursts = [self.bench.burst(session, feeds) for session, feeds in zip(sessions, given, strict=True)]
        until, rounds = time.perf_counter() + seconds, 0
        while rounds < 2 or time.perf_counter() < until:
            for piece, session, feeds, (count, taken) in zip(group, sessions, given, bursts, strict=True):
                if taken < LONG or rounds % 2 == 0:
                    prepare = None if taken < LONG else _nothing
                    piece.passes[which].append(self.bench.timed(session, feeds, count, prepare=prepare))
            rounds += 1

    def judged(self) -> dict[str, Any]:
        """The whole result."""
        usual = usual_references(self.timed)
        tested = {kernel.shape for case in self.cases for kernel in case.work.traits() if kernel.family != RUN.op}
        found = [[s for s in specimen if s.traits.shape not in tested] for specimen in samples(self.timed)]
        begun = time.perf_counter()
        machine = fit([specimen for specimen in found if specimen])
        fitting = time.perf_counter() - begun
        truths = [Truth(case, usual) for case in self.cases]
        kept = sum(map(len, found))
        cost = [
            {"sweep_seconds": seconds, **self._after(seconds, found, truths)}
            for seconds in COSTS
            if seconds < self.sweep_seconds
        ]
        return {
            **judge_all(machine, self.cases, truths),
            "plans": self._plans(machine, truths),
            "cost": cost,
            "sweep": {
                "seconds": sum(one.seconds for one in self.timed),
                "fit_seconds": fitting,
                "specimens": len(self.timed),
                "kernels": kept,
                "left_out": sum(map(len, samples(self.timed))) - kept,
                "held_out_kernels_in_their_90_percent_interval": machine.validation.kernel.coverage,
                "held_out_specimens_in_theirs": machine.validation.specimen.coverage,
                "held_out_kernel_ape": machine.validation.kernel.median_ape,
            },
            "programs_ready": {"before": self.ready_before, "after": os.getloadavg()[0]},
            "engine": {"name": self.engine.name, **self.engine.options},
        }

    def _plans(self, machine: KernelModel, truths: Sequence[Truth]) -> dict[str, Any]:
        cells = planned(machine, self.exits, self.exits_measured, self.engine)
        for case, truth in zip(self.cases, truths, strict=True):
            assert case.measured is not None
            scale = truth.both[0] / case.measured.branches[-1].whole.median
            cells += planned(machine, case.model, case.measured.scaled(scale, "this machine"), self.engine)
        return plans_summary(cells)

    def _after(self, seconds: float, found: Sequence[Sequence[Sample]], truths: Sequence[Truth]) -> dict[str, Any]:
        """How well a model predicts that was fitted to the first seconds of the sweep."""
        spent = np.cumsum([one.seconds for one in self.timed])
        early = [specimen for specimen, at in zip(found, spent, strict=True) if specimen and at <= seconds]
        machine = fit(early)
        result = judge(self.cases, truths, lambda _: machine)
        keys = (
            "median_ape",
            "worst_model_median_ape",
            "models_within_10_percent",
            "in_90_percent_interval",
            "wholes_in_90_percent_interval",
            "widest_interval_factor",
        )
        return {key: result[key] for key in keys}


def _nothing() -> None:
    """No run goes before those of what takes long: it does not feel it."""


class Truth:
    """What a model's segments take while the references are at their medians."""

    def __init__(self, case: Case, usual: References) -> None:
        both = [piece.passes[0] + piece.passes[1] for piece in case.pieces]
        follows = followed(both)

        def medians(parts: Sequence[Timings]) -> np.ndarray:
            return np.array([usual_time(part, follows, usual) for part in parts])

        self.first, self.second = (medians([piece.passes[which] for piece in case.pieces]) for which in (0, 1))
        self.both = medians(both)
        self.counts = self.both > SMALLEST * self.both[0]
        # The whole is judged by itself; of a model that nothing divides it is the only segment.
        self.counts[0] = len(self.both) == 1


def judge_all(machine: KernelModel, cases: Sequence[Case], truths: Sequence[Truth]) -> dict[str, Any]:
    """Every latency model on every test model."""
    models: dict[str, Callable[[Case], LatencyModel]] = {
        "ours": lambda _: machine,
        "paper": lambda _: machine.paper,
        "flops": lambda _: machine.flops,
        "measured": measured,
    }
    result: dict[str, Any] = {name: judge(cases, truths, of) for name, of in models.items()}
    again = [np.abs(truth.second / truth.first - 1) for truth in truths]
    errors = [error[truth.counts] for error, truth in zip(again, truths, strict=True)]
    result["noise"] = summary(errors, [float(error[0]) for error in again], cases)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The latency model of a branch that was profiled: it predicts what was measured."""

    profile: BranchProfile

    def predict(self, work: BranchWork) -> Prediction:  # noqa: ARG002 - a profile needs no second look at the graph
        """The measured layers; the whole's spread is taken to be common to all of them."""
        layers = np.array(self.profile.layers)
        deviation = layers * (self.profile.whole.spread / 1.349)  # from an interquartile range
        return Prediction(layers=layers, covariance=np.outer(deviation, deviation))


def measured(case: Case) -> Measured:
    """The latency model of a case that its own profile is."""
    assert case.measured is not None
    return Measured(profile=case.measured.branches[-1])


def judge(cases: Sequence[Case], truths: Sequence[Truth], of: Callable[[Case], LatencyModel]) -> dict[str, Any]:
    """One latency model."""
    errors, wholes, inside, whole_inside, widths = [], [], [], [], []
    for case, truth in zip(cases, truths, strict=True):
        model = of(case)
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
        whole_inside.append(bool(held[0]))
        widths.append(expected[0].high / expected[0].seconds)
    result = summary(errors, wholes, cases)
    for name, held_whole, width in zip(result["models"], whole_inside, widths, strict=True):
        result["models"][name] |= {"whole_in_interval": held_whole, "interval_factor": width}
    return {
        **result,
        "in_90_percent_interval": float(np.mean(inside)),
        "wholes_in_90_percent_interval": float(np.mean(whole_inside)),
        "widest_interval_factor": max(widths),
    }


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


def plans_summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """What plans by predicted times cost more than plans by measured ones, both paid in measured time."""
    same, late, extra = (np.array(column) for column in zip(*cells, strict=True))
    return {
        "mean_extra_latency": float(extra.mean()),
        "worst_extra_latency": float(extra.max()),
        "same_plan": float(same.mean()),
        "late_where_measured_is_in_time": float(late.mean()),
        "cells": len(cells),
    }


def planned(machine: KernelModel, model: Model, measured: Profile, engine: OnnxRuntimeEngine) -> list[Cell]:
    """A decision for each bandwidth and deadline."""
    guessed = replace(measured, branches=tuple(_guessed(machine, model, b, engine) for b in measured.branches))
    calibration = calibration_for(model, None)
    real, ours = (
        Candidates.build(model, edge.scaled(DEVICE_FACTOR, "device"), edge, calibration) for edge in (measured, guessed)
    )
    alone = DEVICE_FACTOR * measured.branches[-1].whole.median
    cells = []
    for bandwidth in BANDWIDTHS:
        link = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(ROUND_TRIP))
        conditions = Conditions(uplink=link, downlink=link)
        costs, expected = conditions.latency(real), conditions.latency(ours)
        for share in DEADLINES:
            by = Seconds(share * alone)
            best, taken = choose(real, costs, by, TOLERANCE), choose(ours, expected, by, TOLERANCE)
            late = bool(costs[best] <= by < costs[taken])
            cells.append(Cell(best == taken, late, float(costs[taken] / costs[best] - 1)))
    return cells


def _guessed(machine: KernelModel, model: Model, branch: BranchProfile, engine: OnnxRuntimeEngine) -> BranchProfile:
    layers = machine.predict(branch_work(model, model.branch(branch.exit), engine)).layers
    whole = replace(branch.whole, median=float(layers.sum()))
    return replace(branch, layers=tuple(layers.tolist()), whole=whole)


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
    for part in ("plans", "sweep", "programs_ready", "engine"):
        numbers = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in result[part].items()}
        print(f"{part}:", "; ".join(f"{key} {value}" for key, value in numbers.items()))


def draw(result: dict[str, Any], path: Path) -> None:
    """The median error of segments over the seconds of the sweep."""
    last = {"sweep_seconds": result["sweep"]["seconds"], **result["ours"]}
    rows = [*result["cost"], last]
    figures = (("all segments", "median_ape"), ("worst model", "worst_model_median_ape"))
    series = [
        Line(name=name, x=[row["sweep_seconds"] for row in rows], y=[100 * row[key] for row in rows], colour=colour)
        for (name, key), colour in zip(figures, COLOURS[4:], strict=False)
    ]
    panel = Panel(x=Axis(label="sweep, s", log=True), y=Axis(label="median error, %", log=True), marks=series)
    path.write_text(picture([plot(panel)], series, columns=1), encoding="utf-8")


if __name__ == "__main__":
    command.run(main)
