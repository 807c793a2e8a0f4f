"""How far the predicted total is from the measured one, over bandwidths x deadlines on the shaped link.

    python benchmarks/prediction.py [--json] [--repeats N] [--seed N]

A real edge process, and a real device that measures the link itself. The link is emulated. Two settings, apart:

- *emulated*: B-AlexNet on paper-pi3-resident, planned freely. Each layer type of that device is perturbed by a hidden
  factor; the planner has what profiling through the emulation found, and its records.
- *factor 1*: SqueezeNet's topology for 224 x 224 pictures (seeded weights, raw tensors), this machine as both. A device
  as fast as its edge plans to stay alone, so beside that the divisions of `benchmarks/overhead.py` and the edge alone
  are given to it.

A cell counts with the median of its runs. *Kept* is the share of runs in time, among those whose plan promised to be
with 10 % of the deadline to spare. *Crossing* leaves out what the device answers alone.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import command
from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.latency import Profile
from edgent.model import SHIPPED, Model
from edgent.planning.plan import Configuration
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds
from overhead import divisions

DEVICE = "paper-pi3-resident"
RATES = (200e3, 1e6, 5e6, 20e6, 100e6)
DEADLINES = (0.03, 0.06, 0.1, 0.2)
ROUND_TRIP = Seconds(0.005)
SPARE = 0.9
BUDGET = 8.0  # seconds of profiling
TOPOLOGY = "light_squeezenet.onnx"
GIVEN_RATES = (5e6, 20e6, 100e6)
FREE_DEADLINES = (0.01, 0.03, 0.1)
_WARM = 3  # runs that do not count: sessions become ready, the device sees what a call takes
_PATIENCE = Seconds(30.0)

Input = bytes | NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One bandwidth and deadline; milliseconds are medians of its runs. A given configuration has no deadline."""

    bandwidth_bps: float
    deadline_ms: float | None
    configuration: str
    crosses: bool
    predicted_ms: float
    measured_ms: float
    ape: float
    promised: int
    kept: int


def cell(
    device: Device,
    inputs: Sequence[Input],
    bandwidth: float,
    deadline: Seconds | None,
    configuration: Configuration | None = None,
) -> Cell:
    """Runs one cell: a deadline to plan for, or a configuration."""
    asked = deadline or _PATIENCE
    for one in inputs[:_WARM]:
        device.infer(one, deadline=asked, configuration=configuration, race=False)
        device.wait_ready()
    runs = [device.infer(one, deadline=asked, configuration=configuration, race=False).record for one in inputs]
    pairs = [(record.plan.stages.total, record.total) for record in runs if record.plan is not None]
    promised = [total for planned, total in pairs if deadline and planned <= SPARE * deadline]
    predicted, total = (statistics.median(values) for values in zip(*pairs, strict=True))
    ran = runs[-1].plan
    return Cell(
        bandwidth_bps=bandwidth,
        deadline_ms=deadline and deadline * 1e3,
        configuration=repr(ran).partition(":")[0].lstrip("<"),
        crosses=runs[-1].by == "edge",
        predicted_ms=predicted * 1e3,
        measured_ms=total * 1e3,
        ape=statistics.median(abs(planned / taken - 1) for planned, taken in pairs),
        promised=len(promised),
        kept=sum(taken <= asked for taken in promised),
    )


def emulated(repeats: int, seed: int) -> tuple[HiddenDevice, list[Cell]]:
    """The emulated device, and every cell of it."""
    model = load("b-alexnet")
    with np.load(SHIPPED / "cifar10-256.npz") as images:
        pictures = [encode_image("png", pixels) for pixels in images["pixels"][:repeats]]
    host = profile(model, OnnxRuntimeEngine(), source=pictures[0], budget=BUDGET)
    board = hidden_device(host, model, find_device(DEVICE), seed=seed)
    print(f"emulated: {board}", file=sys.stderr)
    found, pace = [], board.pace()
    for rate in map(BitsPerSecond, RATES):
        with _device(
            model,
            host,
            rate,
            device_profile=board.profile,
            host_profile=board.table,
            calibration=calibration_for(model, None),
            pace=pace,
        ) as device:
            found += [cell(device, pictures, rate, Seconds(deadline)) for deadline in DEADLINES]
        print(f"{rate / 1e6:g} Mbit/s done", file=sys.stderr)
    print(f"emulated: {pace.account}", file=sys.stderr)
    return board, found


