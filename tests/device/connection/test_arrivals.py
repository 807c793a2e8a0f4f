from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

import edgent.device.connection.upkeep
from edgent.device.connection.upkeep import Arrivals


def after(*times: float) -> Arrivals:
    arrivals = Arrivals()
    for at in times:
        arrivals.came(at)
    return arrivals


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.device.connection.upkeep).failed == 0


def test_two_gaps_alike_may_be_chance() -> None:
    assert after(0.0, 1.0, 2.0).next(2.5) == math.inf
    assert after(0.0, 1.0, 2.0, 3.0).next(3.5) == 4.0


def test_the_next_request_is_later_than_the_time_asked_for() -> None:
    arrivals = after(0.0, 1.0, 2.0, 3.0)
    assert [arrivals.next(at) for at in (3.0, 3.9, 4.0, 4.1, 5.9)] == [4.0, 4.0, 5.0, 5.0, 6.0]


def test_a_camera_that_shakes_is_expected_within_its_shaking() -> None:
    random = np.random.default_rng(0)
    times = np.arange(200) * 2.0 + random.normal(0, 0.02, 200)
    errors = [after(*times[:k]).next(times[k - 1]) - times[k] for k in range(20, 200)]
    assert np.abs(errors).max() < 0.1


def test_requests_that_come_by_chance_are_hardly_ever_expected() -> None:
    times = np.cumsum(np.random.default_rng(1).exponential(1.0, 2000))
    arrivals, expected = Arrivals(), 0
    for at in times:
        arrivals.came(at)
        expected += arrivals.next(at) < math.inf
    assert expected / len(times) < 0.02


def test_when_nobody_came_for_a_while_nobody_is_expected() -> None:
    arrivals = after(0.0, 1.0, 2.0, 3.0)
    assert arrivals.next(5.9) < math.inf
    assert arrivals.next(6.1) == math.inf


def test_another_rhythm_is_learned() -> None:
    arrivals = after(0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0)
    assert arrivals.next(5.1) == pytest.approx(5.5)
