"""The paper's controller: a change of state looks up, nothing else does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link.change_points import ChangePointDetector
from edgent.planning.paper.algorithm3 import Algorithm3
from edgent.units import BitsPerSecond, Seconds
from planning.paper.maps import built_map
from planning.strategies import on_a_slow_device

STATES = [3e4, 3e5, 3e6, 3e7]
MAP = built_map(on_a_slow_device(np.random.default_rng(16)), STATES, [0.2])
DEADLINE = Seconds(0.2)


class Scripted:
    """A detector that declares a change at every sample that is ten times another; its level is the last sample."""

    def __init__(self) -> None:
        self.level: BitsPerSecond | None = None
        self._of_state = 0.0

    def update(self, bandwidth: float) -> bool:
        self.level = BitsPerSecond(bandwidth)
        far = not 0.1 < bandwidth / (self._of_state or bandwidth) < 10
        self._of_state = bandwidth if far or not self._of_state else self._of_state
        return far


def test_before_the_first_sample_the_device_is_alone() -> None:
    assert Algorithm3(MAP, Scripted(), DEADLINE).configuration.device_only


def test_a_new_state_is_looked_up_and_within_a_state_nothing_changes() -> None:
    controller = Algorithm3(MAP, Scripted(), DEADLINE)
    of = {bandwidth: MAP.look_up(bandwidth, DEADLINE) for bandwidth in STATES}
    assert of[3e4] != of[3e7]
    assert controller.observe(3e7) == of[3e7]  # the first sample begins a state
    assert controller.observe(3.5e6) is None  # another row of the map, but no change was declared
    assert controller.configuration == of[3e7]
    assert controller.observe(3e4) == of[3e4]
    assert controller.configuration == of[3e4]


def test_in_the_present_state_another_deadline_has_a_plan_of_its_own() -> None:
    wide = built_map(on_a_slow_device(np.random.default_rng(16)), STATES, [0.02, 2.0])
    controller = Algorithm3(wide, Scripted(), DEADLINE)
    controller.observe(3e6)
    for deadline in map(Seconds, (0.02, 0.2, 2.0)):
        assert controller.at(deadline) == wide.look_up(3e6, deadline)
    assert controller.at(Seconds(0.02)) != controller.at(Seconds(2.0))
    with pytest.raises(InputError, match=r"20 ms \.\. 2 s"):
        controller.at(Seconds(3.0))


def test_an_outage_is_a_state_that_the_next_sample_ends() -> None:
    controller = Algorithm3(MAP, Scripted(), DEADLINE)
    before = controller.observe(3e7)
    assert before is not None and not before.device_only
    during = controller.observe(0.0)
    assert during is not None and during.device_only
    assert controller.observe(0.0) is None
    assert controller.observe(3e7) == before


@pytest.mark.parametrize("sample", [-1.0, math.inf, math.nan])
def test_samples_that_no_link_has_are_refused(sample: float) -> None:
    with pytest.raises(InputError):
        Algorithm3(MAP, ChangePointDetector(), DEADLINE).observe(sample)


def test_a_deadline_that_the_map_lacks_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="200 ms"):
        Algorithm3(MAP, Scripted(), Seconds(0.3))


def test_with_the_real_detector_it_follows_a_step_within_a_few_samples() -> None:
    random = np.random.default_rng(0)
    samples = np.exp(np.log([2e7] * 60 + [5e4] * 60) + 0.2 * random.normal(size=120))
    controller = Algorithm3(MAP, ChangePointDetector(), DEADLINE)
    seen = []
    for sample in samples.tolist():
        controller.observe(sample)
        seen.append(controller.configuration)
    assert set(seen[:60]) == {MAP.look_up(2e7, DEADLINE)}
    assert set(seen[66:]) == {MAP.look_up(5e4, DEADLINE)}
