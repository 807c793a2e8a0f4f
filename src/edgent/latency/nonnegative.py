"""Least squares with unknowns of 0 or more, because no kind of work takes a negative time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_negative_least_squares(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The x >= 0 that minimises |rows @ x - wanted|, by Lawson and Hanson's active set (1974, chapter 23).

    Args:
        rows: Shape (m, n); columns of about one size, for the tolerance is one for all.
        wanted: Shape (m,).
    """
    # The normal equations: n is small (tens of rates), m large, and every step solves a part of them. They square the
    # condition number, which columns of about one size keep harmless.
    gram, target = rows.T @ rows, rows.T @ wanted
    tolerance = 1e-10 * max(float(np.abs(target).max(initial=0.0)), 1e-300)
    # An unknown is either held at 0 or free. At the solution the gradient is 0 for the free ones and points below 0 for
    # the held ones (the conditions of Kuhn and Tucker); `gain` is its negative, so where it is positive freeing helps.
    x = np.zeros(target.size)
    free = np.zeros(target.size, dtype=bool)
    for _ in range(3 * target.size):  # it ends by itself; this bounds it in spite of rounding
        gain = np.where(free, -np.inf, target - gram @ x)
        if free.all() or gain.max() <= tolerance:
            break
        # One at a time: freeing several at once may cycle.
        free[int(gain.argmax())] = True
        x = _feasible(gram, target, x, free)
    return x


def _feasible(
    gram: NDArray[np.float64], target: NDArray[np.float64], x: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Steps towards the best x over the free unknowns; those that would turn negative are held at 0 (in `free`)."""
    while True:
        best = np.zeros_like(x)
        # lstsq and not solve: kinds that always come together make the Gram matrix singular.
        best[free] = np.linalg.lstsq(gram[np.ix_(free, free)], target[free], rcond=None)[0]
        negative = free & (best <= 0)
        if not negative.any():
            return best
        # Walk from x towards `best` only until the first unknown reaches 0, hold that one, and look again: x never
        # leaves the region where all are 0 or more, and the error falls with every step.
        steps = np.where(negative, x / np.maximum(x - best, 1e-300), np.inf)
        first = int(steps.argmin())
        x = np.maximum(x + steps[first] * (best - x), 0.0)
        free[first] = False
        x[~free] = 0.0
