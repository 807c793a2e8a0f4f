"""What Algorithm 2 maximises: the reward of a plan.

The paper rewards a plan in time with exp(accuracy) + throughput, one that is late with 0; throughput is 1 / latency.
Whether its accuracy is a fraction or per cent it does not say, and neither reading gives what its prose asks for
(the deadline first, then accuracy, then throughput): with a fraction exp(accuracy) lies between 1 and e, so that
throughput decides and the earliest exit wins; with per cent throughput never counts. So the reward is a parameter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.planning.planner import DUST, TOLERANCE

if TYPE_CHECKING:
    from edgent.planning.candidates import Candidates

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One reading of the reward. A plan that is late has a reward of 0.

    Attributes:
        name: What options and files call it.
        scale: The accuracy counts as exp(scale * fraction), to which throughput is added; None: the prose's order.
    """

    name: str
    scale: float | None

    @property
    def tolerance(self) -> float:
        """Values in time that lack no more than this to the best count as equal; the fastest of them wins."""
        # The paper's sums are compared exactly; only the order that its prose describes takes close accuracies for
        # equal.
        return TOLERANCE + DUST if self.scale is None else 0.0

    def of(self, candidates: Candidates, latency: Floats) -> Floats:
        """What each candidate is worth if it is in time, shape (m,).

        Raises:
            InputError: the paper's reward needs accuracies, and some are not known.
        """
        if self.scale is None:
            return candidates.merit
        # The sum of an accuracy and a throughput has no meaning for a rank among exits: where accuracies are unknown,
        # only the order of the prose is left.
        if np.isnan(candidates.accuracy).any():
            raise InputError(f"reward {self.name}: some accuracies are not known; take the reward lexicographic")
        return self._paper(candidates.accuracy, latency)

    def value(self, accuracy: float, latency: float, deadline: float) -> float:
        """The reward of one answer as a number, for averages.

        In the prose's order it is the accuracy, 0..1; the throughput only tells equals apart, by less than 1e-6.
        """
        if latency > deadline:
            return 0.0
        if self.scale is None:
            # The smallest step between accuracies on 10,000 images is 1e-4: the throughput's part cannot reach it.
            return accuracy + 1e-6 / (1 + latency)
        return math.exp(self.scale * accuracy) + 1 / latency

    def _paper(self, accuracy: Floats, latency: Floats) -> Floats:
        # reward = exp(accuracy) + throughput, as printed; the scale is the reading of "accuracy".
        assert self.scale is not None
        worth: Floats = np.exp(self.scale * accuracy) + 1 / latency
        return worth


# The prose is what the paper wants, so it is the default; the two readings of its formula are there to be compared.
LEXICOGRAPHIC = Reward(name="lexicographic", scale=None)
FRACTION = Reward(name="fraction", scale=1.0)
PERCENT = Reward(name="percent", scale=100.0)
REWARDS = (LEXICOGRAPHIC, FRACTION, PERCENT)


def find_reward(name: str) -> Reward:
    """The reward of that name.

    Raises:
        InputError: there is none.
    """
    for reward in REWARDS:
        if reward.name == name:
            return reward
    raise InputError(f"no reward is called {name!r}: expected {', '.join(reward.name for reward in REWARDS)}")
