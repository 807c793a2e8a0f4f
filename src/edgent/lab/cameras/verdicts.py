"""Who carries how many cameras, and by how much one method is ahead of another: from accuracies by picture. Pure.

The pictures are what is independent: they are drawn anew, and all methods, numbers of cameras and seeds see the same
draw. So luck with a hard picture is luck for all, and for the accuracy that is to be reached as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DRAWS = 2000
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranged:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraCurve:
    """A method's accuracy in time by the number of cameras.

    Attributes:
        cameras: rising, shape (m,).
        right: how often each picture was answered rightly and in time, over all seeds, shape (m, pictures).
        came: how often it came, likewise; the same for all methods.
    """

    cameras: tuple[int, ...]
    right: Floats
    came: Floats

    @property
    def means(self) -> Floats:
        """Accuracy in time with each number of cameras, shape (m,)."""
        means: Floats = self.right.sum(axis=1) / self.came.sum(axis=1)
        return means

    def drawn(self, draws: Floats) -> Floats:
        """Accuracy in time in each draw of the pictures, shape (draws, m)."""
        # A picture that is drawn twice counts twice wherever it came: a ratio of sums, and none of means.
        drawn: Floats = (draws @ self.right.T) / (draws @ self.came.T)
        return drawn

    def pooled(self, over: Sequence[int], draws: Floats) -> Floats:
        """Over some numbers of cameras that count alike, in each draw."""
        pooled: Floats = self.drawn(draws)[:, [self.cameras.index(number) for number in over]].mean(axis=1)
        return pooled


def draws_of(pictures: int, seed: int = 0) -> Floats:
    """The pictures themselves first, then drawn with replacement: weights of shape (1 + draws, pictures)."""
    drawn = np.random.default_rng(seed).multinomial(pictures, np.full(pictures, 1 / pictures), _DRAWS)
    return np.concatenate([np.ones((1, pictures)), drawn]) / pictures


def most_cameras(cameras: Sequence[int], accuracies: Floats, wanted: float) -> float:
    """Up to how many cameras an accuracy is reached, between two numbers by the line through both.

    0: not even by the fewest; infinite: by all that were tried.
    """
    short = np.flatnonzero(accuracies < wanted)
    if not short.size:
        return math.inf
    first = int(short[0])
    if first == 0:
        return 0.0
    above, below = accuracies[first - 1], accuracies[first]
    share = (above - wanted) / (above - below)
    return float(cameras[first - 1] + share * (cameras[first] - cameras[first - 1]))


def carried(curve: CameraCurve, wanted: Floats, draws: Floats) -> Floats:
    """Up to how many cameras a method reaches what is wanted, in each draw.

    Args:
        curve: of the method.
        wanted: in each draw, with each number of cameras, shape (draws, m): of the pictures that came there.
        draws: see `draws_of`.
    """
    return np.array([most_cameras(curve.cameras, margin, 0.0) for margin in curve.drawn(draws) - wanted])


def ranged(drawn: Floats) -> Ranged:
    """The number itself, which comes first, and its interval by the draws."""
    # No interpolation: what is between a number and infinity is neither.
    low, high = np.quantile(drawn[1:], _TAILS, method="nearest")
    return Ranged(value=float(drawn[0]), low=float(low), high=float(high))


def times_as_many(ours: Floats, theirs: Floats) -> Ranged:
    """How many times as many cameras one method carries as another, draw by draw."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(np.isinf(theirs), np.where(np.isinf(ours), 1.0, 0.0), ours / theirs)
    return ranged(np.nan_to_num(ratios, nan=1.0, posinf=math.inf))


def ahead(ours: Floats, theirs: Floats) -> Ranged:
    """Ours less theirs, draw by draw."""
    return ranged(ours - theirs)


def best_single(pooled: Mapping[str, Floats]) -> str:
    """The method of the highest accuracy."""
    return max(pooled, key=lambda name: float(pooled[name][0]))
