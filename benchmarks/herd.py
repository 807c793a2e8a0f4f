"""Fifty devices on one edge, in virtual time: planning with the load that the edge tells, and the best fixed split.

    python benchmarks/herd.py [--json] [--devices N] [--seconds S] [--seeds N]

`edgent.lab.simulation.herd` says what is simulated. *Asked* is what all devices ask a second, over what the edge can
do; *alone* the share in time where no device used the edge. *Split* is the share of the requests that the best fixed
split sends there, sought in steps of 10 and then 5 %, *fixed* what is in time with it, *planned* what is in time with
devices that plan. *Swing* is the variance of the requests that go to the edge in a second over their mean: 1 by chance
alone, more where all come and all go. No core is timed: a figure is the same on each machine. Some minutes.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace
from typing import Any

import command
from edgent.lab.simulation.herd import Crowd, Simulation, best_split
from tables import aligned

MOST_BEHIND = 0.02  # of the best fixed split
CROWDS = {
    "devices that can do most themselves": Crowd(),
    "whose own answer is a lesser one": Crowd(accuracy=0.8),
    "who ask faster than they can answer": Crowd(rate=14.0),
    "who are nearly too slow": Crowd(rate=6.0, local=0.085),
    "who can do nothing in time": Crowd(rate=4.0, local=0.200),
    "an edge with room for all": Crowd(rate=2.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A crowd: medians over the seeds."""

    crowd: str
    asked: float
    alone: float
    split: float
    fixed: float
    planned: float
    ahead: float
    refused: float
    swing: float


def row(name: str, crowd: Crowd, seeds: int) -> Row:
    """Both ways, on the same arrivals."""
    crowds = [replace(crowd, seed=seed) for seed in range(seeds)]
    planned = [Simulation(each).run() for each in crowds]
    split, _ = best_split(crowds[0])
    fixed = [Simulation(each, split=split).run() for each in crowds]
    alone = [Simulation(each, split=0.0).run() for each in crowds]
    return Row(
        crowd=name,
        asked=crowd.devices * crowd.rate * crowd.remote,
        alone=statistics.median(herd.share for herd in alone),
        split=split,
        fixed=statistics.median(herd.share for herd in fixed),
        planned=statistics.median(herd.share for herd in planned),
        ahead=statistics.median(ours.share - best.share for ours, best in zip(planned, fixed, strict=True)),
        refused=statistics.median(herd.refused / herd.requests for herd in planned),
        swing=statistics.median(herd.swing for herd in planned),
    )


def main() -> int:
    """Simulates and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--devices", type=int, default=50, help="on the edge")
    parser.add_argument("--seconds", type=float, default=20.0, help="of virtual time")
    parser.add_argument("--seeds", type=int, default=3, help="of each crowd; figures are their medians")
    options = parser.parse_args()
    if min(options.devices, options.seeds) < 1 or not 1 <= options.seconds <= 3600:
        parser.error("expected a device and a seed or more, and 1 to 3600 seconds")
    rows: list[dict[str, Any]] = []
    for name, crowd in CROWDS.items():
        sized = replace(crowd, devices=options.devices, seconds=options.seconds)
        rows.append(asdict(row(name, sized, options.seeds)))
    command.show(options, {"rows": rows}, lambda: print(aligned(rows)))
    return 0 if all(each["ahead"] >= -MOST_BEHIND for each in rows) else 1


if __name__ == "__main__":
    command.run(main)
