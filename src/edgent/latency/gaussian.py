"""Gaussian processes: the value of a function between the points where it was observed, with its uncertainty.

Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapters 2 and 5; Matern covariance with
nu = 5/2, one length scale for each input, found by maximum marginal likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NINETY = 1.645  # standard deviations to either side that hold 90 % of a normal distribution

# Added to the diagonal: without it two kernels of one shape make the covariance singular and Cholesky's method fails.
_JITTER = 1e-8
# Adam moves by about the rate a step: 60 steps of 0.1 cross the whole range that the scales are clipped to below.
_STEPS = 60
_RATE = 0.1
# A length scale of e means "nearly linear over the sizes that were seen": an input has to earn a shorter one.
_PRIOR_LENGTH, _PRIOR_NOISE = 1.0, -3.0  # logarithms; inputs are standardised
_PRIOR_SCATTER, _PRIOR_VALUES = 0.5, 8.0
_FEWEST = 8  # values that scales are learned from
_ROOT5 = 5.0**0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """The hyperparameters of a process, as logarithms: length scales, shape (d,), amplitude and noise."""

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
        # K + noise: each value has its own factor on the noise, for short kernels are blurred by the timer (`family`).
        covariance[np.diag_indices(len(points))] += np.exp(2 * scales.noise) * coarse + _JITTER
        # With K = L L^T this is L^-1 (algorithm 2.1 of the book, which solves instead). It is multiplied once for every
        # prediction, and numpy has no triangular solver.
        self._whiten = np.linalg.inv(np.linalg.cholesky(covariance))  # once: every prediction needs it
        self._weights = self.weigh(values)

    def widened(self, factor: float) -> GaussianProcess:
        """The same means, with deviations so many times as wide."""
        # Means depend on the ratio of amplitude and noise alone, the covariance on the square of both.
        more = float(np.log(factor))
        scales = replace(self.scales, amplitude=self.scales.amplitude + more, noise=self.scales.noise + more)
        return GaussianProcess(self.points, self.values, self.coarse, scales)

    def weigh(self, values: Array) -> Array:
        """The inverse of the covariance (with noise) times columns of values, shape (m,) or (m, k)."""
        weighed: Array = self._whiten.T @ (self._whiten @ values)
        return weighed

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Means and covariance (without noise) at shape (k, d)."""
        # Equations 2.25 and 2.26: mean k* K^-1 y, covariance k** - k* K^-1 k*^T, the latter as a product of halves so
        # that it stays symmetric and positive.
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
    # A few values that agree do not show that all others would: families scatter by so much, and so many values' worth
    # of that is believed.
    spread = 0.5 * np.log((values @ values + _PRIOR_VALUES * _PRIOR_SCATTER**2) / (len(values) + _PRIOR_VALUES))
    # The prior is normal, of deviation 1 in each logarithm, around where the search starts: with 20 samples and 19
    # inputs the likelihood alone is flat, and would let a length scale run away.
    start = np.concatenate([np.full(d, _PRIOR_LENGTH), [spread, min(_PRIOR_NOISE, spread)]])
    theta, first, second = start.copy(), np.zeros(d + 2), np.zeros(d + 2)
    squares = (points[:, None, :] - points[None, :, :]) ** 2
    # Adam (Kingma and Ba, 2015) needs no step size found by a line search, and its moments forget the scale of each
    # slope.
    # A handful tells nothing of the scales that the prior does not.
    for step in range(1, _STEPS + 1 if len(values) >= _FEWEST else 1):
        slope = _slope(theta, squares, values, coarse) - (theta - start) / np.array([1.0] * d + [1.0, 1.0]) ** 2
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * slope**2
        theta += _RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-9)
        # Beyond these bounds an input is fitted from point to point (short), or has no effect left (long).
        theta[:d] = np.clip(theta[:d], -1.5, 4.0)
        # A noise below half a per cent is no property of a machine: the process would pass through every single timing.
        theta[d + 1] = np.clip(theta[d + 1], np.log(5e-3), 0.0)
    return Scales(lengths=theta[:d], amplitude=float(theta[d]), noise=float(theta[d + 1]))


def _slope(theta: Array, squares: Array, values: Array, coarse: Array) -> Array:
    """Gradient of the log marginal likelihood (Rasmussen and Williams, equation 5.9)."""
    d = squares.shape[2]
    inverse = np.exp(-2 * theta[:d])
    distance = np.sqrt(squares @ inverse + 1e-12)
    # theta holds logarithms of standard deviations, hence the factor 2.
    power, noise = np.exp(2 * theta[d]), np.exp(2 * theta[d + 1])
    covariance = power * _matern(distance)
    full = covariance + np.diag(noise * coarse + _JITTER)
    precision = np.linalg.inv(full)
    weights = precision @ values
    # 0.5 tr((a a^T - K^-1) dK/dtheta) with a = K^-1 y. The factor 2 of the logarithms cancels the half for amplitude
    # and noise.
    outer = np.outer(weights, weights) - precision
    # dK/dlength for nu = 5/2: the derivative of the Matern function has the factor 5/3 (1 + sqrt(5) r) exp(-sqrt(5) r),
    # and does not divide by r, so that it is defined where two points coincide.
    shared = outer * power * (5 / 3) * (1 + _ROOT5 * distance) * np.exp(-_ROOT5 * distance)
    lengths = 0.5 * inverse * np.einsum("ij,ijk->k", shared, squares)
    return np.concatenate([lengths, [np.sum(outer * covariance), noise * (coarse @ np.diag(outer))]])


def _matern(distance: Array) -> Array:
    # Equation 4.17. Twice differentiable: smooth over sizes, but less stiff than a squared exponential, which rings
    # around the steps that vectorised kernels make in their times.
    scaled = _ROOT5 * distance
    correlation: Array = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    return correlation


def _distance(left: Array, right: Array, lengths: Array) -> Array:
    a, b = left / np.exp(lengths), right / np.exp(lengths)
    # (a - b)^2 = a^2 + b^2 - 2 ab needs one matrix product, where differences would take (m, n, d) numbers. Rounding
    # may make the result slightly negative.
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2 * a @ b.T
    distance: Array = np.sqrt(np.maximum(squares, 0.0) + 1e-12)
    return distance
