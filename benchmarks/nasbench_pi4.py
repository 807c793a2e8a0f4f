"""A Raspberry Pi 4's latency model from whole networks alone: NAS-Bench-201, fitted on 900 or 50 networks.

    python benchmarks/nasbench_pi4.py [--seed N] [--data DIR] [--json]

The times are HW-NAS-Bench's, of NAS-Bench-201's 15,625 cells as networks for CIFAR-10, as HELP passes them on; the 235
under 0.5 ms (mostly cells without a path to the output, folded to a constant) are left out. The product sees networks
as it always does, as layers with their costs; this file only builds them from the cells' names:

- a node that adds up several operations is that many additions less one; nothing and skips are no layers;
- an operation on a node that nothing feeds is a layer like any other: it was run;
- a node that nothing reads was removed before it was run, with all that only it reads, unless it is the output of one
  convolution: that stayed. (Seen in the times of another device in the same table, the Pixel 3, before the Pi's.)

900: one draw, tested on all the others. 50: 20 draws, each tested on all its others; the median of the 20 results
is printed, and the spread. `floor`: how a perfect prediction would do, from networks that are one another's mirror
images (nodes 1 and 2 exchanged, nothing between them), if their noise is independent and alike.
"""

from __future__ import annotations

import csv
import gzip
import math
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import command
from edgent.latency.whole import fit_whole
from edgent.model.costs import LayerCost

DATA = Path(__file__).parents[2] / "shared" / "latency-data" / "help-hwnasbench"
FILE = "nasbench201_latency_ms.csv.gz"
DRAWS = {900: 1, 50: 20}  # of so many networks, so often
SHORTEST = 0.5  # ms
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
STAGES = ((16, 32), (32, 16), (64, 8))  # channels, side
CELLS = 5  # in each stage
FLOAT = 4  # bytes

Array = NDArray[np.float64]
Cell = tuple[str, ...]
Costs = tuple[LayerCost, ...]


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
        table = read(path, "raspi4_ms")
    except (OSError, KeyError, ValueError) as error:
        parser.error(f"{path} is not the table of {FILE}: {error}")
    results = {str(size): _drawn(table, size, draws, options.seed) for size, draws in DRAWS.items()}
    command.show(
        options, {size: _document(scores) for size, scores in results.items()}, lambda: _print(results, _floor(table))
    )
    return 0


class Table(NamedTuple):
    """Networks and their times, one row each: cells by edge, layers, seconds."""

    cells: NDArray[np.str_]
    networks: NDArray[np.object_]
    seconds: Array

    def rows(self, chosen: NDArray[np.intp]) -> Table:
        """Some of the networks."""
        return Table(self.cells[chosen], self.networks[chosen], self.seconds[chosen])


class Score(NamedTuple):
    """Of one draw: the median absolute error, and the share within 10 %, both as fractions."""

    median_ape: float
    within_10_percent: float


def cell(name: str) -> Cell:
    """The operations of a cell on its six edges, from "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"."""
    return tuple(term.split("~")[0] for node in name.split("+") for term in node.strip("|").split("|"))


class Operation(NamedTuple):
    """One operation of a cell and where it reads: the cell's input (-1), another operation, or None for nothing fed."""

    kind: str
    reads: tuple[int | None, ...]


def operations(found: Cell) -> tuple[Operation, ...]:
    """The operations of a cell that were run."""
    made: list[Operation] = []
    nodes: list[int | None] = [-1, None, None, None]
    for node in (1, 2, 3):
        terms = []
        for kind, (source, target) in zip(found, EDGES, strict=True):
            if target != node or kind == "none":
                continue
            if kind == "skip_connect":
                terms += [nodes[source]] if nodes[source] is not None else []
            else:
                made.append(Operation(kind, (nodes[source],)))
                terms.append(len(made) - 1)
        for count, term in enumerate(terms):
            if count == 0:
                nodes[node] = term
            else:
                made.append(Operation("add", (nodes[node], term)))
                nodes[node] = len(made) - 1
    return _run(made, nodes)


def _run(made: Sequence[Operation], nodes: Sequence[int | None]) -> tuple[Operation, ...]:
    read = {source for operation in made for source in operation.reads}
    wanted = [nodes[3]]
    wanted += [node for node in nodes[1:3] if _stays(node, made, read)]
    kept: set[int] = set()
    while wanted:
        at = wanted.pop()
        if at is not None and at >= 0 and at not in kept:
            kept.add(at)
            wanted += made[at].reads
    return tuple(made[at] for at in sorted(kept))


def _stays(node: int | None, made: Sequence[Operation], read: set[int | None]) -> bool:
    return node is not None and node >= 0 and node not in read and made[node].kind.startswith("nor_conv")


def network(found: Cell) -> Costs:
    """The layers of a network: stem, three stages of cells with a residual block before the second and third, head."""
    return _network(tuple(sorted(operation.kind for operation in operations(found))))


@cache  # many cells run the same operations, wired otherwise
def _network(run: tuple[str, ...]) -> Costs:
    layers = [_conv(3, 16, 32, 3)]
    before = 0
    for channels, side in STAGES:
        if before:
            layers += _block(before, channels, side)
        layers += [_layer(kind, channels, side) for kind in run] * CELLS
        before = channels
    channels, side = STAGES[-1]
    pooled = channels * side * side
    layers.append(_cost("GlobalAveragePool", pooled, pooled, channels))
    layers.append(_cost("Gemm", 2 * channels * 10, channels, 10, channels * 10))
    return tuple(layers)


