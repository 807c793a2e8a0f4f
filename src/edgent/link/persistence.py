"""How long a link stays as it was last seen.

A link that was looked at a moment ago is still much as it was; later it is anything that the run allows. So what comes
next is a mixture: with the chance exp(-rate * age) it *persists*, and differs from the last sample by no more than two
looks at the same link do; else it was *drawn anew*. Rate and spread of the first part are learned by expectation
maximisation, a sample at a time: what share r of a sample is owed to persistence tell the densities of both parts.
Whoever was drawn anew within an age was so rate * age / (1 - exp(-rate * age)) times on average.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgent.link.predictive import student_t_nodes

Floats = NDArray[np.float64]

_DEGREES = 4.0  # of freedom: most looks agree closely, some do not
_SPREAD, _SPREAD_COUNT = 0.1, 6.0  # between two looks, in the logarithm, and how many samples that counts for
_LEAST = 0.005  # a spread below tells nothing more
_HOLDS, _HOLDS_COUNT = 2.0, 3.0  # seconds for which a link holds, and how many draws that counts for
_FADING = 0.995  # of all counts, with each sample: two hundred samples are remembered
_CONSTANT = math.gamma((_DEGREES + 1) / 2) / math.gamma(_DEGREES / 2) / math.sqrt(_DEGREES * math.pi)
_NODES: Floats = student_t_nodes(np.array([_DEGREES]))[0]


class Persistence:
    """Follows one direction of a link; holds no clock."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._squares, self._count = _SPREAD**2 * _SPREAD_COUNT, _SPREAD_COUNT
        self._draws, self._time = _HOLDS_COUNT, _HOLDS_COUNT * _HOLDS

    @property
    def rate(self) -> float:
        """Draws a second."""
        return self._draws / self._time

    @property
    def spread(self) -> float:
        """Between two looks at a link that persists, in the logarithm."""
        return max(_LEAST, math.sqrt(self._squares / self._count))

    def chance(self, age: float) -> float:
        """The probability that it is still what was seen this long ago; 0 before anything was seen."""
        # Draws come as a Poisson process: that none came within an age has this probability.
        return math.exp(-self.rate * max(0.0, age)) if self._last is not None else 0.0

    def nodes(self) -> Floats:
        """Values of the bandwidth's logarithm if it persists, as `ChangePointDetector.nodes`."""
        assert self._last is not None
        nodes: Floats = self._last + self.spread * _NODES
        return nodes

    def observe(self, sample: float, age: float, anew: float) -> float:
        """Takes in a sample, and learns.

        Args:
            sample: Logarithm of the bandwidth.
            age: Seconds since the last one.
            anew: Density of the sample, had it been drawn anew.

        Returns:
            The share that is owed to persistence.
        """
        last, self._last = self._last, sample
        if last is None:
            return 0.0
        # Expectation. Two explanations compete for the sample: it persists, with the density of Student's t around the
        # last one, or it was drawn anew, with the density that the caller's model has there. Bayes' rule gives the
        # share that each is owed.
        chance, spread = self.chance(age), self.spread
        deviation = (sample - last) / spread
        weight = 1 / (1 + deviation * deviation / _DEGREES)
        held = chance * _CONSTANT / spread * weight ** ((_DEGREES + 1) / 2)
        share = held / (held + (1 - chance) * anew) if held else 0.0
        self._learn(share, age, weight * (_DEGREES + 1) / _DEGREES * (sample - last) ** 2)
        return share

    def _learn(self, share: float, age: float, square: float) -> None:
        # Maximisation, a sample at a time: rate = draws / time and spread^2 = squares / count, of faded sums.
        # Who was drawn anew within an age may have been so more than once: expected / P(at least one) times on average.
        expected = self.rate * age
        draws = expected / -math.expm1(-expected) if expected else 1.0
        self._draws = _FADING * self._draws + (1 - share) * draws
        self._time = _FADING * self._time + age
        # The squares come weighed as in the t distribution's own expectation maximisation: far deviations count less.
        self._squares = _FADING * self._squares + share * square
        self._count = _FADING * self._count + share

    def __repr__(self) -> str:
        return f"<Persistence of {1 / self.rate:.2f} s within {self.spread:.0%}>"
