"""Thresholds that keep their promise: the number that may be lost beside scipy, the place beside brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from edgent.errors import InputError
from edgent.evaluation.gates.threshold import allowed_in_expectation, allowed_with_confidence, threshold


@pytest.mark.parametrize(
    ("pictures", "drop", "level"),
    [(250, 0.02, 0.9), (250, 0.01, 0.9), (500, 0.01, 0.9), (3000, 0.01, 0.9), (100_000, 0.01, 0.99), (40, 0.5, 0.5)],
)
def test_as_many_may_be_lost_as_the_exact_binomial_test_allows(pictures: int, drop: float, level: float) -> None:
    allowed = allowed_with_confidence(pictures, drop, level)
    assert binom.cdf(allowed, pictures, drop) <= 1 - level < binom.cdf(allowed + 1, pictures, drop)


@pytest.mark.parametrize(("drop", "level"), [(0.01, 0.9), (0.02, 0.95), (0.2, 0.9), (0.001, 0.99)])
def test_too_few_pictures_are_told_how_many_are_needed(drop: float, level: float) -> None:
    needed = next(n for n in range(1, 10_000) if (1 - drop) ** n <= 1 - level)
    assert allowed_with_confidence(needed, drop, level) == 0
    with pytest.raises(InputError, match=f"found {needed - 1} pictures, expected at least {needed} "):
        allowed_with_confidence(needed - 1, drop, level)


@pytest.mark.parametrize("drop", [0.01, 0.02, 0.05, 0.3])
def test_in_expectation_one_more_lost_picture_is_counted_than_there_is(drop: float) -> None:
    for pictures in range(math.ceil(1 / drop) - 1, 500):
        allowed = allowed_in_expectation(pictures, drop)
        assert (allowed + 1) / (pictures + 1) <= drop + 1e-9 < (allowed + 2) / (pictures + 1) + 2e-9
    with pytest.raises(InputError, match=f"expected at least {math.ceil(1 / drop) - 1} "):
        allowed_in_expectation(math.ceil(1 / drop) - 2, drop)


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_is_the_lowest_that_loses_no_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidences = rng.integers(0, 12, 40) / 12  # many are equal
    lost = rng.random(40) < 0.3
    for allowed in (0, 1, 3, 40):
        places = [t for t in confidences if lost[confidences >= t].sum() <= allowed]
        lowest = min(places, default=math.inf)
        accepted = confidences >= lowest
        expected = (lowest, accepted.mean(), (lost & accepted).mean())
        assert threshold(confidences, lost, allowed) == pytest.approx(expected)


def test_where_the_surest_picture_is_lost_nothing_is_accepted() -> None:
    assert threshold(np.array([0.9, 0.8]), np.array([True, False]), 0) == (math.inf, 0.0, 0.0)


def test_the_promise_is_kept_as_often_as_it_says_and_not_much_oftener() -> None:
    """A population whose loss at each threshold is known: the surer the answer, the rarer it is lost."""
    rng = np.random.default_rng(5)
    draws, pictures, drop, level = 2000, 400, 0.03, 0.9
    allowed = allowed_with_confidence(pictures, drop, level)
    confidence = rng.random((draws, pictures))
    lost = rng.random((draws, pictures)) < 0.2 * (1 - confidence) ** 2
    places = [threshold(c, gone, allowed).confidence for c, gone in zip(confidence, lost, strict=True)]
    # The integral of .2 (1 - c)^2 from the threshold to 1.
    broken = np.mean([0.2 * (1 - place) ** 3 / 3 > drop for place in places])
    assert 0.04 < broken < 0.1 + 3 * math.sqrt(0.09 / draws)
