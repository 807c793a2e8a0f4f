"""What is believed of the link in both directions, and what plans are priced on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import Predictive, TransferModel
from edgent.link.predictive import NOTHING
from edgent.link.slow_start import UNLIMITED
from edgent.planning import Candidates, Conditions
from edgent.planning.expectation import Expectations
from edgent.units import BitsPerSecond, Seconds
from planning.strategies import on_a_slow_device


def conditions(up: float = 3e6, down: float = 5e6) -> Conditions:
    rest = {"round_trip": Seconds(0.01), "call_time": Seconds(0.004), "window": 14_480.0}
    return Conditions(
        uplink=TransferModel(bandwidth=BitsPerSecond(up), **rest),  # type: ignore[arg-type]
        downlink=TransferModel(bandwidth=BitsPerSecond(down), **rest),  # type: ignore[arg-type]
        queue=Seconds(0.02),
        device_factor=1.5,
        edge_factor=2.0,
        backlog=Seconds(0.3),
    )


def two_bandwidths(slow: float, fast: float, *, slow_share: float = 0.25) -> Predictive:
    return Predictive(bandwidths=np.array([slow, fast]), weights=np.array([slow_share, 1 - slow_share]))


def test_certain_conditions_are_a_distribution_of_one_point() -> None:
    both = conditions().bandwidths
    assert (both.up.tolist(), both.down.tolist(), both.weights.tolist()) == ([3e6], [5e6], [1.0])


def test_a_direction_that_nothing_is_forecast_of_is_certain() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), None)
    assert set(seen.bandwidths.up) == {1e6, 8e6}
    assert set(seen.bandwidths.down) == {5e6}


def test_what_a_forecast_says_nothing_of_stays_as_it_was() -> None:
    before = conditions()
    seen = before.expecting(two_bandwidths(1e6, 8e6), two_bandwidths(2e6, 9e6))
    assert (seen.uplink.round_trip, seen.uplink.call_time) == (0.01, 0.004)
    assert (seen.queue, seen.device_factor, seen.edge_factor, seen.backlog) == (0.02, 1.5, 2.0, 0.3)
    assert seen.once == before.once == pytest.approx(0.01 + 0.004 + 0.02)


def test_plans_are_priced_at_the_bandwidths_in_the_middle() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), two_bandwidths(2e6, 9e6))
    assert (seen.uplink.bandwidth, seen.downlink.bandwidth) == (8e6, 9e6) == seen.bandwidths.median()


def test_an_outage_is_no_bandwidth_to_price_a_plan_at() -> None:
    """Where nothing gets through six times of ten, the middle is that of the other four."""
    link = Predictive(bandwidths=np.array([NOTHING, 1e6, 2e6, 3e6]), weights=np.array([0.6, 0.1, 0.2, 0.1]))
    seen = conditions().expecting(link, link)
    assert seen.uplink.bandwidth == seen.downlink.bandwidth == 2e6
    assert seen.bandwidths.alike


def test_chances_and_latencies_leave_out_the_same_things() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), None)
    assert (seen.uplink.window, seen.downlink.window) == (UNLIMITED, UNLIMITED)


@pytest.mark.parametrize("variation", [0.1, 0.5])
def test_bandwidths_that_vary_have_the_stated_ones_as_means(variation: float) -> None:
    both = conditions().varying(variation).bandwidths
    for bandwidths, mean in ((both.up, 3e6), (both.down, 5e6)):
        of_points = float(bandwidths @ both.weights)
        assert of_points == pytest.approx(mean, rel=0.02)
        assert math.sqrt(float((bandwidths - of_points) ** 2 @ both.weights)) == pytest.approx(
            variation * mean, rel=0.2
        )


def test_bandwidths_that_do_not_vary_are_certain() -> None:
    assert conditions().varying(0.0).bandwidths.median() == (3e6, 5e6)


@pytest.mark.parametrize("backlog", [0.0, 0.03])
def test_the_chance_under_certain_conditions_is_all_or_nothing_as_the_planner_sees_it(backlog: float) -> None:
    """The oracle is the planner's latency, without slow start, which no chance counts."""
    link = TransferModel(bandwidth=BitsPerSecond(1e6), round_trip=Seconds(0.01))
    now, sides = Conditions(uplink=link, downlink=link, backlog=Seconds(backlog)), set()
    for seed in range(20):
        expectations = Expectations(Candidates.of(on_a_slow_device(np.random.default_rng(seed))), race=False)
        deadline = Seconds(0.1)
        expectation = expectations.expect(now, deadline)
        in_time = now.latency(expectations.candidates)[expectation.rows] <= deadline
        assert np.array_equal(expectation.chance == 1, in_time)
        assert np.array_equal(expectation.chance == 0, ~in_time)
        sides |= set(in_time.tolist())
    assert sides == {True, False}


@pytest.mark.parametrize(
    "wrong",
    [{"queue": -1.0}, {"queue": math.inf}, {"backlog": -0.1}, {"device_factor": 0.0}, {"edge_factor": math.nan}],
)
def test_conditions_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    link = TransferModel(bandwidth=BitsPerSecond(1e6))
    with pytest.raises(InputError, match=r"queue|backlog|factors"):
        Conditions(uplink=link, downlink=link, **wrong)  # type: ignore[arg-type]
