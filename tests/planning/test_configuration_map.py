"""The configuration map against brute force, and as a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.planning import Candidates, Conditions, Configuration, Planner
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.planning.reward import FRACTION, LEXICOGRAPHIC, PERCENT, REWARDS, Reward, find_reward
from edgent.units import BitsPerSecond, Seconds
from planning.profiles import profile
from planning.strategies import branches
from planning.test_planner import Priced, brute_force, everything

DEVICE, EDGE = profile("board"), profile("box")


def made(
    costs: Any, bandwidths: list[float], deadlines: list[float], reward: Reward = LEXICOGRAPHIC
) -> ConfigurationMap:
    recipe = MapSettings(
        bandwidths=bandwidths, deadlines=[Seconds(d) for d in deadlines], reward=reward, round_trip=Seconds(0.004)
    )
    return build_map(Candidates.of(costs), "made-up", DEVICE, EDGE, recipe)


def small() -> ConfigurationMap:
    return made(branches(np.random.default_rng(3)), [1e5, 1e6, 1e7], [0.01, 0.5])


def link(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(0.004))
    return Conditions(uplink=way, downlink=way)


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
        built = made(costs, states, [longest, shortest], reward)
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
        built, planner = made(costs, [1e6], [0.001, 3.0]), Planner(Candidates.of(costs))
        for step in built.state(1e6).steps:
            for deadline in (step.deadline, max(math.nextafter(step.deadline, 0), 0.001)):
                expected = planner.plan(link(1e6), Seconds(deadline)).configuration
                assert built.look_up(1e6, Seconds(deadline)) == expected, f"seed {seed}"


def test_with_a_fraction_throughput_decides_and_with_per_cent_it_never_counts() -> None:
    accurate, fast = 0.9, 0.5
    assert FRACTION.value(fast, 0.01, 1.0) > FRACTION.value(accurate, 0.02, 1.0)
    assert PERCENT.value(fast, 0.001, 1.0) < PERCENT.value(accurate, 1.0, 1.0)
    assert [reward.value(accurate, 1.1, 1.0) for reward in REWARDS] == [0.0, 0.0, 0.0]
    assert LEXICOGRAPHIC.value(accurate, 0.1, 1.0) > LEXICOGRAPHIC.value(accurate, 0.2, 1.0)


def test_a_reward_that_needs_accuracies_is_refused_without_them() -> None:
    costs = branches(np.random.default_rng(1), known=False)
    assert made(costs, [1e6], [0.1]).reward == "lexicographic"
    with pytest.raises(InputError, match="lexicographic"):
        made(costs, [1e6], [0.1], FRACTION)
    with pytest.raises(InputError, match="lexicographic, fraction, percent"):
        find_reward("score")


def test_an_unseen_bandwidth_takes_the_state_below_and_below_all_the_device_is_alone() -> None:
    built = small()
    assert built.state(9.9e6).bandwidth == 1e6
    assert built.state(math.inf).bandwidth == 1e7
    assert built.state(1e5).bandwidth == 1e5
    for bandwidth in (0.0, 1.0, 99_999.0):
        assert all(step.configuration.device_only for step in built.state(bandwidth).steps)


def test_what_an_unseen_bandwidth_takes_is_in_time_whenever_anything_in_the_state_below_is() -> None:
    costs = branches(np.random.default_rng(3))
    built, checked = made(costs, [1e5, 1e6, 1e7], [0.01, 0.5]), 0
    for bandwidth in np.geomspace(1.1e5, 1e8, 30).tolist():
        latency = {one.configuration: one.latency for one in everything(costs, link(bandwidth))}
        below = {one.configuration: one.latency for one in everything(costs, link(built.state(bandwidth).bandwidth))}
        for deadline in np.geomspace(0.01, 0.5, 9).tolist():
            chosen = built.look_up(bandwidth, Seconds(deadline))
            if below[chosen] <= deadline:
                checked += 1
                assert latency[chosen] <= deadline
    assert checked > 100


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
        made(branches(np.random.default_rng(3)), [1e6], [deadline])


def test_a_grid_has_equal_factors() -> None:
    assert grid(BitsPerSecond(1e5), BitsPerSecond(1e7), 3) == pytest.approx((1e5, 1e6, 1e7))
    for low, high, count in ((1e5, 1e5, 3), (0.0, 1e5, 3), (1e5, math.inf, 3), (1e5, 1e6, 1)):
        with pytest.raises(InputError, match="rising"):
            grid(BitsPerSecond(low), BitsPerSecond(high), count)


@pytest.mark.parametrize("deadline", [0.0099, 0.51, math.nan])
def test_a_deadline_outside_the_range_is_refused(deadline: float) -> None:
    with pytest.raises(InputError, match=r"10 ms \.\. 500 ms"):
        small().look_up(1e6, Seconds(deadline))


@pytest.mark.parametrize("bandwidth", [-1.0, math.nan])
def test_a_bandwidth_that_is_none_is_refused(bandwidth: float) -> None:
    with pytest.raises(InputError, match="0 or more"):
        small().look_up(bandwidth, Seconds(0.1))


def test_a_map_is_for_its_model_and_its_machines() -> None:
    built = small()
    deadline = Seconds(0.1)
    built.check(deadline, DEVICE, EDGE)
    built.check(deadline, DEVICE)
    with pytest.raises(InputError, match="build it again"):
        built.check(deadline, profile("board", digest="0b" * 32), EDGE)
    with pytest.raises(InputError, match="device board"):
        built.check(deadline, profile("phone"), EDGE)
    with pytest.raises(InputError, match="edge box"):
        built.check(deadline, DEVICE, EDGE.scaled(2.0, "slow-box"))
    with pytest.raises(InputError, match=r"10 ms \.\. 500 ms"):
        built.check(Seconds(0.6), DEVICE, EDGE)


def test_a_file_holds_the_same_map(tmp_path: Path) -> None:
    built = small()
    built.save(tmp_path / "map.json")
    read = ConfigurationMap.load(tmp_path / "map.json")
    assert read == built
    assert read.to_json() == built.to_json()
    assert read.look_up(3e6, Seconds(0.1)) == built.look_up(3e6, Seconds(0.1))


def spoiled(change: Any) -> str:
    built = json.loads(small().to_json())
    change(built)
    return json.dumps(built)


SPOILS = {
    "schema": lambda d: d.update(schema=2),
    "unknown key": lambda d: d.update(more=1),
    "missing key": lambda d: d.pop("reward"),
    "no states": lambda d: d.update(states=[]),
    "first state is not 0": lambda d: d["states"].pop(0),
    "states do not rise": lambda d: d["states"].append(d["states"][-1]),
    "no steps": lambda d: d["states"][1].update(steps=[]),
    "steps do not rise": lambda d: d["states"][1]["steps"].append(d["states"][1]["steps"][-1]),
    "a step after the longest": lambda d: d.update(longest=0.0101),
    "the first step is late": lambda d: d.update(shortest=0.005),
    "an unknown configuration": lambda d: d["states"][1]["steps"][0].update(configuration=99),
    "a negative place": lambda d: d["states"][1]["steps"][0].update(configuration=-1),
    "cuts the wrong way": lambda d: d["configurations"][0].update(upload_cut=9, download_cut=1),
    "nan": lambda d: d.update(round_trip=math.nan),
    "text for a number": lambda d: d["states"][1].update(bandwidth="1e6"),
    "a reward that nobody knows": lambda d: d.update(reward="score"),
    "no digest": lambda d: d.update(digest="5a"),
}


@pytest.mark.parametrize("change", SPOILS.values(), ids=SPOILS.keys())
def test_a_spoiled_file_is_refused_in_one_line(change: Any, tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    file.write_text(spoiled(change))
    with pytest.raises(InputError, match="edgent map") as caught:
        ConfigurationMap.load(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text(small().to_json()[:1000])
    for name in ("half.json", "none.json"):
        with pytest.raises(InputError, match=name):
            ConfigurationMap.load(tmp_path / name)
