"""Measures of boxes: the F1 of one answer beside another's, and how boxes are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgent.evaluation.measures.measure import MeanMeasure
from edgent.model.tasks.fusion import overlaps

Detections = NDArray[np.float64]
"""x1, y1, x2, y2, score, class of each box, shape (n, 6), in a picture's own pixels."""

SURE = 0.25
"""The score from which on a box counts in F1; what drawing programs show by default."""

OVERLAP = 0.5
"""Intersection over union from which on two boxes mean the same."""


class SameBoxes(MeanMeasure):
    """F1 of the boxes of an answer beside the reference's: 2 x matched / (boxes here + boxes there), mean of pictures.

    Boxes match that have one class and overlap by an intersection over union of 0.5 or more, each box once, the surest
    first. Where neither has any, the answers are the same.

    Args:
        reference: its boxes, one array for each picture.
    """

    metric = "F1 at IoU 0.5"

    def __init__(self, reference: Sequence[Detections]) -> None:
        self.reference = reference

    def judge(self, answer: Detections, row: int) -> float:
        """See `Measure`."""
        # The reference is no truth but another answer, with scores of its own. So there is no curve over thresholds,
        # and no average precision: both sides are cut at one threshold, and F1 treats them alike.
        mine, theirs = sure(answer), sure(self.reference[row])
        count = len(mine) + len(theirs)
        return 2 * _matched(mine, theirs) / count if count else 1.0


def sure(boxes: Detections) -> Detections:
    """The boxes that are worth showing, surest first."""
    kept = boxes[boxes[:, 4] >= SURE]
    return kept[np.argsort(-kept[:, 4], kind="stable")]


def _matched(mine: Detections, theirs: Detections) -> int:
    """Pairs of boxes that mean the same, the surest of mine choosing first."""
    # Boxes of two classes do not mean the same, however much they overlap.
    alike = overlaps(mine, theirs) * (mine[:, 5][:, None] == theirs[:, 5][None, :])
    matched = 0
    for row in range(len(mine)):
        best = int(alike[row].argmax()) if len(theirs) else 0
        if len(theirs) and alike[row, best] >= OVERLAP:
            alike[:, best] = 0  # each box of theirs is matched once, or two of mine could share it
            matched += 1
    return matched
