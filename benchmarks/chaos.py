#!/usr/bin/env python3
"""Faults on purpose, and whether what is promised holds all the same.

    python benchmarks/chaos.py [--real 10000] [--simulated 100000] [--seed N] [--json]
    python benchmarks/chaos.py --replay SEED
    python benchmarks/chaos.py --soak 30 [--rate 25] [--every 10] [--json]

*Real*: `edgent serve`, a device and a link between them are processes; one to fifty callers ask at once while the link
delays, drops, trickles, corrupts, resets and swallows, and while the edge is stopped, killed, drained, short of memory
or has a full disk (which takes root). *Simulated*: the same objects in time of their own, many devices on one edge; a
seed whose run breaks a promise is printed with the command that runs it again. The answers are held against plain ONNX
Runtime on the original file. Exits with 1 where something did not hold.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.lab.chaos import simulation
from edgent.lab.chaos.faults import ENDS_THE_EDGE, Fault, faults
from edgent.lab.chaos.invariants import ChaosOutcome, Verdict, judged
from edgent.lab.chaos.real import Phase, RealRun, possible_kinds, run
from edgent.profiling.model_profiler import profile
from tables import aligned

MODEL = "b-alexnet"
_PICTURES = 64
_CALLERS = (50, 16, 4, 1)  # the most first: from then on nothing may grow
_SOAK_CALLERS = 5
_PART = 30.0  # seconds of a steady run whose requests are handed over at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every real run needs: a folder, this machine's times, and pictures with their answers."""

    folder: Path
    profile: Path
    pictures: Path


def bench(folder: Path) -> Bench:
    """Made anew: the answers are those of the original file, in one piece, by plain ONNX Runtime."""
    model = load(MODEL)
    times, pictures = folder / "profile.json", folder / "pictures.npz"
    profile(model, OnnxRuntimeEngine()).save(times)
    (given,) = model.inputs
    inputs = np.random.default_rng(0).normal(size=(_PICTURES, *(given.shape or ()))).astype(given.dtype)
    plain = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
    names = [output.name for output in plain.get_outputs()]
    answers = [plain.run(names, {given.name: picture}) for picture in inputs]
    np.savez(
        pictures,
        inputs=inputs,
        **{name: np.stack(all_of) for name, all_of in zip(names, zip(*answers, strict=True), strict=True)},
    )
    return Bench(folder=folder, profile=times, pictures=pictures)


