"""A latency model carried over to another machine by a handful of timings there: NAS-Bench-201 on real devices.

    python benchmarks/carried_over.py [--seed N] [--data DIR] [--json]

A model of one device is fitted to 900 networks; then 5, 10 or 20 of other networks are timed on another device, and all
the rest are predicted. 20 draws each, all methods on the same draws; the median over the draws of the median error, and
the draws' range. Data and networks are those of `nasbench_pi4.py`; so only devices that were measured, not modelled.

- carried over: a factor for each kind of layer, drawn towards a common one.
- one factor: the median ratio of the same timings.
- these alone: a model fitted to those timings and nothing else (10 or more).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import command
from edgent.latency.carried import carried_over_whole
from edgent.latency.whole import WholeLatency, fit_whole
from nasbench_pi4 import DATA, FILE, Array, Costs, Table, read
from tables import aligned

PAIRS = (("pixel3_ms", "raspi4_ms"), ("gold_6226_ms", "raspi4_ms"), ("raspi4_ms", "pixel3_ms"))
TIMINGS = (5, 10, 20)
DRAWS = 20
KNOWN = 900
FEWEST_ALONE = 10

Predict = Callable[[Costs], float]


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("--seed", type=command.at_least(0), default=0)
    parser.add_argument("--data", type=Path, default=DATA, help=f"the folder of {FILE}")
    options = parser.parse_args()
    path = options.data / FILE
    if not path.is_file():
        parser.error(f"{path} is missing: name its folder with --data")
    try:
        tables = {column: read(path, column) for pair in PAIRS for column in pair}
    except (OSError, KeyError, ValueError) as error:
        parser.error(f"{path} is not the table of {FILE}: {error}")
    rows = [row for pair in PAIRS for row in _rows(pair, tables, options.seed)]
    command.show(options, {"draws": DRAWS, "known": KNOWN, "rows": rows}, lambda: print(aligned(rows)))
    return 0


def _rows(pair: tuple[str, str], tables: dict[str, Table], seed: int) -> list[dict[str, object]]:
    source, target = (tables[column] for column in pair)
    rng = np.random.default_rng([seed, PAIRS.index(pair)])
    chosen = rng.permutation(len(source.seconds))[:KNOWN]
    known = fit_whole(*source.rows(chosen)[1:])
    rows: list[dict[str, object]] = []
    for timings in TIMINGS:
        print(f"{pair[0]} to {pair[1]}, {timings} timings", file=sys.stderr)
        errors: dict[str, list[float]] = {}
        for _ in range(DRAWS):
            order = rng.permutation(len(target.seconds))
            timed, rest = target.rows(order[:timings]), target.rows(order[timings:])
            for name, predict in _methods(known, timed).items():
                errors.setdefault(name, []).append(_median_error(predict, rest))
        rows += [
            {
                "from": pair[0].removesuffix("_ms"),
                "to": pair[1].removesuffix("_ms"),
                "timings": timings,
                "method": name,
                "median_ape": median(found),
                "least_median_ape": min(found),
                "most_median_ape": max(found),
            }
            for name, found in errors.items()
        ]
    return rows


def _methods(known: WholeLatency, timed: Table) -> dict[str, Predict]:
    carried = carried_over_whole(known, timed.networks, timed.seconds)
    factor = median(s / known.predict(costs).seconds for costs, s in zip(timed.networks, timed.seconds, strict=True))
    methods: dict[str, Predict] = {
        "carried over": lambda costs: carried.predict(costs).seconds,
        "one factor": lambda costs: factor * known.predict(costs).seconds,
    }
    if len(timed.seconds) >= FEWEST_ALONE:
        alone = fit_whole(timed.networks, timed.seconds)
        methods["these alone"] = lambda costs: alone.predict(costs).seconds
    return methods


def _median_error(predict: Predict, rest: Table) -> float:
    distinct = {id(costs): costs for costs in rest.networks}  # many cells run the same layers
    seconds = {key: predict(costs) for key, costs in distinct.items()}
    predicted: Array = np.array([seconds[id(costs)] for costs in rest.networks])
    return float(np.median(np.abs(predicted / rest.seconds - 1)))


if __name__ == "__main__":
    command.run(main)
