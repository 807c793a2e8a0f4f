"""What several detectors say together of one picture: weighted boxes fusion.

R. Solovyev, W. Wang and T. Gabruseva, "Weighted boxes fusion: ensembling boxes from different object detection models",
Image and Vision Computing 107, 2021 (arXiv:1910.13302), section 3. Where non-maximum suppression keeps the surest of
several boxes, this one takes their mean: each counts by its score. A box that not all detectors found loses score.

A detector's weight multiplies its scores, as in the authors' program; only the weights' ratio matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OVERLAP = 0.55
"""Intersection over union from which on two boxes of a class are of one thing, as the authors have it."""


def fused(members: Sequence[NDArray[np.floating]], weights: Sequence[float], overlap: float = OVERLAP) -> Floats:
    """The boxes of several detectors as one answer.

    Args:
        members: boxes of each detector in the same pixels: x1, y1, x2, y2, score, class; shape (n, 6) each.
        weights: of each, above 0.
        overlap: boxes of a class that overlap by more are of one thing.

    Returns:
        The same columns, the surest first.
    """
    # 1. One list of all boxes, the surest first.
    boxes = np.concatenate([np.asarray(rows, np.float64).reshape(-1, 6) for rows in members])
    boxes[:, 4] *= np.repeat(weights, [len(rows) for rows in members])
    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    found = [row for kind in np.unique(boxes[:, 5]) for row in _of_class(boxes[boxes[:, 5] == kind], weights, overlap)]
    rows = np.array(found).reshape(-1, 6)
    return rows[np.argsort(-rows[:, 4], kind="stable")]


def _of_class(boxes: Floats, weights: Sequence[float], overlap: float) -> Iterator[Floats]:
    """The fused boxes of one class."""
    clusters: list[Floats] = []
    means = np.empty((len(boxes), 6))
    for box in boxes:
        # 2. Each joins the things found so far at the one that it overlaps most, by enough; else it is a new thing.
        known = overlaps(means[: len(clusters)], box[None])[:, 0]
        place = int(known.argmax()) if known.size and known.max() > overlap else len(clusters)
        if place == len(clusters):
            clusters.append(box[None])
        else:
            clusters[place] = np.concatenate([clusters[place], box[None]])
        # 3. Which moves at once, so that later boxes are held against where it is by now (equations 1 to 3).
        means[place] = _mean(clusters[place])
    for cluster, mean in zip(clusters, means, strict=False):
        # 4. Who stood alone among several detectors is the less sure for that (equation 6).
        mean[4] *= min(len(cluster), len(weights)) / sum(weights)
        yield mean


def _mean(cluster: Floats) -> Floats:
    """Corners by their scores, and the mean score."""
    scores = cluster[:, 4]
    total = float(scores.sum())
    corners = scores @ cluster[:, :4] / total if total > 0 else cluster[0, :4]
    return np.array([*corners, scores.mean(), cluster[0, 5]])


def overlaps(a: Floats, b: Floats) -> Floats:
    """Intersection over union of each box of one list with each of another, shape (len(a), len(b))."""
    # The corners of the rectangle that two boxes share; where they share none, a side is negative and counts as 0.
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:4], b[None, :, 2:4])
    both = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - both
    # Two boxes without an area have no union; they share nothing.
    shares: Floats = both / np.where(union > 0, union, 1.0)
    return shares
