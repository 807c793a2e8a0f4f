"""Predictions for models never seen, written down before anybody timed them.

    python benchmarks/blind.py predict --machine FILE -o PREDICTIONS     the machine's file: edgent profile -o FILE
    python benchmarks/blind.py time PREDICTIONS [--seconds 60] [--json]

`predict` builds a few networks that played no part in making the latency model, and predicts them and the halves of
them; nothing is run. The file of predictions is committed, then `time` measures on the same machine: whole, head and
tail of each network, interleaved, beside the references of the sweep. Random weights: only times are believed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError, InputError
from edgent.latency.family import References
from edgent.latency.latency_model_file import MachineModel
from edgent.model import Model
from edgent.model.builder import Builder
from edgent.profiling.predicted_profile import branch_work
from edgent.profiling.sweep import SpecimenTimer
from unseen import Timings, followed, usual_time


def main() -> int:
    """Runs the benchmark."""
    parser = command.parser(__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    before = verbs.add_parser("predict")
    before.add_argument("--machine", type=Path, required=True)
    before.add_argument("-o", "--output", type=Path, required=True)
    after = verbs.add_parser("time")
    after.add_argument("predictions", type=Path)
    after.add_argument("--seconds", type=float, default=60.0)
    after.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        if options.verb == "predict":
            predict(options.machine, options.output)
            return 0
        result = compare(json.loads(options.predictions.read_text()), options.seconds)
    except (EdgentError, OSError, ValueError) as error:
        parser.error(str(error))
    command.show(options, result, lambda: show(result))
    return 0


def predict(machine: Path, output: Path) -> None:
    """Writes the predictions."""
    known = MachineModel.load(machine)
    engine, found = OnnxRuntimeEngine(threads=known.threads), {}
    for model, cut in models():
        prediction = known.fit.predict(branch_work(model, model.branches[-1], engine))
        n = len(model.branches[-1].layers)
        parts = {"whole": (0, n), "head": (0, cut), "tail": (cut, n)}
        expected = {name: prediction.between(*ends) for name, ends in parts.items()}
        found[model.name] = {
            name: {"ms": one.seconds * 1e3, "low_ms": one.low * 1e3, "high_ms": one.high * 1e3}
            for name, one in expected.items()
        }
    head = {"machine": known.machine, "engine": known.engine, "options": dict(known.options)}
    sweep = {
        "sweep_seconds": known.seconds,
        "specimens": known.specimens,
        "references_ms": [s * 1e3 for s in known.references],
    }
    output.write_text(json.dumps({**head, **sweep, "predictions": found}, indent=1) + "\n")


def compare(written: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Times the networks and judges the predictions."""
    if "references_ms" not in written:
        raise InputError(
            "found predictions without the times of both references, expected those that `predict` writes now"
        )
    engine = OnnxRuntimeEngine(threads=int(written["options"]["intra_op_num_threads"]), capacity=2)
    rows = {}
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        bench = SpecimenTimer(engine, Path(folder))
        for model, cut in models():
            rows[model.name] = timed(model, cut, engine, bench, seconds / len(NETWORKS), written)
            print(f"{model.name} timed", file=sys.stderr)
    errors = [row[part]["ape"] for row in rows.values() for part in row]
    inside = [row[part]["inside"] for row in rows.values() for part in row]
    return {
        "median_ape": float(np.median(errors)),
        "models_within_10_percent": sum(row["whole"]["ape"] <= 0.1 for row in rows.values()),
        "in_90_percent_interval": float(np.mean(inside)),
        "models": rows,
    }


