"""What the device's transfer model predicts, against what then happens, on a link with real TCP.

    python benchmarks/transfers.py [--json] [--direction up|down] [--repeats N] [--seed N]

Our edge stands at the far end of the TUN link, a channel of ours at the near end, each a process. As a device does, the
near end probes each link (a bandwidth and a round trip) once, and learns from every transfer after it; nothing is told
to it. Each transfer is predicted before it is made, and that error counts: upwards until an answer of nothing comes,
downwards from the call for the bytes to the last of them. Cells are (direction, round trip, idle time before,
bandwidth, size); the transfers of a link are shuffled, so that a cell's come at other points of the connection's
history. *Back to back* (idle 0) means straight after whatever came before. The first transfers of a link warm it up and
are not judged. `plain` is the error of the same figures without slow start.

The link is emulated, between network namespaces; TCP is the kernel's (CUBIC). Without root the proxy takes its place,
which shows no slow start. About 6 minutes for each direction.
"""

from __future__ import annotations

import itertools
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import command
from edgent.lab.links.between import linked_ends
from edgent.lab.processes.child_process import ChildProcess
from edgent.units import BitsPerSecond, Seconds

DIRECTIONS = ("up", "down")
ROUND_TRIPS = (0.005, 0.040)
IDLES = (0.0, 1.0)
RATES = (1e6, 5e6, 20e6, 50e6)
SIZES = (1_000, 10_000, 30_000, 100_000, 300_000)
WARM_UP = 6
MEDIAN_TARGET, WORST_TARGET = 0.10, 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Medians over the transfers of a cell."""

    direction: str
    round_trip_ms: float
    idle_s: float
    bandwidth_bps: float
    bytes: int
    transfers: int
    measured_ms: float
    predicted_ms: float
    median_ape: float
    plain_median_ape: float


def cells(directions: Sequence[str], repeats: int, seed: int) -> list[Cell]:
    """Every cell's transfers, link by link."""
    draws = random.Random(seed)
    found = []
    with linked_ends(BitsPerSecond(RATES[-1])) as (link, near):
        for direction, round_trip, rate in itertools.product(directions, ROUND_TRIPS, RATES):
            link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate), round_trip=Seconds(round_trip))
            for (idle, size), timed in _of_link(near, direction, repeats, draws).items():
                found.append(_cell(direction, round_trip, idle, rate, size, timed))
            print(f"{direction}, {rate / 1e6:g} Mbit/s, {round_trip * 1e3:g} ms done", file=sys.stderr)
    return found


def _of_link(
    near: ChildProcess, direction: str, repeats: int, draws: random.Random
) -> dict[tuple[float, int], list[dict[str, float]]]:
    def transfer(idle: float, size: int) -> dict[str, float]:
        return near.ask("transfer", idle=idle, **{"up": 0, "down": 0, direction: size})

    near.ask("probe")
    timed: dict[tuple[float, int], list[dict[str, float]]] = {kind: [] for kind in itertools.product(IDLES, SIZES)}
    for idle, size in draws.sample(list(timed), WARM_UP):
        transfer(idle, size)
    order = list(timed) * repeats
    draws.shuffle(order)
    for idle, size in order:
        timed[idle, size].append(transfer(idle, size))
    return timed


def _cell(
    direction: str, round_trip: float, idle: float, rate: float, size: int, timed: list[dict[str, float]]
) -> Cell:
    def error(of: str) -> float:
        return statistics.median(abs(one[of] / one["seconds"] - 1) for one in timed)

    return Cell(
        direction=direction,
        round_trip_ms=round_trip * 1e3,
        idle_s=idle,
        bandwidth_bps=rate,
        bytes=size,
        transfers=len(timed),
        measured_ms=statistics.median(one["seconds"] for one in timed) * 1e3,
        predicted_ms=statistics.median(one["predicted"] for one in timed) * 1e3,
        median_ape=error("predicted"),
        plain_median_ape=error("plain"),
    )


def judged(found: list[Cell]) -> dict[str, Any]:
    """The document."""
    return {
        "median_ape": statistics.median(cell.median_ape for cell in found),
        "worst_cell_median_ape": max(cell.median_ape for cell in found),
        "plain_median_ape": statistics.median(cell.plain_median_ape for cell in found),
        "plain_worst_cell_median_ape": max(cell.plain_median_ape for cell in found),
        "cells": [asdict(cell) for cell in found],
    }


def _print(document: dict[str, Any]) -> None:
    print(
        f"{'':4} {'round trip':>10} {'idle':>5} {'rate':>9} {'size':>7} {'measured':>11} {'error':>7} {'plain':>7}   n"
    )
    for cell in document["cells"]:
        print(
            f"{cell['direction']:4} {cell['round_trip_ms']:7g} ms {cell['idle_s']:3g} s "
            f"{cell['bandwidth_bps'] / 1e6:4g} Mb/s "
            f"{cell['bytes'] / 1e3:4.0f} kB {cell['measured_ms']:8.1f} ms {cell['median_ape']:7.1%} "
            f"{cell['plain_median_ape']:7.1%} {cell['transfers']:3d}"
        )
    for name, key in (("with slow start", ""), ("without", "plain_")):
        middle, worst = document[f"{key}median_ape"], document[f"{key}worst_cell_median_ape"]
        print(
            f"{name}: median error {middle:.1%} (target {MEDIAN_TARGET:.0%}), "
            f"worst cell {worst:.1%} (target {WORST_TARGET:.0%})"
        )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--direction", choices=DIRECTIONS, help="only this one")
    parser.add_argument("--repeats", type=command.at_least(1), default=5, help="transfers of each cell")
    parser.add_argument("--seed", type=int, default=0, help="of their order")
    options = parser.parse_args()
    directions = (options.direction,) if options.direction else DIRECTIONS
    document = judged(cells(directions, options.repeats, options.seed))
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
