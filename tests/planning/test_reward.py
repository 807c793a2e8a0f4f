"""The readings of the paper's reward: what decides by each of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.planning.reward import FRACTION, LEXICOGRAPHIC, PERCENT, REWARDS, find_reward
from planning.paper.maps import built_map
from planning.strategies import branches


def test_with_a_fraction_throughput_decides_and_with_per_cent_it_never_counts() -> None:
    accurate, fast = 0.9, 0.5
    assert FRACTION.value(fast, 0.01, 1.0) > FRACTION.value(accurate, 0.02, 1.0)
    assert PERCENT.value(fast, 0.001, 1.0) < PERCENT.value(accurate, 1.0, 1.0)
    assert [reward.value(accurate, 1.1, 1.0) for reward in REWARDS] == [0.0, 0.0, 0.0]
    assert LEXICOGRAPHIC.value(accurate, 0.1, 1.0) > LEXICOGRAPHIC.value(accurate, 0.2, 1.0)


def test_a_reward_that_needs_accuracies_is_refused_without_them() -> None:
    costs = branches(np.random.default_rng(1), known=False)
    assert built_map(costs, [1e6], [0.1]).reward == "lexicographic"
    with pytest.raises(InputError, match="lexicographic"):
        built_map(costs, [1e6], [0.1], FRACTION)
    with pytest.raises(InputError, match="lexicographic, fraction, percent"):
        find_reward("score")