def factor_one(repeats: int) -> list[Cell]:
    """Every cell of this machine as its own device and edge."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        model = load(with_seeded_weights(LIGHT / TOPOLOGY, Path(folder)))
        host, branch = profile(model, OnnxRuntimeEngine(), budget=BUDGET), model.branches[-1]
        feeds = [next(iter(random_feeds(model.inputs, np.random.default_rng(n)).values())) for n in range(repeats)]
        pairs = [(0, len(branch.layers)), *divisions(branch)]
        given = [Configuration(exit=branch.exit, upload_cut=up, download_cut=down) for up, down in pairs]
        for rate in map(BitsPerSecond, GIVEN_RATES):
            with _device(model, host, rate, device_profile=host) as device:
                found += [cell(device, feeds, rate, Seconds(deadline)) for deadline in FREE_DEADLINES]
                found += [cell(device, feeds, rate, None, configuration) for configuration in given]
            print(f"factor 1, {rate / 1e6:g} Mbit/s done", file=sys.stderr)
    return found


@contextmanager
def _device(model: Model, host: Profile, rate: BitsPerSecond, **device: Any) -> Iterator[Device]:
    """A device, and an edge process behind a shaped link."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (file := Path(folder) / "host.json").write_text(host.to_json())
        edge = stack.enter_context(ServerProcess.edge(str(model.path), file))
        link = stack.enter_context(ShapedLink(edge.address, uplink=rate, round_trip=ROUND_TRIP))
        made = stack.enter_context(Device(model, edge=link.address, deadline=Seconds(1.0), **device))
        if not made.wait_ready(30.0):
            raise EdgentError("the edge process was not reached")
        yield made


def summary(found: Sequence[Cell]) -> dict[str, float | int | None]:
    """Median and worst error of some cells, and the share of promises kept; None where there was none."""
    promised = sum(one.promised for one in found)
    return {
        "cells": len(found),
        "median_ape": statistics.median(one.ape for one in found) if found else None,
        "worst_ape": max((one.ape for one in found), default=None),
        "promised": promised,
        "kept": sum(one.kept for one in found) / promised if promised else None,
    }


def _document(repeats: int, seed: int) -> dict[str, Any]:
    board, of_board = emulated(repeats, seed)
    return {
        name: {
            "device": device,
            "all": summary(found),
            "crossing": summary([one for one in found if one.crosses]),
            "cells": [asdict(one) for one in found],
        }
        for name, device, found in (
            ("emulated", str(board), of_board),
            ("factor_1", "this machine itself", factor_one(repeats)),
        )
    }


def _print(document: Mapping[str, Any]) -> None:
    for name, setting in document.items():
        print(f"{name}: {setting['device']}")
        print(f"{'rate':>10} {'deadline':>9} {'predicted':>10} {'measured':>10} {'error':>7} {'kept':>8}  plan")
        for one in setting["cells"]:
            deadline = f"{one['deadline_ms']:6.0f} ms" if one["deadline_ms"] else "given"
            print(
                f"{one['bandwidth_bps'] / 1e6:5g} Mb/s {deadline:>9} {one['predicted_ms']:7.1f} ms "
                f"{one['measured_ms']:7.1f} ms {one['ape']:7.1%} {one['kept']:4d}/{one['promised']:<3d}  "
                f"{one['configuration']}"
            )
        for part in ("all", "crossing"):
            print(part, setting[part])


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="runs of each cell")
    parser.add_argument("--seed", type=int, default=0, help="of the device's hidden factors")
    options = parser.parse_args()
    if not _WARM <= options.repeats <= 256:
        parser.error(f"--repeats {options.repeats}: expected {_WARM}..256")
    document = _document(options.repeats, options.seed)
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
