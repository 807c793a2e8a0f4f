from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

import edgent.link.forecast
from edgent.errors import InputError
from edgent.link.forecast import LinkForecast
from edgent.link.predictive import NOTHING
from edgent.link.transfer import Transfer
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


def below(forecast: LinkForecast, bandwidth: float, now: float) -> float:
    predictive = forecast.predictive(Seconds(now))
    assert predictive is not None
    return 1 - predictive.chance_above(bandwidth)


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


def test_it_learns_of_a_transfer_as_of_its_numbers_whether_it_arrived_or_was_given_up() -> None:
    by_events, by_numbers = steady(2e6), steady(2e6)
    transfer = Transfer(direction="up", size=20_000, seconds=0.5, at=Seconds(31.0))
    given_up = Transfer(direction="up", size=20_000, seconds=0.8, at=Seconds(32.0), cut=True)
    assert by_events.learn(transfer) == by_numbers.observe(20_000, 0.5, at=Seconds(31.0))
    by_numbers.observe_cut(20_000, 0.8, at=Seconds(32.0))
    assert not by_events.learn(given_up)
    one, other = (forecast.predictive(Seconds(33.0)) for forecast in (by_events, by_numbers))
    assert one is not None and other is not None
    assert one.bandwidths.tolist() == other.bandwidths.tolist()
    assert one.weights.tolist() == other.weights.tolist()


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


def test_a_small_message_that_was_quick_confirms_the_link_for_as_long_as_it_persists() -> None:
    forecast = plain()
    for k in range(40):
        forecast.observe(20_000, 20_000 * 8 / (2e6 * math.exp(0.5 * (-1) ** k)), at=Seconds(3.0 * k))
    before = below(forecast, 1e6, 127.0)
    forecast.observe(1_000, 0.004, at=Seconds(127.0))  # 1.3 Mbit/s at least
    assert below(forecast, 1e6, 127.0) < before / 5
    assert below(forecast, 1e6, 127.0) < below(forecast, 1e6, 129.0) < below(forecast, 1e6, 140.0)


def test_a_transfer_cut_short_lowers_the_forecast_below_its_bound() -> None:
    forecast = steady(2e6)
    forecast.observe_cut(20_000, 0.8, at=Seconds(31.0))  # slower than 200 kbit/s
    forecast.observe_cut(20_000, 0.8, at=Seconds(32.0))
    assert median(forecast, 33.0) < 200e3


def test_a_transfer_cut_early_tells_nothing_new() -> None:
    forecast = steady(2e6)
    forecast.observe_cut(20_000, 0.010, at=Seconds(31.0))  # slower than 16 Mbit/s
    assert median(forecast, 32.0) == pytest.approx(2e6, rel=0.1)


def test_an_outage_begins_when_what_should_have_got_through_did_not_and_ends_with_the_first_that_does() -> None:
    forecast = steady(2e6)
    for k in range(3):
        forecast.observe_cut(2_000, 1.0, at=Seconds(31.0 + k))
        assert forecast.outage
    assert below(forecast, 16e3, 33.0) > 0.99
    assert below(forecast, 1e5, 40.0) < 0.5  # what has lasted 4 s is over after 7 more, more likely than not
    forecast.observe(20_000, 0.08, at=Seconds(40.0))
    assert not forecast.outage
    assert below(forecast, 1e6, 40.0) < 0.1  # the run is the one before


def test_who_asks_just_before_the_last_transfer_ended_is_told_the_same() -> None:
    forecast = steady(2e6)
    assert median(forecast, 28.9) == pytest.approx(median(forecast, 29.0))


def test_after_an_outage_began_tries_are_ever_further_apart() -> None:
    forecast, at, tries = steady(2e6), 31.0, []
    for _ in range(8):
        forecast.observe_cut(1_000, 0.3, at=Seconds(at))
        while forecast.dead(Seconds(at)):
            at += 0.01
        tries.append(at)
    waits = np.diff(tries)
    assert (waits[1:] > 1.5 * waits[:-1]).all()


def test_a_link_thought_to_be_slow_is_not_thought_slower_each_time_a_transfer_is_cut() -> None:
    forecast = steady(2e6)
    forecast.observe(20_000, 0.2, at=Seconds(31.0))  # 800 kbit/s
    before = median(forecast, 32.0)
    for k in range(10):
        forecast.observe_cut(20_000, 0.1, at=Seconds(32.0 + k))  # slower than 1.6 Mbit/s
    assert median(forecast, 42.0) == pytest.approx(before, rel=0.5)


def test_a_link_on_which_next_to_nothing_passes_is_an_outage_in_all_but_name() -> None:
    forecast = plain()
    for k in range(5):
        forecast.observe(1_000, 1e9, at=Seconds(1e9 * (k + 1)))
    told = forecast.predictive(Seconds(6e9))
    assert told is not None and (told.bandwidths >= NOTHING).all()


def test_what_was_just_seen_is_surer_than_what_was_seen_a_while_ago() -> None:
    forecast, random, level = plain(), np.random.default_rng(3), 2e6
    for k in range(400):
        if k % 8 == 0:
            level = 2e6 * math.exp(0.5 * random.standard_normal())
        forecast.observe(20_000, 160_000 / level, at=Seconds(0.25 * k))
    assert below(forecast, 0.9 * level, 99.75) < 0.05 < below(forecast, 0.9 * level, 103.0)


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


def chance_above(forecast: LinkForecast, bandwidth: float, now: float) -> float:
    return 1 - below(forecast, bandwidth, now)


