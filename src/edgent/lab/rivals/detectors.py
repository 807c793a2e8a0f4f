"""Other detectors of change points, to be put beside ours; all are given the logarithm of the bandwidth.

Page-Hinkley (Page 1954, Hinkley 1971), ADWIN (Bifet & Gavaldà, SDM 2007), CUSUM (Page 1954) as one can only have it
where everything is known, and the offline optimum (Jackson et al. 2005, pruned as in PELT: Killick et al. 2012).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class PageHinkley:
    """Alarms when samples have strayed from their mean since the last alarm, in sum and in either direction.

    Args:
        tolerated: Deviation of a sample that does not count.
        threshold: Sum of the rest that raises the alarm.
    """

    def __init__(self, tolerated: float, threshold: float) -> None:
        self._tolerated, self._threshold = tolerated, threshold
        self._restart()

    def _restart(self) -> None:
        self._count, self._mean, self._up, self._down = 0, 0.0, 0.0, 0.0

    def update(self, sample: float) -> bool:
        """Whether a change is declared with this sample."""
        self._count += 1
        # The mean since the last alarm, updated with each sample, so that nothing is stored.
        self._mean += (sample - self._mean) / self._count
        self._up = max(0.0, self._up + sample - self._mean - self._tolerated)
        self._down = max(0.0, self._down + self._mean - sample - self._tolerated)
        alarm = max(self._up, self._down) > self._threshold
        if alarm:
            self._restart()
        return alarm


class Cusum:
    """The log likelihood ratio of level +- step against the level, for Gaussian noise. It is told the true levels.

    Args:
        levels: The true level at each sample; it is looked up at the beginning and at each alarm only.
        step: Size of the changes.
        deviation: Standard deviation of the noise.
        threshold: Ratio that raises the alarm.
    """

    def __init__(self, levels: Sequence[float], step: float, deviation: float, threshold: float) -> None:
        self._levels, self._step, self._threshold = levels, step, threshold
        # For Gaussian noise the log likelihood ratio of a sample is step / deviation^2 x (error - step / 2).
        self._slope = step / deviation**2
        self._at = -1
        self._restart(levels[0])

    def _restart(self, level: float) -> None:
        self._level, self._up, self._down = level, 0.0, 0.0

    def update(self, sample: float) -> bool:
        """Whether a change is declared with this sample."""
        self._at += 1
        error = sample - self._level
        # Cumulative sums that never fall below 0: only a run of deviations in one direction adds up.
        self._up = max(0.0, self._up + self._slope * (error - self._step / 2))
        self._down = max(0.0, self._down + self._slope * (-error - self._step / 2))
        alarm = max(self._up, self._down) > self._threshold
        if alarm:
            # Only here it looks at the truth: a real detector would have to estimate the new level.
            self._restart(self._levels[self._at])
        return alarm


class Adwin:
    """A window whose parts' means may not differ by more than chance, wherever it is divided; every cut, every sample.

    After an alarm it begins anew: the paper drops old samples one by one, and those left raise the same alarm again.

    Args:
        confidence: The paper's delta.
        unit: What counts as 1: the bound holds for samples within a unit interval.
        buckets: Of each size, the paper's M.
    """

    def __init__(self, confidence: float, unit: float, buckets: int = 5) -> None:
        self._confidence, self._unit, self._most = confidence, unit, buckets
        self._restart()

    def _restart(self) -> None:
        self._rows: list[list[tuple[float, float]]] = [[]]  # row k: (sum, squared deviations) of 2^k samples, old first
        self._offset: float | None = None  # keeps the sums small

    def update(self, sample: float) -> bool:
        """Whether a change is declared with this sample."""
        if self._offset is None:
            self._offset = sample
        # In units in which samples lie within an interval of length 1, as the bound of the paper asks.
        self._rows[0].append(((sample - self._offset) / self._unit, 0.0))
        self._compress()
        alarm = self._cuts()
        if alarm:
            self._restart()
        return alarm

    def _compress(self) -> None:
        # The exponential histogram of the paper: at most M buckets of each size 2^k. The two oldest of a full row
        # become one of the next, so n samples take M log n buckets.
        for k, row in enumerate(self._rows):
            if len(row) <= self._most:
                break
            (first, a), (second, b) = row[:2]
            del row[:2]
            if k + 1 == len(self._rows):
                self._rows.append([])
            # Sums add. Squared deviations grow by what the two means differ, which is (first - second)^2 / (2 x 2^k).
            self._rows[k + 1].append((first + second, a + b + (first - second) ** 2 / 2 ** (k + 1)))

    def _cuts(self) -> bool:
        """Whether some cut divides the window into parts that differ."""
        parts = [(float(2**k), *bucket) for k in reversed(range(len(self._rows))) for bucket in self._rows[k]]
        n, total = sum(part[0] for part in parts), sum(part[1] for part in parts)
        if n < 2:
            return False
        mean = total / n
        variance = sum(part[2] + part[0] * (part[1] / part[0] - mean) ** 2 for part in parts) / n
        # The paper's delta' = delta / ln n, since the window is tested at many places, and 2 for both directions.
        log = math.log(2 * math.log(n) / self._confidence)
        before, summed = 0.0, 0.0
        for size, subtotal, _ in parts:
            before, summed = before + size, summed + subtotal
            if before == n:
                break
            # 1 / m, the harmonic mean of the two sizes, in a bound of Bernstein's kind: a normal part and a part for
            # few samples.
            inverse = 1 / before + 1 / (n - before)
            bound = math.sqrt(2 * inverse * variance * log) + 2 / 3 * inverse * log
            if abs(summed / before - (total - summed) / (n - before)) > bound:
                return True
        return False


def optimal_partitioning(samples: NDArray[np.float64], deviation: float, penalty: float) -> list[int]:
    """The segments of least squared deviation, each costing a penalty: what is possible for who sees it all.

    Args:
        samples: Shape (n,).
        deviation: Standard deviation of the noise.
        penalty: Of each segment, in units of the variance.

    Returns:
        First samples of the segments but the first, rising.
    """
    # Prefix sums give the squared deviation of any segment in one step; the first sample is taken off, for large means
    # would cancel badly in the difference of squares.
    sums = np.concatenate([[0.0], np.cumsum(samples - samples[0])])
    squares = np.concatenate([[0.0], np.cumsum((samples - samples[0]) ** 2)])
    best = np.empty(samples.size + 1)
    # The first segment costs no penalty: n segments have n - 1 changes.
    best[0] = -penalty
    last = np.zeros(samples.size + 1, dtype=np.intp)
    starts = np.zeros(1, dtype=np.intp)
    for end in range(1, samples.size + 1):
        fit = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / (end - starts)
        # Bellman's recursion: the best division up to `end` is the best up to the start of its last segment, plus that
        # segment.
        cost = best[starts] + fit / deviation**2
        least = int(cost.argmin())
        best[end], last[end] = cost[least] + penalty, starts[least]
        starts = np.append(starts[cost <= best[end]], end)  # PELT: the others can never win again
    changes, at = [], samples.size
    # Backwards along the stored starts.
    while (at := int(last[at])) > 0:
        changes.append(at)
    return changes[::-1]
