"""Algorithm 2: each state's winners beside a loop over all candidates, as the paper has it, and beside the planner."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.planning import Candidates, Configuration, Planner
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.planning.reward import REWARDS, Reward
from edgent.units import BitsPerSecond, Seconds
from planning.paper.maps import DEVICE, EDGE, built_map, link
from planning.strategies import branches
from planning.test_planner import Priced, brute_force, everything


def of_highest_reward(priced: list[Priced], deadline: float, scale: float | None) -> Configuration:
    """Algorithm 2's inner loop, as the paper has it; the fastest where all rewards are 0."""
    if scale is None:
        return brute_force(priced, deadline, 0.002).configuration

    def reward(one: Priced) -> float:
        return math.exp(scale * one.accuracy) + 1 / one.latency if one.latency <= deadline else 0.0

    return max(priced, key=lambda one: (reward(one), -one.latency)).configuration


@pytest.mark.parametrize("reward", REWARDS, ids=lambda reward: reward.name)
def test_each_state_keeps_the_configuration_of_the_highest_reward_at_every_deadline(reward: Reward) -> None:
    scale = {"lexicographic": None, "fraction": 1.0, "percent": 100.0}[reward.name]
    seen = set()
    for seed in range(60):
        random = np.random.default_rng(seed)
        costs = branches(random)
        states = (10 ** random.uniform(4.5, 8, 4)).tolist()
        shortest, longest = sorted((10 ** random.uniform(-2.5, 0.5, 2)).tolist())
        built = built_map(costs, states, [longest, shortest], reward)
        for bandwidth in states:
            priced = list(everything(costs, link(bandwidth)))
            steps = [step.deadline for step in built.state(bandwidth).steps]
            between = np.geomspace(shortest, longest, 12)[1:-1].tolist()
            beside = [step * factor for step in steps[1:] for factor in (1 - 1e-9, 1 + 1e-9)]  # sums differ in order
            for deadline in [*between, *(one for one in beside if shortest <= one <= longest)]:
                expected = of_highest_reward(priced, deadline, scale)
                assert built.look_up(bandwidth, Seconds(deadline)) == expected, f"seed {seed}"
                seen.add(expected)
    assert len(seen) > 30


def test_in_the_order_of_the_prose_a_state_holds_the_planner_s_choice_to_the_last_bit() -> None:
    for seed in range(60):
        random = np.random.default_rng(seed)
        costs = branches(random)
        built, planner = built_map(costs, [1e6], [0.001, 3.0]), Planner(Candidates.of(costs))
        for step in built.state(1e6).steps:
            for deadline in (step.deadline, max(math.nextafter(step.deadline, 0), 0.001)):
                expected = planner.plan(link(1e6), Seconds(deadline)).configuration
                assert built.look_up(1e6, Seconds(deadline)) == expected, f"seed {seed}"


def test_no_map_without_a_candidate_that_stays_on_the_device() -> None:
    table = Candidates.of(branches(np.random.default_rng(3)))
    recipe = MapSettings(bandwidths=[1e6], deadlines=[Seconds(0.1)])
    with pytest.raises(InputError, match="stays on the device"):
        build_map(table.keep(table.messages > 0), "made-up", DEVICE, EDGE, recipe)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.inf, math.nan])
def test_a_state_is_a_positive_finite_bandwidth(bandwidth: float) -> None:
    with pytest.raises(InputError, match="positive, finite"):
        MapSettings(bandwidths=[bandwidth], deadlines=[Seconds(0.1)])


@pytest.mark.parametrize("deadline", [0.0, -1.0, math.inf, math.nan])
def test_a_deadline_is_positive_and_finite(deadline: float) -> None:
    with pytest.raises(InputError, match="positive, finite"):
        built_map(branches(np.random.default_rng(3)), [1e6], [deadline])


def test_a_grid_has_equal_factors() -> None:
    assert grid(BitsPerSecond(1e5), BitsPerSecond(1e7), 3) == pytest.approx((1e5, 1e6, 1e7))
    for low, high, count in ((1e5, 1e5, 3), (0.0, 1e5, 3), (1e5, math.inf, 3), (1e5, 1e6, 1)):
        with pytest.raises(InputError, match="rising"):
            grid(BitsPerSecond(low), BitsPerSecond(high), count)
