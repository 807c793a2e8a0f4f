"""The learning of a Gaussian process, against a density written out and differentiated by small steps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import multivariate_normal

from edgent.latency import gaussian
from edgent.latency.gaussian import Array, GaussianProcess, Scales, learned


def log_density(theta: Array, points: Array, values: Array, coarse: Array) -> float:
    """Of the values, with a Matern covariance of nu = 5/2 and noise."""
    *lengths, amplitude, noise = np.exp(theta)
    distance = np.sqrt((((points[:, None] - points[None]) / np.array(lengths)) ** 2).sum(axis=2))
    root = 5**0.5 * distance
    covariance = amplitude**2 * (1 + root + root**2 / 3) * np.exp(-root) + noise**2 * np.diag(coarse)
    return float(multivariate_normal(np.zeros(len(values)), covariance).logpdf(values))


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_is_that_of_the_log_density(seed: int) -> None:
    random = np.random.default_rng(seed)
    points, values, coarse = random.standard_normal((15, 3)), random.standard_normal(15), random.uniform(1, 9, 15)
    theta = np.append(random.uniform(-0.5, 1.0, 4), -0.7)
    squares = (points[:, None, :] - points[None, :, :]) ** 2
    steps = 1e-5 * np.eye(5)
    expected = [
        (log_density(theta + step, points, values, coarse) - log_density(theta - step, points, values, coarse)) / 2e-5
        for step in steps
    ]
    assert gaussian._slope(theta, squares, values, coarse) == pytest.approx(np.array(expected), rel=1e-4, abs=1e-4)


def test_learning_makes_the_values_likelier() -> None:
    random = np.random.default_rng(1)
    points = random.standard_normal((60, 2))
    values = np.sin(2 * points[:, 0]) + 0.05 * random.standard_normal(60)
    even = np.ones(60)
    found = learned(points, values, even)
    after = log_density(np.array([*found.lengths, found.amplitude, found.noise]), points, values, even)
    before = log_density(np.array([1.0, 1.0, np.log(values.std()), -3.0]), points, values, even)
    assert after > before


def test_predictions_are_those_of_a_cholesky_solution_and_fade_to_the_prior() -> None:
    random = np.random.default_rng(2)
    points, values, coarse = random.standard_normal((20, 2)), random.standard_normal(20), random.uniform(1, 9, 20)
    scales = Scales(lengths=np.zeros(2), amplitude=0.3, noise=-1.0)
    process = GaussianProcess(points, values, coarse, scales)
    assert process.weigh(values) == pytest.approx(cho_solve(cho_factor(_covariance(points, coarse)), values), rel=1e-5)
    mean, covariance = process.predict(np.full((1, 2), 50.0))
    assert mean[0] == pytest.approx(0.0, abs=1e-9)
    assert covariance[0, 0] == pytest.approx(np.exp(0.6))


def _covariance(points: Array, coarse: Array) -> Array:
    root = 5**0.5 * np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    covariance: Array = np.exp(0.6) * (1 + root + root**2 / 3) * np.exp(-root) + np.exp(-2.0) * np.diag(coarse)
    return covariance


def test_a_value_that_was_timed_coarsely_counts_for_less() -> None:
    points, values = np.zeros((2, 1)), np.array([0.0, 1.0])
    scales = Scales(lengths=np.zeros(1), amplitude=0.0, noise=-1.0)
    even, coarse = (
        GaussianProcess(points, values, factors, scales).predict(points[:1])[0][0]
        for factors in (np.ones(2), np.array([1.0, 100.0]))
    )
    assert even > 0.4
    assert coarse < 0.1


def test_a_widened_process_says_the_same_and_is_so_much_less_certain() -> None:
    random = np.random.default_rng(3)
    points, values = random.standard_normal((12, 2)), random.standard_normal(12)
    process = GaussianProcess(points, values, np.ones(12), Scales(lengths=np.zeros(2), amplitude=0.1, noise=-1.0))
    asked = random.standard_normal((5, 2))
    (mean, covariance), (same, wider) = process.predict(asked), process.widened(3.0).predict(asked)
    assert same == pytest.approx(mean, abs=1e-6)
    assert wider == pytest.approx(9 * covariance, rel=1e-6)
