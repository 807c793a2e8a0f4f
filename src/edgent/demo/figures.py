"""From latencies to figures: accuracy in time, its interval, percentiles. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from edgent.demo.values import Chosen, Figures, Measured, Setup

BORDER = 0.05
_Z = 1.959964  # 95 % of a normal distribution lie within
_REPEATS = 500
_GRID = np.linspace(0.005, 0.995, 100)


def figures(chosen: Chosen, measured: Measured, deadline: float) -> Figures:
    """A method's result in one cell: share in time x accuracy, with Wilson's interval of the share."""
    totals = measured.totals
    met = sum(total <= deadline for total in totals)
    low, high = wilson(met, len(totals))
    accuracy = chosen.accuracy
    return Figures(
        deadlines_met=met / len(totals),
        accuracy_in_time=met / len(totals) * accuracy,
        low=low * accuracy,
        high=high * accuracy,
        median=percentile(totals, 0.5),
        high_latency=percentile(totals, 0.95),
    )


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, JASA 22, 1927).

    >>> [round(bound, 3) for bound in wilson(10, 10)]
    [0.722, 1.0]
    """
    share, square = hits / trials, _Z * _Z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(totals: Sequence[float], share: float) -> float:
    """A percentile that copes with requests nobody answered (infinite ones)."""
    return float(np.quantile(np.array(totals), share, method="higher"))


def is_borderline(medians: Sequence[float], deadline: float) -> bool:
    """Whether chance decides: some median lies within 5 % of the deadline."""
    return any(abs(median - deadline) <= BORDER * deadline for median in medians)


def overall(
    cells: Sequence[tuple[float, Mapping[str, Chosen]]], measured: Mapping[Setup, Measured], name: str
) -> Figures:
    """A method over all cells, each with the same weight.

    The interval is that of a bootstrap over the live runs; cells that share runs share their luck.

    Args:
        cells: deadline and choices of each.
        measured: the live runs.
        name: of the method.
    """
    deadlines = np.array([deadline for deadline, _ in cells])
    picks = [choices[name] for _, choices in cells]
    accuracies = np.array([pick.accuracy for pick in picks])
    shares = _shares(deadlines, picks, measured)
    drawn = np.array([_shares(deadlines, picks, measured, seed) @ accuracies for seed in range(_REPEATS)]) / len(cells)
    latencies = np.concatenate([np.quantile(measured[p.setup].totals, _GRID, method="higher") for p in picks])
    return Figures(
        deadlines_met=float(shares.mean()),
        accuracy_in_time=float((shares * accuracies).mean()),
        low=float(np.quantile(drawn, 0.025)),
        high=float(np.quantile(drawn, 0.975)),
        median=percentile(latencies.tolist(), 0.5),
        high_latency=percentile(latencies.tolist(), 0.95),
    )


def _shares(
    deadlines: np.ndarray[tuple[int], np.dtype[np.float64]],
    picks: Sequence[Chosen],
    measured: Mapping[Setup, Measured],
    seed: int | None = None,
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Share in time in each cell; with a seed, of runs drawn anew."""
    runs = {pick.setup: np.array(measured[pick.setup].totals) for pick in picks}
    if seed is not None:
        rng = np.random.default_rng(seed)
        runs = {setup: rng.choice(totals, totals.size) for setup, totals in runs.items()}
    found = [float((runs[pick.setup] <= deadline).mean()) for deadline, pick in zip(deadlines, picks, strict=True)]
    return np.array(found)
