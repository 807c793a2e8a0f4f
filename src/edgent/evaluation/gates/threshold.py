"""The lowest confidence at which an early answer may be accepted, with a promise of what that costs at most.

A picture is *lost* where the early answer is accepted and wrong, and the late one would have been right. The share of
lost pictures bounds how much accuracy a gate costs: what the early network alone gets right is not set off against it.

The lower the threshold, the more answers are accepted, and a picture that is lost at one threshold is lost at all lower
ones. So on n pictures a threshold is told by how many of them it loses, and both promises below come down to how many
*may* be lost:

- with confidence ("lose at most 1 % of the pictures, at 90 %"): thresholds are tested from the strictest on, and the
  last one is taken before the first that fails (learn then test, fixed sequence: A. Angelopoulos, S. Bates, E. Candès,
  M. Jordan and L. Lei, arXiv:2110.01052, section 4). The test is exact: of n pictures of which a share `max_drop` is
  lost, k or fewer are lost with the binomial's probability. As losses only grow along the sequence, it does not matter
  how fine the sequence is, and so every confidence that occurs is one of its steps.
- in expectation ("lose 1 % in the mean over calibrations"): (k + 1) / (n + 1) <= max_drop (conformal risk control:
  A. Angelopoulos, S. Bates, A. Fisch, L. Lei and T. Schuster, arXiv:2208.02814, theorem 1, for losses of 0 or 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError


class Threshold(NamedTuple):
    """Where a gate is set.

    Attributes:
        confidence: from which on an answer is accepted; infinite where none may be.
        accepted: the share of pictures that it accepts.
        lost: the share that it loses.
    """

    confidence: float
    accepted: float
    lost: float


def threshold(confidences: NDArray[np.float64], lost: NDArray[np.bool_], allowed: int) -> Threshold:
    """The lowest threshold that loses at most so many pictures.

    Args:
        confidences: of the early answers, shape (n,).
        lost: whether accepting each of them loses it, shape (n,).
        allowed: how many may be lost.
    """
    order = np.argsort(-confidences, kind="stable")
    losses = np.cumsum(lost[order])
    # Equal confidences are accepted together or not at all: only the last of a group is a place for a threshold.
    last = np.append(np.diff(confidences[order]) != 0, True)
    fitting = np.flatnonzero(last & (losses <= allowed))
    if not fitting.size:
        return Threshold(math.inf, 0.0, 0.0)
    place, n = int(fitting[-1]), len(confidences)
    return Threshold(float(confidences[order][place]), (place + 1) / n, float(losses[place]) / n)


def allowed_with_confidence(pictures: int, max_drop: float, level: float) -> int:
    """How many of so many pictures a threshold may lose that keeps its promise with this confidence.

    Args:
        pictures: n.
        max_drop: the share that may be lost, above 0 and below 1.
        level: probability that the promise holds, over draws of the pictures; above 0 and below 1.

    Raises:
        InputError: too few pictures for even none of them lost to show it.
    """
    # P(at most k of n) by its ratio from one k to the next; in logarithms, for (1 - p)^n may be below all floats.
    log_term = pictures * math.log1p(-max_drop)
    odds = math.log(max_drop) - math.log1p(-max_drop)
    probability = math.exp(log_term)
    allowed = -1
    while probability <= 1 - level and allowed < pictures:
        allowed += 1
        log_term += math.log(max(pictures - allowed, 1)) - math.log(allowed + 1) + odds
        probability += math.exp(log_term)
    if allowed < 0:
        # ceil of the number of pictures at which none lost is rare enough.
        needed = math.ceil(math.log(1 - level) / math.log1p(-max_drop))
        raise _too_few(pictures, needed, f"a drop of at most {max_drop:.2%} at {level:.0%}")
    return allowed


def allowed_in_expectation(pictures: int, max_drop: float) -> int:
    """How many of so many pictures a threshold may lose that keeps its promise in the mean.

    Raises:
        InputError: too few pictures.
    """
    # A hair above: (n + 1) * drop may be a whole number, and its float one below it.
    allowed = math.floor((pictures + 1) * max_drop * (1 + 1e-12)) - 1
    if allowed < 0:
        needed = math.ceil(1 / max_drop) - 1
        raise _too_few(pictures, needed, f"a drop of at most {max_drop:.2%} in the mean")
    return allowed


def _too_few(pictures: int, needed: int, promise: str) -> InputError:
    return InputError(
        f"found {pictures} pictures, expected at least {needed} for {promise}: give more, or promise less"
    )
