"""Scores a detector of change points: its delay, the changes that it misses, and its false alarms.

A change that begins with sample c is *found* by the first alarm at a sample a with c <= a < c + tolerance, an alarm
finding one change at most. Its delay is a - c + 1: the samples of the new level that it took. All other alarms are
false, those that come later than the tolerance included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.errors import InputError

TOLERANCE = 20
"""Samples within which an alarm is in time to be of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of a detector's alarms on a stream.

    Attributes:
        median_delay: Samples of the new level until the alarm, of the changes that were found; None without any.
        mean_delay: The mean, a missed change counted as `tolerance`.
        miss_rate: Share of the changes that were not found in time.
        false_alarms_per_1000: Alarms that found nothing, per 1,000 samples.
    """

    median_delay: float | None
    mean_delay: float
    miss_rate: float
    false_alarms_per_1000: float


def score(alarms: Iterable[int], changes: Sequence[int], length: int, tolerance: int = TOLERANCE) -> Score:
    """Compares alarms with the truth.

    Args:
        alarms: Samples at which a change was declared, rising.
        changes: First samples of each new level, rising; at least one.
        length: Samples of the stream.
        tolerance: Samples after which a change counts as missed.

    Raises:
        InputError: no change to be found, or no stream.
    """
    if not changes or length <= 0 or tolerance < 1:
        raise InputError(
            f"{len(changes)} changes in {length} samples, tolerance {tolerance}: expected 1 or more of each"
        )
    left = list(alarms)
    total = len(left)
    delays: list[int] = []
    for change in changes:
        # Alarms before the change can no longer find anything; those behind it find it, or a later one.
        left = [alarm for alarm in left if alarm >= change]
        if left and left[0] < change + tolerance:
            delays.append(left.pop(0) - change + 1)
    missed = len(changes) - len(delays)
    return Score(
        median_delay=float(np.median(delays)) if delays else None,
        mean_delay=(sum(delays) + missed * tolerance) / len(changes),
        miss_rate=missed / len(changes),
        false_alarms_per_1000=(total - len(delays)) / length * 1000,
    )


def area(scores: Iterable[Score], *, lowest: float = 0.1, highest: float = 10.0, tolerance: int = TOLERANCE) -> float:
    """The area under the curve that a detector's sensitivities span, the less the better.

    The curve is the least mean delay that can be had with at most f false alarms per 1,000 samples, f from `lowest`
    to `highest` on a logarithmic scale; where none of the sensitivities is that quiet, it is the tolerance. Divided
    by the width it is a mean delay in samples.
    """
    points = sorted((score.false_alarms_per_1000, score.mean_delay) for score in scores)
    # A staircase: with more false alarms allowed, another sensitivity may be chosen, so it falls at each of their rates
    # only.
    borders = [lowest, *(f for f, _ in points if lowest < f < highest), highest]
    total = 0.0
    for left, right in itertools.pairwise(borders):
        least = min((delay for f, delay in points if f <= left), default=float(tolerance))
        total += min(least, tolerance) * math.log(right / left)
    return total / math.log(highest / lowest)
