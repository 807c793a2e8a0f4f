"""A machine's drift: followed when the machine changes, still when it does not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from edgent.latency.drift import Drift

PROFILED = 0.012


def followed(factors: Iterable[float], noise: float, seed: int) -> Iterator[float]:
    """The factor that is believed before each request, on a machine whose true factors are these."""
    drift, random = Drift(), np.random.default_rng(seed)
    for factor in factors:
        yield drift.factor
        drift.update(PROFILED * factor * max(0.05, 1 + noise * random.standard_normal()), PROFILED)


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.parametrize("step", [1.3, 2.0])
def test_after_a_slow_down_requests_21_to_40_are_predicted_without_bias(step: float, noise: float) -> None:
    biases = []
    for seed in range(120):
        believed = list(followed([1.0] * 60 + [step] * 40, noise, seed))
        biases.append(float(np.mean(believed[80:100])) / step - 1)
    assert np.quantile(np.abs(biases), 0.95) <= 0.05
    assert abs(np.mean(biases)) <= 0.01


@pytest.mark.parametrize("seed", range(5))
def test_under_noise_alone_the_factor_stays_at_one(seed: int) -> None:
    believed = np.array(list(followed([1.0] * 10_000, 0.1, seed)))
    assert np.mean(np.abs(believed - 1) <= 0.03) >= 0.99


def test_a_machine_that_recovers_is_believed_again() -> None:
    believed = list(followed([1.0] * 50 + [2.0] * 50 + [1.0] * 40, 0.05, 7))
    assert believed[99] == pytest.approx(2.0, rel=0.05)
    assert believed[139] == pytest.approx(1.0, rel=0.05)


def test_a_creeping_slow_down_is_followed_within_ten_per_cent() -> None:
    truth = np.concatenate([np.ones(100), np.geomspace(1.0, 1.8, 400)])
    believed = np.array(list(followed(truth, 0.05, 3)))
    assert np.max(np.abs(believed / truth - 1)[110:]) <= 0.1


@pytest.mark.parametrize("outliers", [1, 2])
def test_an_outlier_or_two_are_no_change(outliers: int) -> None:
    drift = Drift()
    for _ in range(50):
        drift.update(PROFILED, PROFILED)
    for _ in range(outliers):
        drift.update(30 * PROFILED, PROFILED)
        assert not drift.change_detected
    assert drift.factor == pytest.approx(1.0, abs=0.02)


def test_three_alike_are_a_change() -> None:
    drift = Drift()
    detected = []
    for factor in [1.0] * 50 + [3.0] * 3:
        drift.update(factor * PROFILED, PROFILED)
        detected.append(drift.change_detected)
    assert detected.index(True) in (51, 52)
    assert drift.factor == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize("measured", [math.nan, math.inf, -math.inf, -0.5, 0.0])
@pytest.mark.parametrize("profiled", [PROFILED, math.nan, 0.0, -1.0])
def test_a_clock_that_jumps_leaves_the_factor_as_it_was(measured: float, profiled: float) -> None:
    drift = Drift()
    for _ in range(20):
        drift.update(1.2 * PROFILED, PROFILED)
    before = drift.factor
    drift.update(measured, profiled)
    drift.update(PROFILED, 0.0)
    assert drift.factor == before
    assert not drift.change_detected


def test_a_jump_that_looks_like_a_time_moves_the_factor_little_and_never_beyond_bounds() -> None:
    drift = Drift()
    for _ in range(30):
        drift.update(PROFILED, PROFILED)
    drift.update(1e9, PROFILED)
    assert drift.factor == pytest.approx(1.0, abs=0.02)
    for _ in range(200):
        drift.update(1e300, 1e-300)
    assert drift.factor == pytest.approx(64.0)


def test_a_machine_that_is_not_looked_at_is_tried_again_in_time() -> None:
    drift = Drift()
    for _ in range(30):
        drift.update(8 * PROFILED, PROFILED)
    assert drift.factor == pytest.approx(8.0, rel=0.01)
    for _ in range(150):
        drift.unseen()
    assert 1.0 < drift.factor < 1.2
    for _ in range(6):
        drift.update(8 * PROFILED, PROFILED)
    assert drift.factor == pytest.approx(8.0, rel=0.2)


def test_a_machine_that_is_looked_at_now_and_then_is_believed_as_one_that_always_is() -> None:
    drift = Drift()
    for _ in range(30):
        drift.update(2 * PROFILED, PROFILED)
        for _ in range(10):
            drift.unseen()
    assert drift.factor == pytest.approx(2.0, rel=0.01)


def test_a_machine_never_looked_at_keeps_its_profile_against_a_first_outlier() -> None:
    drift = Drift()
    for _ in range(500):
        drift.unseen()
    drift.update(30 * PROFILED, PROFILED)
    assert drift.factor == pytest.approx(1.0, abs=0.02)


def test_the_noise_of_a_steady_machine_is_learned() -> None:
    drift, random = Drift(), np.random.default_rng(2)
    for look in 0.04 * random.standard_normal(2000):
        drift.update(PROFILED * math.exp(look), PROFILED)
    assert drift.noise == pytest.approx(0.04, rel=0.3)


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
def test_of_a_thousand_looks_hardly_one_takes_longer_than_the_scatter_of_those_before_it(noise: float) -> None:
    drift, looks = Drift(), noise * np.random.default_rng(3).standard_normal(1032)
    longer = 0
    for number, look in enumerate(looks):
        longer += number >= 32 and math.exp(look) > drift.factor * (1 + drift.scatter)
        drift.update(PROFILED * math.exp(look), PROFILED)
    assert 0 < longer < 15  # three deviations, of which 32 looks know the size within an eighth
    assert drift.scatter == pytest.approx(math.expm1(3 * noise), rel=0.4)


def test_nothing_is_known_of_the_scatter_before_three_looks_and_after_a_long_pause() -> None:
    drift = Drift()
    scatters = []
    for measured in (1.2, 0.8, 1.2):
        scatters.append(drift.scatter)
        drift.update(measured * PROFILED, PROFILED)
    assert scatters == [0.0, 0.0, 0.0]
    assert drift.scatter > 0.5
    for _ in range(30):
        drift.unseen()
    assert drift.scatter == 0.0


def test_one_outlier_widens_the_scatter_of_a_steady_machine_little() -> None:
    drift = Drift()
    for number in range(300):
        drift.update((1.02 if number % 2 else 0.98) * PROFILED, PROFILED)
    before = drift.scatter
    drift.update(10 * PROFILED, PROFILED)
    assert before < drift.scatter < 1.5 * before
