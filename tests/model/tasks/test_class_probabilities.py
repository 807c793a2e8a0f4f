"""Scores of classes as logarithms of probabilities, beside scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from edgent.model.tasks.class_probabilities import confidence, log_probabilities, pooled


def test_logits_become_what_a_softmax_makes_of_them() -> None:
    logits = np.random.default_rng(0).normal(scale=300, size=(20, 9)).astype(np.float32)
    assert log_probabilities(logits) == pytest.approx(log_softmax(logits.astype(np.float64), axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_shares_stay_what_they_are(dtype: type) -> None:
    shares = np.random.default_rng(1).dirichlet(np.full(10, 0.2), size=30).astype(dtype)
    assert np.exp(log_probabilities(shares)) == pytest.approx(shares, abs=2e-3 if dtype is np.float16 else 1e-6)


def test_a_share_of_zero_is_no_infinity() -> None:
    assert np.isfinite(log_probabilities(np.array([1.0, 0.0, 0.0]))).all()


def test_an_answer_that_is_no_number_is_never_sure() -> None:
    assert confidence(log_probabilities(np.array([[1.0, np.nan], [3.0, 0.0]]))) == pytest.approx(
        [0, 1 / (1 + np.exp(-3))]
    )


def test_pooling_multiplies_probabilities() -> None:
    one, two = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.3, 0.4])
    product = one**0.5 * two**2
    assert np.exp(pooled([np.log(one), np.log(two)], (0.5, 2))) == pytest.approx(product / product.sum())


def test_an_opinion_of_no_weight_is_not_heard() -> None:
    one, two = np.log([[0.7, 0.3]]), np.log([[0.1, 0.9]])
    assert pooled([one, two], (1, 0)) == pytest.approx(one)
