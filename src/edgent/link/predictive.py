"""What the link will do: the distribution of the next bandwidth, and of the time that bytes will take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.units import format_bandwidth

Floats = NDArray[np.float64]

NOTHING = 1.0
"""Bits per second that an outage counts as."""

_ANGLES = 1001  # of the grid on which Student's t is integrated, odd so that its middle is one of them
# Borders of the quantiles of a mixture: close together where deadlines are missed, since .99 must be told from .95.
_BORDERS = np.array([0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, *np.linspace(0.1, 0.94, 15), 0.97, 1])
_LEVELS = (_BORDERS[1:] + _BORDERS[:-1]) / 2
SHARES = np.diff(_BORDERS)
"""Weights of the values in a `Predictive` that was made of a mixture, and of the nodes of each of its components."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Predictive:
    """A discrete distribution of the bandwidth.

    Attributes:
        bandwidths: Bits per second, rising, shape (m,).
        weights: Their probabilities, shape (m,); the sum is 1.
        ahead: Bits that a message waits for before its own, whatever its size.
    """

    bandwidths: Floats
    weights: Floats
    ahead: float = 0.0

    def __post_init__(self) -> None:
        # Checked at every decision, so with few passes over the arrays; NaN fails each comparison.
        bandwidths, weights = self.bandwidths, self.weights
        fitting = bandwidths.shape == weights.shape and bandwidths.size and bandwidths[0] > 0
        if not (fitting and np.logical_and.reduce(bandwidths[1:] >= bandwidths[:-1])):
            raise InputError("expected as many weights as bandwidths, one at least, these positive and rising")
        total = float(np.add.reduce(weights))
        if not (np.minimum.reduce(weights) >= 0 and math.isclose(total, 1, rel_tol=1e-9)):
            raise InputError(f"weights: found a sum of {total!r}, expected 1 and none below 0")

    @classmethod
    def certain(cls, bandwidth: float) -> Predictive:
        """The distribution of who is sure."""
        return cls(bandwidths=np.array([bandwidth], dtype=np.float64), weights=np.ones(1))

    @classmethod
    def log_normal(cls, mean: float, variation: float) -> Predictive:
        """The quantiles of a log-normal distribution.

        Args:
            mean: Bits per second.
            variation: Its coefficient of variation; 0: certain.

        Raises:
            InputError: a mean that is not positive and finite.
        """
        if not 0 < mean < math.inf:
            raise InputError(f"bandwidth {mean!r}: expected a positive, finite number of bits per second")
        if variation == 0:
            return cls.certain(mean)
        # Of a log-normal with mean m and coefficient of variation c the logarithm has variance s^2 = log(1 + c^2) and
        # mean log m - s^2 / 2.
        square = math.log1p(variation**2)
        normal = NormalDist(math.log(mean) - square / 2, math.sqrt(square))
        return cls(bandwidths=np.exp([normal.inv_cdf(level) for level in _LEVELS]), weights=SHARES)

    @classmethod
    def of_mixture(cls, nodes: Floats, weights: Floats) -> Predictive:
        """The quantiles of a mixture.

        Args:
            nodes: Logarithms of the bandwidth in each component, of the weights `SHARES`, shape (components, nodes).
            weights: Of the components, shape (components,); any sum.
        """
        # All nodes of all components in one row, each with the component's weight times its own share.
        return cls(bandwidths=np.exp(quantiles(nodes.ravel(), (weights[:, None] * SHARES).ravel())), weights=SHARES)

    @property
    def median(self) -> float:
        """Bits per second."""
        return self.quantile(0.5)

    def quantile(self, probability: float) -> float:
        """The bandwidth that is not exceeded with this probability, bits per second."""
        # Each value stands for the middle of its share of the probability; between two of them lies a line.
        middle = np.cumsum(self.weights) - self.weights / 2
        return float(np.interp(probability, middle, self.bandwidths))

    def chance_above(self, bandwidth: float) -> float:
        """The probability of more than this, 0..1."""
        return float(self.weights[self.bandwidths > bandwidth].sum())

    def __repr__(self) -> str:
        low, high = format_bandwidth(self.quantile(0.1)), format_bandwidth(self.quantile(0.9))
        return f"<Predictive {format_bandwidth(self.median)}, 80 % within {low} .. {high}>"


def chances_above(wanted: Floats, bandwidths: Floats, weights: Floats) -> Floats:
    """The probability of at least each of some bandwidths; between two values it falls with 1 / bandwidth.

    Args:
        wanted: Bits per second, shape (m,).
        bandwidths: Those of a distribution, rising, shape (k,).
        weights: Their probabilities, shape (k,).
    """
    # Interpolated in 1 / bandwidth, for a transfer's time is linear in that: so a chance read off here is the one that
    # interpolating between the times themselves would give.
    middle = weights.cumsum() - weights / 2
    slowness = -1 / np.maximum(wanted, 1e-300)
    chances: Floats = 1 - np.interp(slowness, -1 / bandwidths, middle, left=0.0, right=1.0)
    return chances


def quantiles(values: Floats, weights: Floats) -> Floats:
    """The quantiles of weighted values, of the weights `SHARES`.

    Args:
        values: In any order, shape (m,).
        weights: Of any sum, shape (m,).
    """
    # Sorted, the sums of the weights are the distribution function, and the levels are read off it. No density has to
    # be evaluated. The nodes of each component rise, and sorting by merging such runs takes half as long as any other.
    order = values.argsort(kind="stable")
    share = weights[order]
    ends = share.cumsum()
    levels: Floats = np.interp(_LEVELS * ends[-1], ends - share / 2, values[order])
    return levels


def student_t_nodes(degrees: Floats) -> Floats:
    """Values of Student's t, of the weights `SHARES`, for each of some degrees of freedom, shape (degrees, nodes).

    With x = sqrt(nu) tan(a) the density of the angle a is proportional to cos(a)^(nu - 1), which is easily integrated:
    no special functions. Each value is the quantile in the middle of its share.
    """
    # The angle is bounded, so a grid of it covers both tails; the trapezoids' middles give the distribution function,
    # and reading that off backwards the quantiles.
    root = np.sqrt(degrees)[:, None]
    angles = np.arctan(30 / root) * np.linspace(-1, 1, _ANGLES)  # beyond 30 deviations nothing shows
    density = np.cos(angles) ** (root**2 - 1)
    below = (np.cumsum(density, axis=1) - density / 2) / density.sum(axis=1, keepdims=True)
    quantiles: Floats = np.array([np.interp(_LEVELS, *row) for row in zip(below, angles, strict=True)])
    return root * np.tan(quantiles)