def real(requests: int, seed: int) -> RealRun:
    """So many requests from one to fifty callers."""
    phases = [Phase(callers=callers, requests=requests // len(_CALLERS)) for callers in _CALLERS]
    with tempfile.TemporaryDirectory(prefix="edgent-chaos-") as folder:
        made = bench(Path(folder))
        coming = faults(seed, kinds=possible_kinds())
        return run(made.folder, MODEL, made.profile, made.pictures, phases, coming, _say)


def soak(minutes: float, rate: float, every: float, seed: int) -> RealRun:
    """Requests at a steady rate, with a fault every so many seconds."""
    # In parts: what the callers have seen must not be what grows.
    part = Phase(callers=_SOAK_CALLERS, requests=int(_PART * rate), rate=rate)
    phases = [part] * max(1, round(minutes * 60 / _PART))
    with tempfile.TemporaryDirectory(prefix="edgent-soak-") as folder:
        made = bench(Path(folder))
        return run(made.folder, MODEL, made.profile, made.pictures, phases, steady(minutes * 60, every, seed), _say)


def steady(seconds: float, every: float, seed: int) -> Any:
    """A fault every so many seconds; after a third the edge lives on, so that what it holds can be seen to be flat."""
    kinds, began_at = possible_kinds(), time.monotonic()
    lasting = [kind for kind in kinds if kind not in ENDS_THE_EDGE]
    # Two streams, drawn from in turn: which one, only the time decides.
    early, late = (
        faults(seed, kinds=some, quiet=(every * 0.7, every * 0.7), seconds=(every * 0.05, every * 0.3))
        for some in (kinds, lasting)
    )
    while True:
        fault: Fault = next(early if time.monotonic() - began_at < seconds / 3 else late)
        yield fault


def row(name: str, verdict: Verdict) -> dict[str, Any]:
    """A run in a table."""
    return {"run": name, **verdict.figures()}


def fault_row(found: RealRun, kind: str) -> dict[str, Any]:
    """What came of the requests that were asked while a kind of fault was there."""
    asked = [outcome for outcome in found.outcomes if outcome.during == kind]
    held = judged(asked, found.lateness.between)
    times = sum(spell.kind == kind for spell in found.faults)
    return {"fault": kind, "times": times, "requests": len(asked), "by_edge": held.by_edge, "late": held.late}


def document_of(found: RealRun, verdict: Verdict, name: str) -> dict[str, Any]:
    """What is kept of a real run."""
    return {
        "runs": [row(name, verdict)],
        "faults": [fault_row(found, kind) for kind in sorted({spell.kind for spell in found.faults})],
        "growth": [asdict(grown) | {"flat": grown.flat} for grown in found.grown],
        "seconds": round(found.seconds, 1),
        "edge_starts": found.edge_starts,
        "device_overran": found.pace.overran,
        "device_worst_ms": round(found.pace.worst * 1e3, 1),
        "machine_worst_ms": round(found.lateness.worst * 1e3, 1),
    }


def verdict_of(found: RealRun) -> Verdict:
    """A real run, with what the machine was late by."""
    return judged(found.outcomes, found.lateness.between)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(found: dict[str, Any]) -> None:
    for key in ("runs", "faults", "growth"):
        if found.get(key):
            print(aligned(found[key]), end="\n\n")


def main() -> int:
    """The command line."""
    parser = command.options(__doc__)
    parser.add_argument("--real", type=int, default=10_000, help="requests between real processes")
    parser.add_argument("--simulated", type=int, default=100_000, help="requests in time of their own")
    parser.add_argument("--seed", type=int, default=1, help="of the faults, and the first one of the simulations")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one simulation again, and nothing else")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="a steady run instead")
    parser.add_argument("--rate", type=float, default=25.0, help="requests a second of the steady run")
    parser.add_argument("--every", type=float, default=10.0, help="seconds from fault to fault of the steady run")
    options = parser.parse_args()
    document: dict[str, Any] = {"runs": []}
    held: list[bool] = []
    if options.soak or (options.real and options.replay is None):
        found = (
            soak(options.soak, options.rate, options.every, options.seed)
            if options.soak
            else real(options.real, options.seed)
        )
        verdict = verdict_of(found)
        document = document_of(found, verdict, "soak" if options.soak else "real")
        _complain(verdict)
        held += [verdict.holds, all(grown.flat for grown in found.grown)]
    if not options.soak and (options.simulated or options.replay is not None):
        verdicts = simulated(options)
        document["runs"].append(row("simulated", verdicts))
        held.append(verdicts.holds)
    command.show(options, document, lambda: _tell(document))
    return int(not all(held))


def simulated(options: Any) -> Verdict:
    """Seed after seed, until there are as many requests; a seed that fails is told with its command."""
    if options.replay is not None:
        return _episode(options.replay)[1]
    outcomes: list[ChaosOutcome] = []
    seed = options.seed
    while len(outcomes) < options.simulated:
        found, _ = _episode(seed)
        outcomes += found
        if seed % 10 == 0:
            _say(f"seed {seed}: {len(outcomes)} simulated requests")
        seed += 1
    return judged(outcomes)


def _episode(seed: int) -> tuple[Sequence[ChaosOutcome], Verdict]:
    found = simulation.run(seed)
    verdict = judged(found)
    if not verdict.holds:
        _say(f"seed {seed} breaks a promise; run it again: python benchmarks/chaos.py --replay {seed}")
        _complain(verdict)
    return found, verdict


def _complain(verdict: Verdict) -> None:
    for example in verdict.examples:
        _say(example)


if __name__ == "__main__":
    command.run(main)
