"""How much of the gap to the regime oracle anybody could close who knows a link only as it was a while ago.

    python benchmarks/reachable.py TRACES [--ages S,S...] [--json]

The regime oracle knows a recorded link's present value; a controller knows what its last transfer or probe found. Here
nothing is forecast by us: for each cell there is one plan of the device alone and one that crosses and needs a certain
bandwidth, and the chance that the link has it is taken from all *other* traces of the set, by kernel regression on what
was seen (the last value, the one 2 s before, mean and spread of the last eight). Whoever is told the values of eight
moments, exactly, and the law of such links from dozens of others, knows more than a controller; what he leaves open at
an age is what the age of knowledge costs. `device` and `crossing` are the accuracies, B-AlexNet on the emulated
paper-pi3-resident.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import command
from edgent.link.trace import Trace
from edgent.link.trace_files import load_traces
from tables import aligned

AGES = (2.0, 0.5, 0.02)
INTERVAL, FIRST, LOOKS = 2.0, 20.0, 8  # seconds between requests, of the first one, moments known
WIDTHS = np.array([0.3, 0.6, 0.4, 0.3])  # of the kernel, in the logarithm
FLOOR = 1e3  # bits per second that an outage counts as
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A set of traces, and two plans."""

    traces: str
    scale: float
    need: float
    device: float
    crossing: float


CELLS = tuple(
    Cell(traces="belgium-4g", scale=scale, need=need, device=device, crossing=0.8915)
    for scale in (0.1, 1 / 3)
    for need, device in ((1.345e6, 0.8611), (1.114e6, 0.8725), (0.264e6, 0.8725))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Accuracies in time, 0..1, and the share of the gap that is closed."""

    need_bps: float
    scale: float
    age_s: float
    baseline: float
    oracle: float
    reached: float
    gap_closed: float


def measured(cell: Cell, traces: Sequence[Trace], age: float) -> Result:
    """Who knows the link as it was some time ago, against who knows it now."""
    seen, had, of = _requests(cell, traces, age)
    chance = np.empty(had.size)
    for trace in np.unique(of):
        own = of == trace
        apart = ((seen[own][:, None, :] - seen[~own][None, :, :]) ** 2).sum(axis=2)
        weights = np.exp(-apart / 2)
        chance[own] = (weights @ had[~own] + had[~own].mean()) / (weights.sum(axis=1) + 1)
    sends = chance * cell.crossing > cell.device
    baseline = max(cell.device, float(had.mean()) * cell.crossing)
    oracle = float(np.where(had, cell.crossing, cell.device).mean())
    reached = float(np.where(sends, had * cell.crossing, cell.device).mean())
    return Result(
        need_bps=cell.need,
        scale=cell.scale,
        age_s=age,
        baseline=baseline,
        oracle=oracle,
        reached=reached,
        gap_closed=(reached - baseline) / (oracle - baseline),
    )


def _requests(cell: Cell, traces: Sequence[Trace], age: float) -> tuple[Floats, NDArray[np.bool_], NDArray[np.intp]]:
    """What is known at each request, whether the link has what is needed, and of which trace it is."""
    seen, had, of = [], [], []
    for number, trace in enumerate(traces):
        at = np.arange(FIRST, trace.duration, INTERVAL)
        looks = np.stack([_value(trace, at - age - INTERVAL * k) for k in range(LOOKS)], axis=1) * cell.scale
        known = np.log(np.maximum(looks, FLOOR) / cell.need)
        features = np.stack([known[:, 0], known[:, 1], known.mean(axis=1), known.std(axis=1)], axis=1)
        seen.append(np.clip(features, -3, 3) / WIDTHS)
        had.append(_value(trace, at) * cell.scale >= cell.need)
        of.append(np.full(at.size, number))
    return np.concatenate(seen), np.concatenate(had), np.concatenate(of)


def _value(trace: Trace, at: Floats) -> Floats:
    pieces = np.maximum(np.searchsorted(trace.starts, at, side="right") - 1, 0)
    value: Floats = trace.bandwidths[pieces]
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("traces", type=Path, help="a folder with belgium-4g/")
    parser.add_argument("--ages", default=",".join(map(str, AGES)), help="of what is known, seconds")
    options = parser.parse_args(arguments)
    try:
        ages = [float(age) for age in options.ages.split(",")]
    except ValueError:
        parser.error(f"--ages {options.ages!r}: expected seconds, as 2,0.5,0.02")
    folders = {cell.traces: options.traces / cell.traces for cell in CELLS}
    links = {name: load_traces([folder]) for name, folder in folders.items()}
    rows = [asdict(measured(cell, links[cell.traces], age)) for cell in CELLS for age in ages]
    command.show(options, rows, lambda: print(aligned(rows)))
    return 0


if __name__ == "__main__":
    command.run(main)
