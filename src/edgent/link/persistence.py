"""How long a link stays as it was last seen, and how exactly a sample tells what that is.

A link that was looked at a moment ago is still much as it was; later it is anything. So its bandwidth (the logarithm)
is taken for a level that is *held*, until it is *drawn anew*. Three numbers say how a link does that, and no two links
have the same: the rate of draws; the noise, by which two looks at the same level differ; and the drift of a level while
it is held. So there is a bank of hypotheses, every combination of some round values of the three. For each the level is
followed by the local level model (a Kalman filter; Durbin & Koopman, "Time Series Analysis by State Space Methods",
2nd ed. 2012, section 2.2), and Bayes' rule weighs the hypotheses by how well they foretold the samples::

    held     x ~ t(m, P + s^2)   with the chance p exp(-rate age); P has grown by q age
    anew     x ~ the caller's    with the rest; the level is x then, and all that was known before is gone

What held for a link may end, so with each sample a share of the weights is spread over all hypotheses again ("fixed
share"; Herbster & Warmuth, "Tracking the best expert", Machine Learning 32, 1998). That is why a link that was steady
for hours is believed to move once it has moved twice: no hypothesis is ever out of the question.

A bound is an observation, too: that the link was slower than so (a probe was given up) weighs the hypotheses by the
probability of that, and lowers the chance p that the level is still held where it contradicts it. It is no sample: it
renews neither the level nor the time it was last seen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgent.link.predictive import student_t_nodes

Floats = NDArray[np.float64]

# Powers of a round number, from what shows in hours to what shows from look to look. Finer ones would tell no more.
_RATES = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1.0, 4.0)  # draws a second
_NOISES = (0.003, 0.01, 0.03, 0.1, 0.2, 0.4)  # deviations of the logarithm
_DRIFTS = (0.0, 0.03, 0.1, 0.3)  # deviations of the logarithm after a second
# Of the weights, with each sample, among hypotheses of the same noise and among all: for some hundred samples it is
# remembered how a link moves, and for a thousand how exactly it is seen. Were these alike, one step of a link that is
# usually seen exactly would be taken for noise.
_SHARED, _SHARED_BY_ALL = 0.01, 0.001
_DEGREES = 4.0  # of freedom: most looks agree closely, some do not
_CONSTANT = math.gamma((_DEGREES + 1) / 2) / math.gamma(_DEGREES / 2) / math.sqrt(_DEGREES * math.pi)
_NODES: Floats = student_t_nodes(np.array([_DEGREES]))[0]
_NEGLIGIBLE = 0.01  # hypotheses less likely than this do not show in a forecast
_LEAST = 1e-300  # a likelihood, so that nothing is divided by 0


class Persistence:
    """Follows one direction of a link; holds no clock, and takes times in rising order.

    Attributes:
        evidence: How likely the last observation was before it was seen.
    """

    def __init__(self) -> None:
        grid = np.meshgrid(_NOISES, _RATES, _DRIFTS, indexing="ij")
        noises, self._rates, drifts = (axis.ravel() for axis in grid)
        self._noise, self._drift = noises**2, drifts**2
        self._weights = np.full(self._rates.size, 1 / self._rates.size)
        self._means = np.zeros(self._rates.size)
        self._variances = self._noise.copy()  # of the levels
        # The chance that the level is still what it was: at the last event, and at the last sample, bounds left out.
        self._held, self._sampled = np.zeros(self._rates.size), 0.0
        self._at = self._sampled_at = 0.0
        self.evidence = 1.0

    @property
    def rate(self) -> float:
        """Draws a second, on average."""
        return float(self._weights @ self._rates)

    @property
    def spread(self) -> float:
        """Between a level that is held and a look at it, in the logarithm, on average."""
        return math.sqrt(float(self._weights @ self._noise))

    def chance(self, now: float, unbounded: float = 0.0) -> float:
        """The probability that the level is still what it was when last seen; 0 before anything was seen.

        Args:
            now: Seconds.
            unbounded: The probability that what bounds said was not said of the level: nothing got through at all.
        """
        return float(self._weights @ self._still(now, unbounded))

    def lasts(self, age: float) -> float:
        """The probability that a level is not drawn anew within some seconds."""
        # Draws come as a Poisson process: that none came within an age has this probability.
        return float(self._weights @ np.exp(-self._rates * max(0.0, age)))

    def components(self, now: float, unbounded: float = 0.0) -> tuple[Floats, Floats, float]:
        """What the bandwidth is a mixture of if its level is held, as `ChangePointDetector.components`; see `chance`.

        Returns:
            Nodes, shape (hypotheses, nodes), and weights of those that show; and the chance of all.
        """
        # Asked for at every decision, so with few passes: the chance comes along with the rest.
        weights = self._weights * self._still(now, unbounded)
        likely = (weights > _NEGLIGIBLE).nonzero()[0]
        scales = np.sqrt((self._variances + self._drift * self._since(now) + self._noise)[likely])
        nodes: Floats = self._means[likely, None] + scales[:, None] * _NODES
        return nodes, weights[likely], float(np.add.reduce(weights))

    def observe(self, sample: float, at: float, anew: float) -> float:
        """Takes in a sample, and learns.

        Args:
            sample: Logarithm of the bandwidth.
            at: When it was seen, seconds.
            anew: Density of the sample, had it been drawn anew.

        Returns:
            The share that is owed to a level that was held.
        """
        held, prior = self._still(at), self._variances + self._drift * self._since(at)
        variances = prior + self._noise
        errors = sample - self._means
        # Student's t; `trust` is what a deviation so far out counts for, as in the t distribution's own expectation
        # maximisation.
        trust = 1 / (1 + errors * errors / (variances * _DEGREES))
        density = _CONSTANT / np.sqrt(variances) * trust ** ((_DEGREES + 1) / 2)
        shares = self._explained(held * density, (1 - held) * anew)
        # Kalman's gain where it was held; where it was drawn anew, the sample is all that is known of the level. Both
        # are kept as one normal distribution of the same mean and variance.
        trusted = np.minimum(1.0, trust * (_DEGREES + 1) / _DEGREES)
        gains = prior * trusted / (prior * trusted + self._noise)
        away = (1 - gains) * errors  # of the sample, from the level if it was held
        self._means = sample - shares * away
        self._variances = shares * (1 - gains) * prior + (1 - shares) * (self._noise + shares * away**2)
        self._held, self._sampled, self._at, self._sampled_at = np.ones_like(held), 1.0, at, at
        return float(self._weights @ shares)

    def bounded(
        self, bound: float, at: float, anew: float, *, below: bool, nothing: float = 0.0, unbounded: float = 0.0
    ) -> float:
        """Takes in that the bandwidth was below a bound, or above it.

        Args:
            bound: A logarithm.
            at: When that was seen, seconds.
            anew: Probability of the same, had it been drawn anew.
            below: On which side it was.
            nothing: The probability that nothing got through at all, and so nothing was said of the level.
            unbounded: As in `chance`.

        Returns:
            How likely that was of a link that carries something.
        """
        held, prior = self._still(at, unbounded), self._variances + self._drift * self._since(at)
        reached = _student_t((bound - self._means) / np.sqrt(prior + self._noise))
        agrees = reached if below else 1 - reached
        likely = float(self._weights @ (held * agrees + (1 - held) * anew))
        self._held = self._explained(held * agrees, (1 - held) * anew, nothing)
        self._variances, self._at = prior, at
        return likely

    def _explained(self, held: Floats, anew: Floats, nothing: float = 0.0) -> Floats:
        """Bayes' rule: weighs the hypotheses by both explanations' likelihoods, and returns the first one's share."""
        both = np.maximum(held + anew, _LEAST)
        posterior = self._shared() * (nothing + (1 - nothing) * both)
        self.evidence = float(np.add.reduce(posterior))
        self._weights = posterior / self.evidence
        shares: Floats = held / both
        return shares

    def _shared(self) -> Floats:
        """The weights before the next observation: something of each is spread over the others ("fixed share")."""
        alike = self._weights.reshape(len(_NOISES), -1)
        spread = (1 - _SHARED) * alike + _SHARED * alike.mean(axis=1, keepdims=True)
        shared: Floats = (1 - _SHARED_BY_ALL) * spread.ravel() + _SHARED_BY_ALL / self._weights.size
        return shared

    def _since(self, now: float) -> float:
        return max(0.0, now - self._at)

    def _still(self, now: float, unbounded: float = 0.0) -> Floats:
        still: Floats = self._held * np.exp(-self._rates * self._since(now))
        if unbounded:
            seen = self._sampled * np.exp(-self._rates * max(0.0, now - self._sampled_at))
            still = unbounded * seen + (1 - unbounded) * still
        return still

    def __repr__(self) -> str:
        return f"<Persistence of {1 / self.rate:.2f} s within {self.spread:.0%}>"


def _student_t(values: Floats) -> Floats:
    """The distribution function of Student's t with four degrees of freedom, which has a closed form."""
    # With u = x / sqrt(4 + x^2): F = 1/2 + (3 u - u^3) / 4.
    share = values / np.sqrt(4 + values * values)
    reached: Floats = 0.5 + share * (3 - share * share) / 4
    return np.clip(reached, 0.0, 1.0)
