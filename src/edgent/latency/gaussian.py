"""Gaussian processes: what a function is between the places where it was seen, and how sure that is.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5; Matern covariance with
nu = 5/2, one length scale for each input, found by maximum marginal likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_JITTER = 1e-8
_STEPS = 60
_RATE = 0.1
_PRIOR_LENGTH, _PRIOR_NOISE = 1.0, -3.0  # logarithms; inputs are standardised
_ROOT5 = 5.0**0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Logarithms of what shapes the process: length scales (d,), amplitude and noise."""

    lengths: Array
    amplitude: float
    noise: float


class GaussianProcess:
    """A process of mean zero, conditioned on what was seen.

    Args:
        points: shape (m, d), standardised.
        values: shape (m,).
        coarse: factors on the variance of the noise of each value, shape (m,).
        scales: from `learned`.
    """

    def __init__(self, points: Array, values: Array, coarse: Array, scales: Scales) -> None:
        self.points, self.values, self.coarse, self.scales = points, values, coarse, scales
        covariance = self._covariance(points, points)
        covariance[np.diag_indices(len(points))] += np.exp(2 * scales.noise) * coarse + _JITTER
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))  # once: every prediction needs it
        self._weights = self.weigh(values)

    def weigh(self, values: Array) -> Array:
        """The inverse of the covariance (with noise) times columns of values, shape (m,) or (m, k)."""
        weighed: Array = self._whiten.T @ (self._whiten @ values)
        return weighed

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means and covariance (without noise) at shape (k, d)."""
        cross = self._covariance(points, self.points)
        half = self._whiten @ cross.T
        return cross @ self._weights, self._covariance(points, points) - half.T @ half

    def _covariance(self, left: Array, right: Array) -> Array:
        distance = _distance(left, right, self.scales.lengths)
        covariance: Array = np.exp(2 * self.scales.amplitude) * _matern(distance)
        return covariance


def learned(points: Array, values: Array, coarse: Array) -> Scales:
    """The scales of highest posterior density, by Adam on the exact gradient; arguments as of the process."""
    d = points.shape[1]
    spread = np.log(max(float(values.std()), 1e-2))
    start = np.concatenate([np.full(d, _PRIOR_LENGTH), [spread, min(_PRIOR_NOISE, spread)]])
    theta, first, second = start.copy(), np.zeros(d + 2), np.zeros(d + 2)
    squares = (points[:, None, :] - points[None, :, :]) ** 2
    for step in range(1, _STEPS + 1):
        slope = _slope(theta, squares, values, coarse) - (theta - start) / np.array([1.0] * d + [1.0, 1.0]) ** 2
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * slope**2
        theta += _RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
        theta[:d] = np.clip(theta[:d], -1.5, 4.0)
        theta[d + 1] = np.clip(theta[d + 1], np.log(5e-3), 0.0)
    return Scales(lengths=theta[:d], amplitude=float(theta[d]), noise=float(theta[d + 1]))


def _slope(theta: Array, squares: Array, values: Array, coarse: Array) -> Array:
    """Gradient of the log marginal likelihood (Rasmussen and Williams, equation 5.9)."""
    d = squares.shape[2]
    inverse = np.exp(-2 * theta[:d])
    distance = np.sqrt(squares @ inverse + 1e-12)
    power, noise = np.exp(2 * theta[d]), np.exp(2 * theta[d + 1])
    covariance = power * _matern(distance)
    full = covariance + np.diag(noise * coarse + _JITTER)
    precision = np.linalg.inv(full)
    weights = precision @ values
    outer = np.outer(weights, weights) - precision
    shared = outer * power * (5 / 3) * (1 + _ROOT5 * distance) * np.exp(-_ROOT5 * distance)
    lengths = 0.5 * inverse * np.einsum("ij,ijk->k", shared, squares)
    return np.concatenate([lengths, [np.sum(outer * covariance), noise * (coarse @ np.diag(outer))]])


def _matern(distance: Array) -> Array:
    scaled = _ROOT5 * distance
    correlation: Array = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return correlation


def _distance(left: Array, right: Array, lengths: Array) -> Array:
    a, b = left / np.exp(lengths), right / np.exp(lengths)
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    distance: Array = np.sqrt(np.maximum(squares, 0.0) + 1e-12)
    return distance
