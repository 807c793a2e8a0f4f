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

_NODES = 32  # of each run
_ANGLES = 1001
# Borders of the quantiles of a mixture: close together where deadlines are missed, since .99 must be told from .95.
_BORDERS = np.array([0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, *np.linspace(0.1, 0.94, 15), 0.97, 1])
QUANTILES = _BORDERS.size - 1
"""Values in a `Predictive` that was made of a mixture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Predictive:
    """A discrete distribution of the bandwidth.

    Attributes:
        bandwidths: Bits per second, rising, shape (m,).
        weights: Their probabilities, shape (m,); the sum is 1.
    """

    bandwidths: Floats
    weights: Floats

    def __post_init__(self) -> None:
        rising = bool(np.all(np.diff(self.bandwidths) >= 0)) and bool(np.all(self.bandwidths > 0))
        if self.bandwidths.shape != self.weights.shape or not self.bandwidths.size or not rising:
            raise InputError("expected as many weights as bandwidths, one at least, these positive and rising")
        if not (np.all(self.weights >= 0) and math.isclose(float(self.weights.sum()), 1, rel_tol=1e-9)):
            raise InputError(f"weights: found a sum of {self.weights.sum()!r}, expected 1 and none below 0")

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
        """
        if variation == 0:
            return cls.certain(mean)
        square = math.log1p(variation**2)
        normal = NormalDist(math.log(mean) - square / 2, math.sqrt(square))
        middles = (_BORDERS[1:] + _BORDERS[:-1]) / 2
        return cls(bandwidths=np.exp([normal.inv_cdf(each) for each in middles]), weights=np.diff(_BORDERS))

    @classmethod
    def of_mixture(cls, nodes: Floats, weights: Floats) -> Predictive:
        """The quantiles of a mixture.

        Args:
            nodes: Equally likely logarithms of the bandwidth in each component, shape (components, nodes).
            weights: Of the components, shape (components,); any sum.
        """
        order = np.argsort(nodes, axis=None)
        share = np.repeat(weights / (weights.sum() * nodes.shape[1]), nodes.shape[1])[order]
        middle = np.cumsum(share) - share / 2
        wanted = (_BORDERS[1:] + _BORDERS[:-1]) / 2
        quantiles = np.interp(wanted, middle, nodes.ravel()[order])
        return cls(bandwidths=np.exp(quantiles), weights=np.diff(_BORDERS))

    @property
    def median(self) -> float:
        """Bits per second."""
        return self.quantile(0.5)

    def quantile(self, probability: float) -> float:
        """The bandwidth that is not exceeded with this probability, bits per second."""
        middle = np.cumsum(self.weights) - self.weights / 2
        return float(np.interp(probability, middle, self.bandwidths))

    def chance_above(self, bandwidth: float) -> float:
        """The probability of more than this, 0..1."""
        return float(self.weights[self.bandwidths > bandwidth].sum())

    def __repr__(self) -> str:
        low, high = format_bandwidth(self.quantile(0.1)), format_bandwidth(self.quantile(0.9))
        return f"<Predictive {format_bandwidth(self.median)}, 80 % within {low} .. {high}>"


def student_t_nodes(degrees: Floats) -> Floats:
    """Equally likely values of Student's t for each of some degrees of freedom, shape (degrees, 32).

    With x = sqrt(nu) tan(a) the density of the angle a is proportional to cos(a)^(nu - 1), which is easily integrated:
    no special functions. The values are the quantiles of (k + 1/2) / 32.
    """
    root = np.sqrt(degrees)[:, None]
    angles = np.arctan(30 / root) * np.linspace(-1, 1, _ANGLES)  # beyond 30 deviations nothing shows
    density = np.cos(angles) ** (root**2 - 1)
    below = (np.cumsum(density, axis=1) - density / 2) / density.sum(axis=1, keepdims=True)
    wanted = (np.arange(_NODES) + 0.5) / _NODES
    found: Floats = np.array([np.interp(wanted, *row) for row in zip(below, angles, strict=True)])
    return root * np.tan(found)