def _layer(kind: str, channels: int, side: int) -> LayerCost:
    size = channels * side * side
    if kind == "add":
        return _cost("Add", size, 2 * size, size)
    if kind == "avg_pool_3x3":
        return _cost("AveragePool", 9 * size, size, size)
    return _conv(channels, channels, side, int(kind[-1]))


def _block(before: int, channels: int, side: int) -> list[LayerCost]:
    size, pooled = channels * side * side, before * side * side
    return [
        _conv(before, channels, side, 3, stride=2),
        _conv(channels, channels, side, 3),
        _cost("AveragePool", 4 * pooled, 4 * pooled, pooled),
        _conv(before, channels, side, 1),
        _cost("Add", size, 2 * size, size),
    ]


def _conv(maps: int, filters: int, side: int, kernel: int, stride: int = 1) -> LayerCost:
    weights, made = filters * maps * kernel**2, filters * side**2
    return _cost("Conv", 2 * weights * side**2, maps * (stride * side) ** 2, made, weights)


def _cost(kind: str, flops: float, read: int, made: int, weights: int = 0) -> LayerCost:
    return LayerCost(
        kind=kind, flops=flops, bytes_in=FLOAT * read, bytes_out=FLOAT * made, bytes_weights=FLOAT * weights, paper=()
    )


def _ours(known: Table, new: Table) -> Array:
    fitted = fit_whole(known.networks, known.seconds)
    seconds = {
        id(costs): fitted.predict(costs).seconds for costs in {id(costs): costs for costs in new.networks}.values()
    }
    return np.array([seconds[id(costs)] for costs in new.networks])


def _additive(known: Table, new: Table) -> Array:
    return np.asarray(_one_hot(new) @ np.linalg.lstsq(_one_hot(known), known.seconds, rcond=None)[0])


def _flops_line(known: Table, new: Table) -> Array:
    return np.asarray(np.polyval(np.polyfit(_flops(known), known.seconds, 1), _flops(new)))


METHODS: dict[str, Callable[[Table, Table], Array]] = {
    "ours": _ours,
    "additive per edge": _additive,
    "FLOPs line": _flops_line,
}


def _flops(table: Table) -> Array:
    return np.array([sum(cost.flops for cost in costs) for costs in table.networks])


def _one_hot(table: Table) -> Array:
    kinds = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    return np.concatenate([np.ones((len(table.cells), 1)), *(table.cells == kind for kind in kinds)], axis=1)


def _drawn(table: Table, size: int, draws: int, seed: int) -> dict[str, list[Score]]:
    """The scores of each method; all methods see the same draws."""
    rng = np.random.default_rng([seed, size])
    scores: dict[str, list[Score]] = {method: [] for method in METHODS}
    for draw in range(draws):
        print(f"{size} networks, draw {draw + 1} of {draws}", file=sys.stderr)
        order = rng.permutation(len(table.cells))
        known, new = table.rows(order[:size]), table.rows(order[size:])
        for method, predict in METHODS.items():
            scores[method].append(_score(predict(known, new), new.seconds))
    return scores


def _score(predicted: Array, measured: Array) -> Score:
    error = np.abs(predicted / measured - 1)
    return Score(float(np.median(error)), float(np.mean(error <= 0.1)))


def _floor(table: Table) -> dict[str, float]:
    """How mirror images differ, and the median error of a perfect prediction if both have independent, equal noise."""
    at = {tuple(found): k for k, found in enumerate(table.cells)}
    images = [(k, at.get(_mirror(found))) for found, k in at.items() if found[2] == "none"]
    pairs = np.array([(k, other) for k, other in images if other is not None and k < other])
    differences = np.abs(table.seconds[pairs[:, 0]] / table.seconds[pairs[:, 1]] - 1)
    apart = float(np.median(differences))
    return {"pairs": len(pairs), "mirror_images_differ": apart, "median_ape": apart / math.sqrt(2)}


def _mirror(found: Cell) -> Cell:
    first, second, between, direct, from_first, from_second = found
    return (second, first, between, direct, from_second, from_first)


def _document(scores: dict[str, list[Score]]) -> dict[str, Any]:
    return {**_summary(scores["ours"]), "rivals": {name: _summary(s) for name, s in scores.items() if name != "ours"}}


def _summary(scores: Sequence[Score]) -> dict[str, Any]:
    errors = [score.median_ape for score in scores]
    return {
        "median_ape": median(errors),
        "within_10_percent": median(score.within_10_percent for score in scores),
        "draws": len(scores),
        "least_median_ape": min(errors),
        "most_median_ape": max(errors),
    }


def _print(results: dict[str, dict[str, list[Score]]], floor: dict[str, float]) -> None:
    print(f"{'fitted on':>9}  {'method':18} {'median error':>12} {'of draws':>15} {'within 10 %':>12}")
    for size, scores in results.items():
        for method, found in scores.items():
            row = _summary(found)
            spread = f"{row['least_median_ape']:.1%} .. {row['most_median_ape']:.1%}"
            print(f"{size:>9}  {method:18} {row['median_ape']:12.1%} {spread:>15} {row['within_10_percent']:12.1%}")
    print(
        f"floor {floor['median_ape']:.1%}: {floor['pairs']} pairs of mirror images differ by "
        f"{floor['mirror_images_differ']:.1%} in the median"
    )


def read(path: Path, column: str) -> Table:
    """The networks and what they take on one device."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = [(cell(row["arch"]), float(row[column])) for row in csv.DictReader(stream)]
    kept = [(found, ms / 1e3) for found, ms in rows if ms >= SHORTEST]
    networks = np.empty(len(kept), dtype=object)
    networks[:] = [network(found) for found, _ in kept]
    return Table(np.array([found for found, _ in kept]), networks, np.array([seconds for _, seconds in kept]))


if __name__ == "__main__":
    command.run(main)
