"""Measures of masks: the mean intersection over union of the classes, and the share of pixels that are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgent.evaluation.measures.measure import Floats, MeanMeasure, Measure

IGNORED = 255
"""The value of pixels in a true mask at which nothing is asked."""

Mask = NDArray[np.uint8]
"""A class for each pixel, shape [height, width]."""
MaskOf = Callable[[int], Mask]
"""The right mask of a picture, by its row, as large as the picture."""


class MeanIoU(Measure[Floats]):
    """The mean over classes of intersection / union, each summed over all pictures.

    Classes that neither stand in a mask nor are answered do not count. A verdict holds the intersections and the unions
    of one picture, shape (2, classes).

    Args:
        truth: the right masks.
        classes: how many there are.
    """

    metric = "mIoU"

    def __init__(self, truth: MaskOf, classes: int) -> None:
        self.truth, self.classes = truth, classes

    def judge(self, answer: Mask, row: int) -> Floats:
        """See `Measure`."""
        # Counts and no shares: the mean over classes is taken of sums over all pictures, so that a picture with three
        # pixels of a class does not weigh as much as one that is full of it.
        mask, truth = answer, self.truth(row)
        asked = truth != IGNORED
        mine, right = mask[asked], truth[asked]
        both, own, theirs = (self._count(values) for values in (right[mine == right], mine, right))
        return np.stack([both, own + theirs - both])

    def numbers(self, verdicts: Sequence[Floats], weights: Floats) -> Floats:
        """See `Measure`."""
        stacked = np.stack(verdicts)
        intersections, unions = weights @ stacked[:, 0], weights @ stacked[:, 1]
        # 0 / 0 is a class that nobody saw. It takes no part in the mean, where a 0 would count as a mistake.
        with np.errstate(invalid="ignore"):
            shares = np.where(unions > 0, intersections / unions, np.nan)
        present = ~np.isnan(shares).all(axis=1)
        means = np.zeros(len(weights))
        means[present] = np.nanmean(shares[present], axis=1)
        return means

    def _count(self, values: Mask) -> Floats:
        counts: Floats = np.bincount(values.ravel(), minlength=self.classes)[: self.classes].astype(np.float64)
        return counts


class SamePixels(MeanMeasure):
    """The share of pixels that have the same class.

    Args:
        truth: the reference's masks.
    """

    metric = "same pixels"

    def __init__(self, truth: MaskOf) -> None:
        self.truth = truth

    def judge(self, answer: Mask, row: int) -> float:
        """See `Measure`."""
        return float(np.mean(answer == self.truth(row)))
