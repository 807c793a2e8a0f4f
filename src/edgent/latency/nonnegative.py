"""Least squares whose unknowns are none negative: times never are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_negative_least_squares(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x >= 0 that minimises |rows @ x - wanted|, by Lawson and Hanson's active set (1974, chapter 23).

    Args:
        rows: Shape (m, n); columns of about one size, for the tolerance is one for all.
        wanted: Shape (m,).
    """
    gram, target = rows.T @ rows, rows.T @ wanted
    tolerance = 1e-10 * max(float(np.abs(target).max(initial=0.0)), 1e-300)
    x = np.zeros(target.size)
    free = np.zeros(target.size, dtype=bool)
    for _ in range(3 * target.size):  # the proof of its end knows no rounding
        gain = np.where(free, -np.inf, target - gram @ x)
        if free.all() or gain.max() <= tolerance:
            break
        free[int(gain.argmax())] = True
        x = _feasible(gram, target, x, free)
    return x


def _feasible(
    gram: NDArray[np.float64], target: NDArray[np.float64], x: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Steps towards the best x over the free unknowns; those that would turn negative are held at 0 (in `free`)."""
    while True:
        best = np.zeros_like(x)
        best[free] = np.linalg.lstsq(gram[np.ix_(free, free)], target[free], rcond=None)[0]
        negative = free & (best <= 0)
        if not negative.any():
            return best
        steps = np.where(negative, x / np.maximum(x - best, 1e-300), np.inf)
        first = int(steps.argmin())
        x = np.maximum(x + steps[first] * (best - x), 0.0)
        free[first] = False
        x[~free] = 0.0