def timed(
    model: Model, cut: int, engine: OnnxRuntimeEngine, bench: SpecimenTimer, seconds: float, written: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """One network's parts: as predicted and as timed, while the references are as fast as in the sweep."""
    branch = model.branches[-1]
    given, asked = ([tensor.name for tensor in side] for side in (branch.inputs, branch.outputs))
    crossing = [tensor.name for tensor in branch.boundary(cut, len(branch.layers)).up]
    ends = {"whole": (given, asked), "head": (given, crossing), "tail": (crossing, asked)}
    sessions = {name: engine.build(model.segment(*pair)) for name, pair in ends.items()}
    feeds = {name: random_feeds(s.segment.given, np.random.default_rng(0)) for name, s in sessions.items()}
    counts = {name: bench.burst(session, feeds[name])[0] for name, session in sessions.items()}
    timings: dict[str, Timings] = {name: [] for name in ends}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, session in sessions.items():
            timings[name].append(bench.timed(session, feeds[name], counts[name]))
    follows = followed(list(timings.values()))
    usual = References(*(ms / 1e3 for ms in written["references_ms"]))
    expected = written["predictions"][model.name]
    return {name: judged(expected[name], 1e3 * usual_time(timings[name], follows, usual)) for name in ends}


def judged(prediction: dict[str, float], measured: float) -> dict[str, Any]:
    """One part; milliseconds."""
    return {
        "predicted_ms": prediction["ms"],
        "measured_ms": measured,
        "ape": abs(prediction["ms"] / measured - 1),
        "inside": prediction["low_ms"] <= measured <= prediction["high_ms"],
    }


def show(result: dict[str, Any]) -> None:
    """The table."""
    print(f"{'network':20}{'part':8}{'predicted':>12}{'measured':>12}{'error':>9}  in its 90 % interval")
    for name, row in result["models"].items():
        for part, one in row.items():
            times = f"{one['predicted_ms']:9.2f} ms{one['measured_ms']:9.2f} ms"
            print(f"{name:20}{part:8}{times}{one['ape']:9.1%}  {'yes' if one['inside'] else 'no'}")
    within = result["models_within_10_percent"]
    print(f"median error {result['median_ape']:.1%}; {within} of {len(result['models'])} wholes within 10 %")


def models() -> Iterator[tuple[Model, int]]:
    """The networks, and the cut nearest to the middle of each that one tensor crosses."""
    with tempfile.TemporaryDirectory(prefix="edgent-") as folder:
        for name, make in NETWORKS.items():
            made = Builder()
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(made.segment([make(made)]).proto)
            model = load(path)
            branch = model.branches[-1]
            n = len(branch.layers)
            single = [k for k in range(1, n) if len(branch.boundary(k, n).up) == 1]
            yield model, min(single, key=lambda k: abs(k - n / 2))


def _normed(made: Builder, x: str, maps: int, side: int, stride: int = 1, groups: int = 1) -> str:
    return made.norm(made.conv(x, maps, side, stride=stride, groups=groups, bias=False))


def mobilenet_v1(made: Builder) -> str:
    """Howard and others, MobileNets, 2017: three quarters as wide, for 192 x 192."""
    x = made.activation(_normed(made, made.input((1, 3, 192, 192)), 24, 3, 2), "Relu")
    stages = ((48, 1), (96, 2), (96, 1), (192, 2), (192, 1), (384, 2), *(((384, 1),) * 5), (768, 2), (768, 1))
    for maps, stride in stages:
        x = made.activation(_normed(made, x, made.shapes[x][1], 3, stride, made.shapes[x][1]), "Relu")
        x = made.activation(_normed(made, x, maps, 1), "Relu")
    return made.gemm(made.reshape(made.mean(x), 1, made.shapes[x][1]), 1000)


def resnext_small(made: Builder) -> str:
    """Xie and others, Aggregated residual transformations, 2017: 16 groups, 8 blocks, for 160 x 160."""
    x = made.activation(_normed(made, made.input((1, 3, 160, 160)), 48, 7, 2), "Relu")
    x = made.pool("MaxPool", x, 3, 2)
    for stage, inner in enumerate((64, 128, 256, 512)):
        for number in range(2):
            stride = 2 if number == 0 < stage else 1
            y = made.activation(_normed(made, x, inner, 1), "Relu")
            y = made.activation(_normed(made, y, inner, 3, stride, 16), "Relu")
            y = _normed(made, y, 2 * inner, 1)
            if made.shapes[x] != made.shapes[y]:
                x = _normed(made, x, 2 * inner, 1, stride)
            x = made.activation(made.add(y, x), "Relu")
    return made.gemm(made.reshape(made.mean(x), 1, made.shapes[x][1]), 1000)


def mixer_small(made: Builder) -> str:
    """Tolstikhin and others, MLP-Mixer, 2021: 6 layers of width 256, patches of 16."""
    x = made.conv(made.input((1, 3, 224, 224)), 256, 16, stride=16, padded=False)
    x = made.transpose(made.reshape(x, 1, 256, 196), 0, 2, 1)
    for _ in range(6):
        y = made.transpose(made.layer_norm(x), 0, 2, 1)
        y = made.linear(made.activation(made.linear(y, 128), "Gelu"), 196)
        x = made.add(x, made.transpose(y, 0, 2, 1))
        x = made.add(x, made.linear(made.activation(made.linear(made.layer_norm(x), 1024), "Gelu"), 256))
    return made.linear(made.layer_norm(x), 1000)


def ghost_small(made: Builder) -> str:
    """Han and others, GhostNet, 2020: half the maps of each 1 x 1 convolution are depthwise ones of the others."""

    def ghosts(x: str, maps: int, act: str) -> str:
        own = _normed(made, x, maps // 2, 1)
        own = made.activation(own, act) if act else own
        cheap = _normed(made, own, maps // 2, 3, 1, maps // 2)
        return made.concat([own, made.activation(cheap, act) if act else cheap])

    x = made.activation(_normed(made, made.input((1, 3, 224, 224)), 16, 3, 2), "Relu")
    for side, wide, maps, stride in ((3, 48, 24, 2), (3, 72, 24, 1), (5, 72, 40, 2), (3, 240, 80, 2), (3, 184, 80, 1),
                                     (3, 480, 112, 1), (5, 672, 160, 2), (5, 960, 160, 1)):  # fmt: skip
        y = ghosts(x, wide, "Relu")
        y = _normed(made, y, wide, side, stride, wide) if stride > 1 else y
        y = ghosts(y, maps, "")
        x = made.add(y, x) if made.shapes[y] == made.shapes[x] else y
    x = made.mean(made.activation(_normed(made, x, 960, 1), "Relu"))
    return made.gemm(made.reshape(x, 1, 960), 1000)


NETWORKS: dict[str, Callable[[Builder], str]] = {
    "mobilenet_v1_192": mobilenet_v1,
    "resnext_small": resnext_small,
    "mixer_small": mixer_small,
    "ghost_small": ghost_small,
}


if __name__ == "__main__":
    command.run(main)
