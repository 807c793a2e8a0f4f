from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgent.link.forecast
from edgent.errors import InputError
from edgent.link.forecast import INITIAL_WINDOW, LinkForecast, transfer_times
from edgent.units import Seconds


def plain() -> LinkForecast:
    return LinkForecast(header_factor=1.0, message_bytes=0)


def steady(bandwidth: float, *, samples: int = 30, size: float = 20_000) -> LinkForecast:
    forecast, random = plain(), np.random.default_rng(1)
    for k in range(samples):
        seconds = size * 8 / (bandwidth * math.exp(0.1 * random.standard_normal()))
        forecast.observe(size, seconds, at=Seconds(float(k)))
    return forecast


def median(forecast: LinkForecast, now: float = 30.0) -> float:
    predictive = forecast.predictive(Seconds(now))
    assert predictive is not None
    return predictive.median


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.link.forecast).failed == 0


def test_nothing_is_known_at_first() -> None:
    assert plain().predictive(Seconds(5.0)) is None
    assert plain().age(Seconds(5.0)) == math.inf
    assert not plain().outage


def test_transfers_tell_the_bandwidth_and_how_old_that_is() -> None:
    forecast = steady(2e6)
    assert median(forecast) == pytest.approx(2e6, rel=0.1)
    assert forecast.age(Seconds(31.5)) == 2.5
    assert forecast.samples == 30


@pytest.mark.parametrize("seconds", [0.0, -0.001, 0.0005, 0.004])
def test_small_messages_that_took_no_time_to_speak_of_change_nothing(seconds: float) -> None:
    forecast = steady(20e6)
    before = forecast.detector.run_lengths
    forecast.observe(100, seconds, at=Seconds(31.0))
    assert forecast.detector.run_lengths.tolist() == before.tolist()


def test_a_small_message_that_was_quick_disproves_a_slow_link() -> None:
    forecast = steady(50e3)
    for k in range(4):
        forecast.observe(2_000, 0.001, at=Seconds(31.0 + k))
    assert median(forecast, 35.0) > 1e6


def test_a_transfer_cut_short_lowers_the_forecast_below_its_bound() -> None:
    forecast = steady(2e6)
    forecast.observe_cut(20_000, 0.8, at=Seconds(31.0))  # slower than 200 kbit/s
    forecast.observe_cut(20_000, 0.8, at=Seconds(32.0))
    assert median(forecast, 33.0) < 200e3


def test_a_transfer_cut_early_tells_nothing_new() -> None:
    forecast = steady(2e6)
    forecast.observe_cut(20_000, 0.010, at=Seconds(31.0))  # slower than 16 Mbit/s
    assert median(forecast, 32.0) == pytest.approx(2e6, rel=0.1)


def test_an_outage_begins_when_nothing_gets_through_and_ends_with_the_first_that_does() -> None:
    forecast = steady(2e6)
    for k in range(3):
        assert not forecast.outage
        forecast.observe_cut(20_000, 1.0, at=Seconds(31.0 + k))
    assert forecast.outage
    forecast.observe(20_000, 0.08, at=Seconds(40.0))
    assert not forecast.outage


def test_the_longer_nothing_was_heard_the_less_is_certain() -> None:
    forecast = steady(2e6)
    soon, late = forecast.predictive(Seconds(30.0)), forecast.predictive(Seconds(600.0))
    assert soon is not None and late is not None
    assert late.quantile(0.05) < 0.8 * soon.quantile(0.05)


@pytest.mark.parametrize(("size", "seconds"), [(0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (100, math.nan)])
def test_what_no_transfer_has_is_refused(size: float, seconds: float) -> None:
    with pytest.raises(InputError, match="tells no bandwidth"):
        plain().observe(size, seconds, at=Seconds(0.0))
    with pytest.raises(InputError, match="tells no bandwidth"):
        plain().observe_cut(size, seconds, at=Seconds(0.0))


def by_hand(bandwidth: float, size: float, round_trip: float) -> float:
    """TCP sending window after window: each leaves when its acknowledgements allow, none before the wire is free."""
    sent, window, clock = 0.0, float(INITIAL_WINDOW), 0.0
    while sent < size:
        burst = min(window, size - sent)
        clock += burst * 8 / bandwidth
        sent += burst
        if sent < size:
            clock += max(0.0, round_trip - window * 8 / bandwidth)
        window *= 2
    return clock + round_trip


@given(bandwidth=st.floats(1e5, 1e9), size=st.floats(100, 5e6), round_trip=st.floats(0.001, 0.3))
def test_slow_start_costs_what_sending_window_by_window_does(bandwidth: float, size: float, round_trip: float) -> None:
    found = transfer_times(np.array([bandwidth]), size, round_trip=Seconds(round_trip), idle=Seconds(5.0))
    assert found[0] == pytest.approx(by_hand(bandwidth, size, round_trip))


def test_a_busy_connection_pays_no_slow_start() -> None:
    times = transfer_times(np.array([20e6]), 100_000, round_trip=Seconds(0.040), idle=Seconds(0.01))
    assert times[0] == pytest.approx(0.080)


@given(size=st.floats(1, 1e6), more=st.floats(1, 1e6), low=st.floats(1e4, 1e8), up=st.floats(1, 100))
def test_time_rises_with_size_and_falls_with_bandwidth(size: float, more: float, low: float, up: float) -> None:
    def time(size: float, bandwidth: float) -> float:
        return float(transfer_times(np.array([bandwidth]), size, round_trip=Seconds(0.03), idle=Seconds(1.0))[0])

    assert time(size + more, low) >= time(size, low) * (1 - 1e-12)
    assert time(size, low * up) <= time(size, low) * (1 + 1e-12)


def followed(samples: list[float]) -> tuple[LinkForecast, float]:
    """A forecast asked before each sample, and how often less came than its lower twentieth."""
    forecast, below = plain(), 0
    for k, bandwidth in enumerate(samples):
        predictive = forecast.predictive(Seconds(float(k)))
        below += predictive is not None and bandwidth < predictive.quantile(0.05)
        forecast.observe(20_000, 160_000 / bandwidth, at=Seconds(float(k)))
    return forecast, below / len(samples)


def test_it_learns_how_often_this_link_breaks_away() -> None:
    random = np.random.default_rng(5)
    broken = [2e6 * (0.05 if random.random() < 0.08 else math.exp(0.1 * random.standard_normal())) for _ in range(600)]
    forecast, _ = followed(broken)
    calm, _ = followed([2e6 * math.exp(0.1 * random.standard_normal()) for _ in range(600)])
    lowered, steady_one = forecast.predictive(Seconds(600.0)), calm.predictive(Seconds(600.0))
    assert lowered is not None and steady_one is not None
    assert lowered.chance_above(1e6) == pytest.approx(0.92, abs=0.05)
    assert steady_one.chance_above(1e6) > 0.98


def test_what_it_claims_of_a_link_that_wanders_comes_true_as_often() -> None:
    random = np.random.default_rng(6)
    walk = np.exp(np.cumsum(0.25 * random.standard_normal(800)) * 0.3 + math.log(3e6))
    _, below = followed(walk.tolist())
    assert below == pytest.approx(0.05, abs=0.025)
