"""How long the configuration map and the controller take.

    python benchmarks/configuration_map.py [--model MODEL] [--states TRACES ...] [--samples N] [--seed S] [--json]

The model is profiled for a few seconds; the device is the emulated paper-pi3-resident, the edge this machine. Without
traces the states are a grid of 428 over the range of Oboe's means, 0.34 .. 5.73 Mbit/s. The map is built from the
table of candidates on, frontier included, for all deadlines of 50 ms .. 1 s. The controller follows a seeded stream of
transfers: their bandwidth jumps to another level, 50 kbit/s .. 20 Mbit/s, every 200 requests, and varies by a factor
around it. A step is a transfer taken in and the plan reconsidered, forecast included; a request is two of them, up and
down. `resident_mb` is this process after a tenth of the stream and at its end. `spread` is the interquartile range
over the median.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.link.forecast import LinkForecast
from edgent.link.trace_files import load_traces
from edgent.link.transfer import Transfer, TransferModel
from edgent.model import Model
from edgent.planning import Candidates, Controller, Goal
from edgent.planning.conditions import Conditions
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.profiling.model_profiler import profile
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

DEVICE = "paper-pi3-resident"
OBOE = (BitsPerSecond(0.34e6), BitsPerSecond(5.73e6), 428)
SHORTEST, LONGEST, DEADLINE = Seconds(0.05), Seconds(1.0), Seconds(0.06)
BUDGET = 5.0  # seconds of profiling
BUILDS, LOOK_UPS = 9, 1000


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("--model", default="b-alexnet", help="a name or a file")
    parser.add_argument("--states", nargs="+", type=Path, metavar="TRACES", help="files or folders")
    parser.add_argument("--samples", type=int, default=50_000, help="transfers that the controller follows")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not 1000 <= options.samples <= 10_000_000:
        parser.error(f"--samples {options.samples}: expected 1000 .. 10000000")
    states = [trace.mean for trace in load_traces(options.states)] if options.states else grid(*OBOE)
    result = _measure(load(options.model), list(states), options.samples, np.random.default_rng(options.seed))
    command.show(options, result, lambda: _print(result))
    return 0


def _measure(model: Model, states: list[float], samples: int, random: np.random.Generator) -> dict[str, Any]:
    print(f"{model.name}: profiling", file=sys.stderr)
    edge = profile(model, OnnxRuntimeEngine(), budget=BUDGET)
    device = emulated_profile(edge, find_device(DEVICE))
    table = Candidates.build(model, device, edge, calibration_for(model, None))
    recipe = MapSettings(bandwidths=states, deadlines=[SHORTEST, LONGEST])
    built = build_map(table, model.name, device, edge, recipe)
    times = [_seconds(lambda: build_map(table, model.name, device, edge, recipe)) for _ in range(BUILDS)]
    return {
        "model": model.name,
        "device": str(find_device(DEVICE)),
        "candidates": len(table),
        "states": len(built.states),
        "steps": sum(len(state.steps) for state in built.states),
        "map_seconds": _summary(times),
        "look_up_microseconds": _summary(_look_ups(built, random)),
        "controller": _followed(table, samples, random),
    }


def _look_ups(built: ConfigurationMap, random: np.random.Generator) -> list[float]:
    """Microseconds of one look-up, each a mean over a round of them."""
    asked = [
        (float(10 ** random.uniform(4, 8)), Seconds(float(random.uniform(SHORTEST, LONGEST)))) for _ in range(LOOK_UPS)
    ]

    def all_of_them() -> None:
        for bandwidth, deadline in asked:
            built.look_up(bandwidth, deadline)

    return [_seconds(all_of_them) / LOOK_UPS * 1e6 for _ in range(30)]


def _followed(table: Candidates, samples: int, random: np.random.Generator) -> dict[str, Any]:
    forecasts = {"up": LinkForecast(), "down": LinkForecast()}
    link = TransferModel(bandwidth=BitsPerSecond(1e6), round_trip=Seconds(0.005))
    conditions = Conditions(uplink=link, downlink=link)
    controller = Controller(table, Goal(deadline=DEADLINE))
    took = np.full(samples, np.nan)  # written now, so that it does not seem to be what the controller keeps
    plans, early = 0, 0.0
    for k, transfer in enumerate(_stream(samples, random)):
        begun = time.perf_counter()
        forecasts[transfer.direction].learn(transfer)
        expected = (forecast.predictive(transfer.at) for forecast in forecasts.values())
        plans += controller.decide(conditions.expecting(*expected)) is not None
        took[k] = time.perf_counter() - begun
        if k == samples // 10:
            early = _resident()
        if k % 10_000 == 0:
            print(f"\r{k:,} of {samples:,} transfers", end="", file=sys.stderr)
    print(file=sys.stderr)
    late, tenth = _resident(), samples // 10
    return {
        "samples": samples,
        "new_plans": plans,
        "step_microseconds": _summary(took * 1e6) | {"p99": float(np.percentile(took, 99) * 1e6)},
        "first_tenth_microseconds": _summary(took[:tenth] * 1e6),
        "last_tenth_microseconds": _summary(took[-tenth:] * 1e6),
        "resident_mb": {"after_a_tenth": early, "at_the_end": late},
    }


def _stream(samples: int, random: np.random.Generator) -> Iterator[Transfer]:
    level = 0.0
    for k in range(0, samples, 2):
        if k % 400 == 0:
            level = random.uniform(np.log(5e4), np.log(2e7))
        bandwidth = float(np.exp(level + 0.2 * random.normal()))
        for offset, (direction, size) in enumerate((("up", 3_000), ("down", 1_000))[: samples - k]):
            seconds, at = size * BITS_PER_BYTE / bandwidth, Seconds(0.5 * k + 0.1 * offset)
            yield Transfer(direction=direction, size=size, seconds=seconds, at=at)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _summary(samples: Any) -> dict[str, float]:
    low, median, high = np.percentile(samples, [25, 50, 75])
    return {"median": float(median), "spread": float((high - low) / median)}


def _print(result: dict[str, Any]) -> None:
    following = result["controller"]
    memory = following["resident_mb"]
    print(f"{result['model']} on {result['device']}, {result['candidates']} candidates, {result['states']} states")
    for name, unit, found in (
        ("map, frontier included", "s", result["map_seconds"]),
        ("look-up", "µs", result["look_up_microseconds"]),
        ("controller step", "µs", following["step_microseconds"]),
        ("  first tenth", "µs", following["first_tenth_microseconds"]),
        ("  last tenth", "µs", following["last_tenth_microseconds"]),
    ):
        print(f"{name:24} {found['median']:9.3g} {unit:3} ±{found['spread']:4.0%}")
    print(f"{'  99th percentile':24} {following['step_microseconds']['p99']:9.3g} µs")
    print(
        f"{following['samples']:,} transfers, {following['new_plans']:,} new plans; resident "
        f"{memory['after_a_tenth']:.1f} MB after a tenth, {memory['at_the_end']:.1f} MB at the end"
    )


if __name__ == "__main__":
    command.run(main)
