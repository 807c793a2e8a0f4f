"""Configuration maps of made-up branches and machines, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgent.link import TransferModel
from edgent.planning import Candidates, Conditions
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.paper.algorithm2 import MapSettings, build_map
from edgent.planning.reward import LEXICOGRAPHIC, Reward
from edgent.units import BitsPerSecond, Seconds
from planning.paper.profiles import profile
from planning.strategies import branches

DEVICE, EDGE = profile("board"), profile("box")


def built_map(
    costs: Any, bandwidths: list[float], deadlines: list[float], reward: Reward = LEXICOGRAPHIC
) -> ConfigurationMap:
    recipe = MapSettings(
        bandwidths=bandwidths, deadlines=[Seconds(d) for d in deadlines], reward=reward, round_trip=Seconds(0.004)
    )
    return build_map(Candidates.of(costs), "made-up", DEVICE, EDGE, recipe)


def small() -> ConfigurationMap:
    return built_map(branches(np.random.default_rng(3)), [1e5, 1e6, 1e7], [0.01, 0.5])


def link(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(0.004))
    return Conditions(uplink=way, downlink=way)
