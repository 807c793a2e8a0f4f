"""Two methods compared on the same requests: a paired bootstrap. Pure.

The requests of a link state are drawn anew once, and the same draws serve every method: where two methods run the same,
their difference is 0 in every draw, and luck with a request is luck for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.demo.paper.values import Chosen
from edgent.lab.processes.live_runs import LiveRuns

Floats = NDArray[np.float64]

HALF_A_POINT = 0.005
# Enough for the 2.5 % tails: 50 draws lie beyond each bound.
_REPEATS = 2000
_TAILS = (0.025, 0.975)
_DUST = 1e-9  # what adding weights in another order leaves of a difference of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Edgent's lead over a method in accuracy in time, with its 95 % interval; nan where unknown."""

    ahead: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether Edgent is behind by more than half a point, and in at least 97.5 % of the draws."""
        return self.ahead < -HALF_A_POINT and self.high < 0

    @property
    def lower(self) -> bool:
        """Whether Edgent is behind by more than half a point, perhaps by chance."""
        return self.ahead < -HALF_A_POINT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """The requests of a link state, drawn anew many times.

    Attributes:
        weights: how often each request was drawn, over their number; shape (repeats, requests).
    """

    weights: Floats

    @classmethod
    def of(cls, requests: int, seed: int) -> Draws:
        """Draws requests with replacement, for a number of requests."""
        # Drawing with replacement is a multinomial distribution of counts; as weights, each draw's mean is one matrix
        # product.
        drawn = np.random.default_rng(seed).multinomial(requests, np.full(requests, 1 / requests), _REPEATS)
        return cls(weights=drawn / requests)

    @property
    def requests(self) -> int:
        """The number of requests in a draw."""
        return int(self.weights.shape[1])

    def means(self, outcomes: Floats) -> Floats:
        """The mean outcome in each draw, shape (repeats,)."""
        means: Floats = self.weights @ outcomes
        return means


def outcomes(chosen: Chosen, measured: LiveRuns, deadline: float, requests: int) -> Floats:
    """The worth of each of the first requests: the accuracy of its configuration if it was in time, else 0."""
    in_time = np.array(measured.totals[:requests]) <= deadline
    return np.where(in_time, chosen.accuracy, 0.0)


def interval(drawn: Floats) -> tuple[float, float]:
    """The 95 % interval of a statistic, from its values in all draws."""
    low, high = np.quantile(drawn, _TAILS)
    return float(low), float(high)


def compare(ours: Sequence[Floats], theirs: Sequence[Floats], draws: Sequence[Draws]) -> Comparison:
    """Ours less theirs, averaged over cells of the same weight.

    Args:
        ours: the outcomes in each cell.
        theirs: those of another method, request by request.
        draws: of each cell's link state.
    """
    # Paired: the difference request by request has far less spread than both methods by themselves.
    differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    ahead = float(np.mean([difference.mean() for difference in differences]))
    drawn = np.mean([d.means(difference) for d, difference in zip(draws, differences, strict=True)], axis=0)
    low, high = interval(drawn)
    return Comparison(ahead=_clean(ahead), low=_clean(low), high=_clean(high))


def _clean(value: float) -> float:
    return 0.0 if abs(value) < _DUST else value
