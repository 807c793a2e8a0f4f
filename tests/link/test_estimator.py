from __future__ import annotations

import doctest
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgent.link.estimator
from edgent.errors import InputError
from edgent.link import BandwidthEstimator, TransferModel
from edgent.units import BitsPerSecond, Seconds

ERROR = 0.002
bandwidths = st.floats(min_value=2e4, max_value=1e8)


def plain() -> BandwidthEstimator:
    return BandwidthEstimator(timing_error=ERROR, header_factor=1.0, message_bytes=0)


def estimated(estimator: BandwidthEstimator) -> float:
    assert estimator.bandwidth is not None
    return estimator.bandwidth


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.link.estimator).failed == 0


def test_nothing_is_known_at_first() -> None:
    assert plain().bandwidth is None


@given(bandwidth=bandwidths, size=st.integers(min_value=500, max_value=1_000_000))
def test_one_long_exact_transfer_tells_the_bandwidth(bandwidth: float, size: int) -> None:
    seconds = size * 8 / bandwidth
    estimator = plain()
    estimator.observe(size, seconds)
    if seconds > ERROR:
        assert estimated(estimator) == pytest.approx(bandwidth)
    else:
        assert estimated(estimator) <= bandwidth  # only a lower bound is certain


@given(before=bandwidths, after=bandwidths)
def test_it_follows_a_change_within_a_few_transfers(before: float, after: float) -> None:
    estimator = plain()
    for bandwidth in [before] * 3 + [after] * 12:
        estimator.observe(1_000_000, 8e6 / bandwidth)
    assert estimated(estimator) == pytest.approx(after, rel=0.05)


@given(bandwidth=st.floats(min_value=1e6, max_value=1e8), seed=st.integers(0, 1000))
def test_small_messages_do_not_fool_it(bandwidth: float, seed: int) -> None:
    noise = random.Random(seed)
    estimator = plain()
    estimator.observe(1_000_000, 8e6 / bandwidth)
    for _ in range(50):  # 100 bytes, timed within the stated error: by themselves they would say nearly anything
        estimator.observe(100, max(0.0, 800 / bandwidth + noise.uniform(-ERROR, ERROR)))
    assert estimated(estimator) == pytest.approx(bandwidth, rel=0.35)


def test_a_small_message_that_took_long_is_heard() -> None:
    estimator = plain()
    estimator.observe(1_000_000, 0.4)  # 20 Mbit/s
    for _ in range(12):
        estimator.observe(600, 0.096)  # 50 kbit/s
    assert estimated(estimator) == pytest.approx(50e3, rel=0.1)


def test_a_small_message_that_was_quick_lifts_an_estimate_that_it_disproves() -> None:
    estimator = plain()
    estimator.observe(10_000, 1.6)  # 50 kbit/s
    estimator.observe(600, 0.0005)  # now at least 600 * 8 / 2.5 ms
    assert estimated(estimator) == pytest.approx(600 * 8 / (0.0005 + ERROR))


@given(
    observations=st.lists(
        st.tuples(st.integers(min_value=1, max_value=10**7), st.floats(min_value=-1, max_value=100)), min_size=1
    )
)
def test_whatever_is_observed_the_estimate_stays_positive_and_finite(observations: list[tuple[int, float]]) -> None:
    estimator = plain()
    for size, seconds in observations:
        estimate = estimator.observe(size, seconds)
        assert 0 < estimate == estimator.bandwidth < math.inf


def test_it_inverts_the_transfer_model() -> None:
    model = TransferModel(bandwidth=BitsPerSecond(400e3), round_trip=Seconds(0.02))
    estimator = BandwidthEstimator()
    estimator.observe(3000, model.uplink(3000.0) - model.round_trip - model.call_time)
    assert estimated(estimator) == pytest.approx(400e3)


def test_it_shows_what_it_estimates() -> None:
    estimator = plain()
    assert repr(estimator) == "<BandwidthEstimator nothing seen>"
    estimator.observe(125_000, 1.0)
    assert repr(estimator) == "<BandwidthEstimator 1 Mbit/s>"


@pytest.mark.parametrize(("size", "seconds"), [(0, 1.0), (-5, 1.0), (100, math.nan), (100, math.inf), (math.nan, 1.0)])
def test_what_tells_nothing_is_refused(size: float, seconds: float) -> None:
    with pytest.raises(InputError, match="tells no bandwidth"):
        plain().observe(size, seconds)


@pytest.mark.parametrize("gain", [0.0, -0.5, 1.5, math.nan])
def test_a_gain_that_cannot_be_is_refused(gain: float) -> None:
    with pytest.raises(InputError, match="gain"):
        BandwidthEstimator(gain=gain)
