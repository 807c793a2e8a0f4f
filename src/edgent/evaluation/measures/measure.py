"""What a measure is: a verdict on each picture, a number for all of them, and how far that number can be trusted.

Intervals hold 95 % and are

- Wilson's, where a verdict is right or wrong (E. B. Wilson, JASA 22, 1927);
- else the bootstrap's (B. Efron, Annals of Statistics 7, 1979): the pictures are drawn again with replacement, some
  hundreds of times, always the same draws. The middle 95 % of the numbers that come of it, moved so that their median
  is the number itself: where classes are rare, average precision is higher on draws than on what they are drawn from.

Whether a codec *changes* a number is judged in pairs: the same pictures with it and without it. Where verdicts are
right or wrong, only the pictures whose verdict turned tell: the share of them that turned for the better has Wilson's
interval (its test is McNemar's); elsewhere both numbers are taken on the same draws. Where the interval of the change
contains zero, so many pictures cannot tell the two apart, and a planner counts them as equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
V = TypeVar("V")
"""A verdict: what an answer is worth, as far as one picture can tell."""

_Z = 1.959964  # of the normal distribution: 95 % lie within so many standard deviations
_MOST_DRAWN = 1 << 26  # weights held at a time


class Interval(NamedTuple):
    """The two ends of a 95 % interval."""

    low: float
    high: float


class Measure(ABC, Generic[V]):
    """Judges the answers of one exit.

    Attributes:
        metric: what its number is called: "top-1", "mAP 50:95".
        interval_by: where its intervals come from.
        draws: how often pictures are drawn again.
    """

    metric: str
    interval_by: str = "bootstrap"
    draws: int = 1000

    @abstractmethod
    def judge(self, answer: Any, row: int) -> V:
        """What an answer to one picture is worth.

        Args:
            answer: as `edgent.evaluation.reading` reads it: a class, boxes, a mask, a vector.
            row: the picture's.
        """

    @abstractmethod
    def numbers(self, verdicts: Sequence[V], weights: Floats) -> Floats:
        """The number, 0..1, as if each picture were there so many times.

        Args:
            verdicts: of n pictures.
            weights: how often each counts, shape (draws, n).

        Returns:
            One for each draw.
        """

    def number(self, verdicts: Sequence[V]) -> float:
        """The number of these pictures, 0..1."""
        return float(self.numbers(verdicts, np.ones((1, len(verdicts))))[0])

    def interval(self, verdicts: Sequence[V]) -> Interval:
        """The 95 % interval of the number."""
        return _around(self.number(verdicts), self.numbers(verdicts, _drawn(len(verdicts), self.draws)))

    def change(self, before: Sequence[V], after: Sequence[V]) -> Interval:
        """The 95 % interval of the change from one list of verdicts to another on the same pictures."""
        # The same draws for both: what makes a draw easier or harder is then in both numbers, and cancels out.
        weights = _drawn(len(before), self.draws)
        changes = self.numbers(after, weights) - self.numbers(before, weights)
        return _around(self.number(after) - self.number(before), changes)

    def others(self) -> Mapping[str, Any]:
        """Other numbers that are usually told beside this one: their names, and how each is made of verdicts."""
        return {}


class MeanMeasure(Measure[float]):
    """A measure whose number is the mean of the verdicts."""

    def numbers(self, verdicts: Sequence[float], weights: Floats) -> Floats:
        """See `Measure`."""
        means: Floats = weights @ np.asarray(verdicts, np.float64) / weights.sum(axis=1)
        return means


class ShareMeasure(MeanMeasure):
    """A measure whose verdicts are right or wrong: a share."""

    interval_by = "Wilson"

    def interval(self, verdicts: Sequence[float]) -> Interval:
        """See `Measure`."""
        return wilson(int(np.sum(verdicts)), len(verdicts))

    def change(self, before: Sequence[float], after: Sequence[float]) -> Interval:
        """See `Measure`."""
        # Of n pictures k changed their verdict, b of them for the better: the number changed by (b - (k - b)) / n, that
        # is (2 b / k - 1) k / n. Only b / k is uncertain here, and it is a share.
        turned = np.asarray(after, np.int64) - np.asarray(before, np.int64)
        better, changed = int((turned > 0).sum()), int((turned != 0).sum())
        share = wilson(better, changed) if changed else Interval(0.5, 0.5)  # nothing changed: a change of exactly 0
        factor = changed / len(turned)
        return Interval((2 * share.low - 1) * factor, (2 * share.high - 1) * factor)


def wilson(right: int, of: int) -> Interval:
    """The interval of a share: Wilson's, without a correction for continuity."""
    # Not the share plus and minus some deviations: that interval is empty where all verdicts are right, and may end
    # beyond 0 and 1.
    share, spread = right / of, _Z * _Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def _drawn(count: int, draws: int) -> Floats:
    """How often each picture is drawn, shape (draws, count); the same for the same arguments."""
    # Drawing n of n pictures with replacement is a multinomial count of each picture: numbers are then one product of
    # matrices, and no picture is judged twice. The seed is fixed, so that a file measured again is the same file.
    draws = max(1, min(draws, _MOST_DRAWN // count))
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)
    weights: Floats = drawn.astype(np.float64)
    return weights


def _around(number: float, drawn: Floats) -> Interval:
    # Moved by what the draws' median is off, see the head of this file.
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975])
    return Interval(max(-1.0, float(number + low - middle)), min(1.0, float(number + high - middle)))
