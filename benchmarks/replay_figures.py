"""What `replay` makes of its cells: the gap closed on sets left out, where a baseline is ahead, what claims were worth.

A trace counts in all cells that it is in, so every bootstrap draws traces and never cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.planning.oracles import REGIME
from edgent.replay import Report
from edgent.replay.methods import BASELINES, OURS
from replay_cells import Cell

HALF_A_POINT = 0.005
DRAWS = 2000
BANDS = ((0.90, 0.875, 0.925), (0.95, 0.925, 0.97), (0.99, 0.98, 0.995))
Floats = NDArray[np.float64]
Results = Sequence[tuple[Cell, Report]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One set, by the variant that was chosen on the others.

    Attributes:
        traces: The set's name.
        chosen: The variant.
        cells: How many of the set's cells have a gap.
        gap_closed: Of their gap, pooled over requests; None where there is none.
        low: Lower end of its 95 % interval, over traces.
        high: Upper end.
    """

    traces: str
    chosen: str
    cells: int
    gap_closed: float | None
    low: float | None
    high: float | None


class Gaps:
    """Sums by trace of one set, over its cells without a race whose regime oracle is a point ahead.

    Attributes:
        cells: How many those are.
        parts: What ours, the best baseline and the oracle have in accuracy in time, by variant, shape (3, traces).
    """

    def __init__(self, results: Results) -> None:
        ahead = [report for cell, report in results if not cell.race and report.gap_closed is not None]
        names = {name: place for place, name in enumerate(sorted({name for one in ahead for name in one.names}))}
        self.cells = len(ahead)
        self.parts = {variant: np.zeros((3, len(names))) for variant in OURS}
        for report in ahead:
            rows = [names[name] for name in report.names]
            for variant, parts in self.parts.items():
                each = (variant, report.best_baseline, REGIME)
                np.add.at(parts, (slice(None), rows), np.stack([_sums(report, name) for name in each]))

    def closed(self, variant: str) -> float:
        """The share of the gap that it closes."""
        return _ratio(self.parts[variant])

    def drawn(self, variant: str, random: np.random.Generator) -> float:
        """The same for traces drawn with replacement."""
        parts = self.parts[variant]
        return _ratio(parts[:, random.integers(0, parts.shape[1], parts.shape[1])])


def left_out(results: Results, seed: int) -> tuple[list[LeftOut], dict[str, float | None]]:
    """Each set by the variant that closes most of the others' gap, and the mean over sets.

    The rule: of `OURS` the one whose gap closed, pooled over all cells of the other sets, is the largest; of equals the
    product's own, `edgent`. The mean's interval draws sets first, and then traces of each.
    """
    gaps = {name: Gaps(list(_of(results, name))) for name in dict.fromkeys(cell.traces for cell, _ in results)}
    gaps = {name: one for name, one in gaps.items() if one.cells}
    chosen = {name: _chosen([other for each, other in gaps.items() if each != name]) for name in gaps}
    random = np.random.default_rng(seed)
    found = []
    for name, one in gaps.items():
        low, high = np.percentile([one.drawn(chosen[name], random) for _ in range(DRAWS)], [2.5, 97.5]).tolist()
        closed = one.closed(chosen[name])
        found.append(LeftOut(traces=name, chosen=chosen[name], cells=one.cells, gap_closed=closed, low=low, high=high))
    return found, _mean(gaps, chosen, random)


def _mean(gaps: dict[str, Gaps], chosen: dict[str, str], random: np.random.Generator) -> dict[str, float | None]:
    if not gaps:
        return {"gap_closed": None, "low": None, "high": None}
    names = list(gaps)
    drawn = [
        float(np.mean([gaps[names[row]].drawn(chosen[names[row]], random) for row in rows]))
        for rows in random.integers(0, len(names), (DRAWS, len(names)))
    ]
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return {
        "gap_closed": float(np.mean([one.closed(chosen[name]) for name, one in gaps.items()])),
        "low": low,
        "high": high,
    }


def _chosen(others: Sequence[Gaps]) -> str:
    """The variant of the largest pooled gap closed; `edgent` where there is nothing to choose by."""
    if not others:
        return OURS[-1]
    pooled = {variant: sum(one.parts[variant].sum(axis=1) for one in others) for variant in OURS}
    return max(reversed(OURS), key=lambda variant: _share(*pooled[variant]))


def worse(results: Results, seed: int) -> list[dict[str, object]]:
    """Cells in which a baseline is more than half a point ahead of ours; `certain`: beyond a simultaneous interval.

    Simultaneous over all cells and baselines: the 95 % quantile of the largest studentised deviation among them.
    """
    found: list[dict[str, object]] = []
    lost, deviations, largest = [], [], np.zeros(DRAWS)
    for cell, report in results:
        random = np.random.default_rng([seed, len(report.names)])  # the same traces in every cell of a set
        requests = np.array([sums["edgent"].requests for sums in report.per_trace], dtype=np.float64)
        rows = random.integers(0, requests.size, (DRAWS, requests.size))
        for name in BASELINES:
            differences = _sums(report, name) - _sums(report, "edgent")
            ahead = float(differences.sum() / requests.sum())
            drawn = differences[rows].sum(axis=1) / requests[rows].sum(axis=1)
            if (deviation := float(drawn.std())) > 0:
                largest = np.maximum(largest, (drawn - ahead) / deviation)
            if ahead > HALF_A_POINT:
                found.append({"cell": str(cell), "baseline": name, "points": ahead * 100})
                lost.append(ahead)
                deviations.append(deviation)
    reach = float(np.percentile(largest, 95))
    for one, ahead, deviation in zip(found, lost, deviations, strict=True):
        one["certain"] = ahead - reach * deviation > HALF_A_POINT
    return found


def rhythms(results: Results) -> list[dict[str, float]]:
    """By the seconds between requests: cells without a race, those with a gap, and what `edgent` closes of it."""
    found = []
    for interval in dict.fromkeys(cell.interval for cell, _ in results):
        own = [(cell, report) for cell, report in results if cell.interval == interval and not cell.race]
        if (gaps := Gaps(own)).cells:
            closed = gaps.closed(OURS[-1])
            found.append({"interval_s": interval, "cells": len(own), "with_a_gap": gaps.cells, "gap_closed": closed})
    return found


def largest_lead(results: Results) -> float:
    """Accuracy in time by which a baseline is ahead of ours where it is so most; negative where none is."""
    return max(
        report.mean(name, "accuracy") - report.mean("edgent", "accuracy") for _, report in results for name in BASELINES
    )


def calibration(results: Results) -> list[dict[str, float]]:
    """Plans of ours that claimed about .90, .95 and .99, without a race: the mean claim, and how many were in time."""
    claims = np.concatenate([report.claims for cell, report in results if not cell.race])
    found = []
    for about, low, high in BANDS:
        band = claims[(claims[:, 0] >= low) & (claims[:, 0] < high)]
        if band.size:
            claimed, came = band.mean(axis=0).tolist()
            found.append({"about": about, "plans": len(band), "claimed": claimed, "in_time": came})
    return found


def _of(results: Results, name: str) -> Iterable[tuple[Cell, Report]]:
    return ((cell, report) for cell, report in results if cell.traces == name)


def _sums(report: Report, name: str) -> Floats:
    return np.array([sums[name].accuracy for sums in report.per_trace])


def _ratio(parts: Floats) -> float:
    return _share(*parts.sum(axis=1))


def _share(ours: float, base: float, oracle: float) -> float:
    return float((ours - base) / (oracle - base))
