"""Measures of one answer beside another, or beside a label: the same class, or the angle between two vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgent.engine.feeds import Array
from edgent.evaluation.measures.measure import MeanMeasure, ShareMeasure


class SameLabel(ShareMeasure):
    """Whether the highest score is the right class's.

    Args:
        labels: the right class of each picture.
        metric: "top-1" where people gave the labels, "same label" where a model did.
    """

    def __init__(self, labels: Sequence[int], metric: str) -> None:
        self.labels, self.metric = labels, metric

    def judge(self, answer: int, row: int) -> float:
        """See `Measure`."""
        return float(answer == self.labels[row])


class Cosine(MeanMeasure):
    """How much two answers point the same way: the cosine of all their numbers as one vector, 0 where it is negative.

    Args:
        vectors: the reference's, one for each picture.
    """

    metric = "cosine"

    def __init__(self, vectors: Sequence[Array]) -> None:
        self.vectors = vectors

    def judge(self, answer: Array, row: int) -> float:
        """See `Measure`."""
        mine, other = answer, self.vectors[row]
        if mine.shape != other.shape:  # as many boxes as there are, say
            return 0.0
        # A vector of zeros points nowhere, and infinities have no angle: such answers are alike only if they are equal.
        length = float(np.linalg.norm(mine) * np.linalg.norm(other))
        if not np.isfinite(length) or length == 0:
            return float(np.array_equal(mine, other, equal_nan=True))
        return min(1.0, max(0.0, float(mine @ other) / length))
