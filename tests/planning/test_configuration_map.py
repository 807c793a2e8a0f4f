"""The configuration map: what it holds for bandwidths and deadlines, for whom it is, and as a file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.planning.configuration_map import ConfigurationMap
from edgent.units import Seconds
from planning.paper.maps import DEVICE, EDGE, built_map, link, small
from planning.paper.profiles import profile
from planning.strategies import branches
from planning.test_planner import everything


def test_an_unseen_bandwidth_takes_the_state_below_and_below_all_the_device_is_alone() -> None:
    built = small()
    assert built.state(9.9e6).bandwidth == 1e6
    assert built.state(math.inf).bandwidth == 1e7
    assert built.state(1e5).bandwidth == 1e5
    for bandwidth in (0.0, 1.0, 99_999.0):
        assert all(step.configuration.device_only for step in built.state(bandwidth).steps)


def test_what_an_unseen_bandwidth_takes_is_in_time_whenever_anything_in_the_state_below_is() -> None:
    costs = branches(np.random.default_rng(3))
    built, checked = built_map(costs, [1e5, 1e6, 1e7], [0.01, 0.5]), 0
    for bandwidth in np.geomspace(1.1e5, 1e8, 30).tolist():
        latency = {one.configuration: one.latency for one in everything(costs, link(bandwidth))}
        below = {one.configuration: one.latency for one in everything(costs, link(built.state(bandwidth).bandwidth))}
        for deadline in np.geomspace(0.01, 0.5, 9).tolist():
            chosen = built.look_up(bandwidth, Seconds(deadline))
            if below[chosen] <= deadline:
                checked += 1
                assert latency[chosen] <= deadline
    assert checked > 100


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