def wavering(bandwidth: float = 1.2e6, *, samples: int = 40) -> LinkForecast:
    """Looked at every 2 s, with a deviation of three tenths."""
    forecast, random = plain(), np.random.default_rng(0)
    for k in range(samples):
        forecast.observe(12_500, 1e5 / (bandwidth * math.exp(0.3 * random.standard_normal())), at=Seconds(2.0 * k))
    return forecast


@pytest.mark.parametrize("proven", [8e5, 4e5, 1e5])
def test_a_failed_probe_lowers_the_chance_of_a_quick_link_and_is_no_sample(proven: float) -> None:
    forecast = wavering()
    before, age = chance_above(forecast, 1e6, 80.0), forecast.age(Seconds(80.0))
    forecast.observe_cut(proven / 8 * 0.01, 0.01, at=Seconds(80.0))
    assert chance_above(forecast, 1e6, 80.02) < 0.1 < before
    assert chance_above(forecast, 1e6, 82.0) < before + 0.02
    assert forecast.age(Seconds(80.0)) == age == 2.0


def test_failed_probes_in_a_row_teach_that_the_link_stays_slow() -> None:
    forecast, chances = wavering(), []
    for k in range(12):
        forecast.observe_cut(1_000, 0.02, at=Seconds(80.0 + 2 * k))  # slower than 400 kbit/s
        chances.append(chance_above(forecast, 1e6, 82.0 + 2 * k))
    assert chances[11] < 0.5 * chances[0] and chances[11] < chances[5]


def test_where_all_probes_fail_from_the_first_on_a_slow_link_is_not_given_up() -> None:
    """Given up after 40 ms they tell of less than 200 kbit/s; a plan that needs 76 stays likely enough to be tried."""
    forecast = plain()
    for k in range(10):
        forecast.observe_cut(1_000, 0.04, at=Seconds(2.0 * k))
        assert chance_above(forecast, 76e3, 2.0 * k + 2) > 0.1


def test_a_bound_that_was_proven_is_not_loosened_by_one_that_says_less() -> None:
    forecast = wavering()
    forecast.observe_cut(1_000, 0.04, at=Seconds(80.0))
    tight = chance_above(forecast, 6e5, 80.01)
    forecast.observe_cut(100_000, 0.1, at=Seconds(80.005))  # slower than 8 Mbit/s
    assert chance_above(forecast, 6e5, 80.01) < tight + 0.02


def test_after_a_step_the_forecast_is_where_the_link_is_and_not_between() -> None:
    forecast = plain()
    for k in range(2_000):
        forecast.observe(12_500, 0.1, at=Seconds(2.0 * k))
    forecast.observe(12_500, 1.0, at=Seconds(4_000.0))
    told = forecast.predictive(Seconds(4_000.1))
    assert told is not None
    assert told.quantile(0.1) == pytest.approx(1e5, rel=0.05) and told.quantile(0.9) < 1.4e5


def test_what_is_asked_of_a_longer_transfer_is_less_certain() -> None:
    forecast = steady(2e6)
    soon, later = (forecast.predictive(Seconds(29.1), within=seconds) for seconds in (0.0, 4.0))
    assert soon is not None and later is not None
    assert later.quantile(0.05) < soon.quantile(0.05)
    same = forecast.predictive(Seconds(31.1))
    assert same is not None and same.bandwidths.tolist() == later.bandwidths.tolist()


def followed(samples: list[float]) -> tuple[LinkForecast, float]:
    """A forecast asked before each sample, and how often less came than its lower twentieth."""
    forecast, below = plain(), 0
    for k, bandwidth in enumerate(samples):
        predictive = forecast.predictive(Seconds(float(k)))
        below += predictive is not None and bandwidth < predictive.quantile(0.05)
        forecast.observe(20_000, 160_000 / bandwidth, at=Seconds(float(k)))
    return forecast, below / len(samples)


def test_it_learns_how_often_this_link_breaks_away() -> None:
    last, seldom = Seconds(600.0), []
    for seed in range(5, 9):
        random = np.random.default_rng(seed)
        calm = [2e6 * math.exp(0.1 * random.standard_normal()) for _ in range(600)]
        broken = [1e5 if random.random() < 0.08 and k < 598 else bandwidth for k, bandwidth in enumerate(calm)]
        lowered, steady_one = (followed(samples)[0].predictive(last) for samples in (broken, calm))
        assert lowered is not None and steady_one is not None
        assert steady_one.chance_above(1e6) > 0.98
        seldom.append(lowered.chance_above(1e6))
    assert float(np.mean(seldom)) == pytest.approx(0.92, abs=0.03)


def test_what_it_claims_of_a_link_that_wanders_comes_true_as_often() -> None:
    random = np.random.default_rng(6)
    walk = np.exp(np.cumsum(0.25 * random.standard_normal(800)) * 0.3 + math.log(3e6))
    _, below = followed(walk.tolist())
    assert below == pytest.approx(0.05, abs=0.025)


def test_what_is_cut_again_and_again_keeps_no_tail_alive_in_which_no_sample_ever_lay() -> None:
    forecast, random = plain(), np.random.default_rng(5)
    for k in range(150):
        now = Seconds(2.0 * k)
        forecast.predictive(now)
        if k % 3 == 0:
            forecast.observe_cut(300e3 / 8 * 0.05, 0.05, at=now)  # below 300 kbit/s, as half of all samples are
            forecast.predictive(now)
        sample = float(random.choice([150e3, 600e3])) * math.exp(0.02 * random.standard_normal())
        forecast.observe(sample / 8 * 0.1, 0.1, at=Seconds(now + 0.1))
    assert below(forecast, 20e3, 300.0) < 0.015
