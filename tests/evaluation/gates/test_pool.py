"""Weights of combined answers beside a general minimiser; and what cross-fitting must not see."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from edgent.evaluation.gates.pool import cross_fitted, fitted_weights


def _opinions(seed: int, strengths: tuple[float, ...], n: int = 300) -> tuple[list[NDArray[np.float64]], NDArray]:
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, 7, n)
    bump = np.eye(7)[truths]
    return [log_softmax(rng.normal(size=(n, 7)) + strength * bump, axis=1) for strength in strengths], truths


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_a_general_minimiser(seed: int) -> None:
    members, truths = _opinions(seed, (0.7, 2.0, 1.2))

    def loss(weights: NDArray[np.float64]) -> float:
        logs = log_softmax(sum(w * member for w, member in zip(weights, members, strict=True)), axis=1)
        return float(-logs[np.arange(len(truths)), truths].mean())

    best = minimize(loss, np.ones(3), bounds=[(0, None)] * 3, tol=1e-14)
    assert fitted_weights(members, truths) == pytest.approx(best.x, abs=1e-3)


def test_a_network_that_is_always_wrong_has_no_weight() -> None:
    members, truths = _opinions(1, (2.0, -3.0))
    weights = fitted_weights(members, truths)
    assert weights[1] == 0.0
    assert weights[0] > 0.5


def test_one_that_is_too_sure_counts_for_less() -> None:
    members, truths = _opinions(2, (1.5,))
    (weight,) = fitted_weights(members, truths)
    (cooled,) = fitted_weights([log_softmax(4 * members[0], axis=1)], truths)
    assert cooled == pytest.approx(weight / 4, rel=1e-3)


def test_a_picture_is_answered_by_weights_that_have_not_seen_it() -> None:
    members, truths = _opinions(3, (0.8, 1.5))
    before = cross_fitted(members, truths).log_probabilities[0]
    lied = truths.copy()
    lied[0] = (truths[0] + 1) % 7
    after = cross_fitted(members, lied)
    # Its own label moves the answers to others, through the weights that are fitted on it, and not its own.
    assert after.log_probabilities[0] == pytest.approx(before, abs=1e-12)
    assert after.weights != cross_fitted(members, truths).weights


def test_two_independent_opinions_are_better_than_the_better_one() -> None:
    members, truths = _opinions(4, (1.5, 1.7), n=2000)
    together = cross_fitted(members, truths).log_probabilities
    right = [(answers.argmax(axis=1) == truths).mean() for answers in (*members, together)]
    assert right[2] > max(right[:2]) + 0.02
