from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgent.link.change_points
from edgent.errors import InputError
from edgent.lab.rivals.detection_score import score
from edgent.link.change_points import HAZARD, ChangePointDetector
from edgent.link.generator import steps
from edgent.link.predictive import SHARES, student_t_nodes

ALPHA, SPREAD, REACH, OUTLIERS, FARTHEST, FADING = 12.0, 0.2, 1.0, 0.0015, 3.0, 0.9995


def log_density(x: float, mean: float, scale: float, degrees: float) -> float:
    """Student's t, in the form of its textbook."""
    z = (x - mean) / scale
    gamma = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
    return gamma - math.log(math.pi * degrees) / 2 - math.log(scale) - (degrees + 1) / 2 * math.log1p(z * z / degrees)


class Exact:
    """Every run length, each run's statistics computed anew from its samples: quadratic, and as plain as it gets."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self.centres: list[float] = []  # of the prior of the run that begins with sample k
        self.correlations: list[float] = []  # that were believed when sample k came
        self.steady: list[float] = []  # the probability that sample k and both before it are of one run
        self.steps: list[float] = []  # from the sample before it to sample k, as far as three deviations
        self.posterior = [1.0]  # by run length

    def correlation(self) -> float:
        """That of a moving average of differences, in whose sums old ones fade and 50 independent ones stand first."""
        weights = [FADING ** (len(self.samples) - k - 1) for k in range(2, len(self.samples))]
        before = 50 * SPREAD**2 * FADING ** len(weights)
        squares, products = 2 * before, -before
        for weight, k in zip(weights, range(2, len(self.samples)), strict=True):
            one, other = self.steps[k - 1 : k + 1]
            squares += weight * self.steady[k] * (one**2 + other**2) / 2
            products += weight * self.steady[k] * one * other
        return min(max(0.0, 1 + 2 * products / squares), 0.8)

    def reading(self, k: int, start: int, mean: float, variance: float) -> tuple[float, float, float]:
        """What sample k of a run says about the level, how precisely, and by which factor it is the sample's own."""
        rho = self.correlations[k]
        if k == start:
            return self.samples[k], 1 - rho**2, 1.0
        reach = FARTHEST * math.sqrt(variance / (1 - rho**2))
        before = max(mean - reach, min(mean + reach, self.samples[k - 1]))
        return (self.samples[k] - rho * before) / (1 - rho), (1 - rho) ** 2, 1 - rho

    def statistics(self, start: int, end: int) -> tuple[float, float, float, float]:
        kappa, mean, alpha, beta = (SPREAD / REACH) ** 2, self.centres[start], ALPHA, ALPHA * SPREAD**2
        for k in range(start, end):
            reading, precision, _ = self.reading(k, start, mean, beta / alpha)
            reach = FARTHEST * math.sqrt(beta / alpha * (1 / kappa + 1 / precision))
            heard = max(mean - reach, min(mean + reach, reading))
            beta += kappa * precision * (heard - mean) ** 2 / (2 * (kappa + precision))
            mean = (kappa * mean + precision * (reading if k == start else heard)) / (kappa + precision)
            kappa, alpha = kappa + precision, alpha + 0.5
        return mean, kappa, alpha, beta

    def density(self, start: int, now: int) -> float:
        mean, kappa, alpha, beta = self.statistics(start, now)
        reading, precision, share = self.reading(now, start, mean, beta / alpha)
        scale = math.sqrt(beta / alpha * (1 / kappa + 1 / precision))
        return math.exp(log_density(reading, mean, scale, 2 * alpha)) / share

    def update(self, x: float) -> None:
        if not self.samples:
            self.centres = [x]
        now = len(self.samples)
        self.correlations.append(self.correlation())
        self.samples.append(x)
        joint = [
            probability * ((1 - OUTLIERS) * self.density(now - r, now) + OUTLIERS / math.log(1000))
            for r, probability in enumerate(self.posterior)
        ]
        means = [self.statistics(now - r, now + 1)[0] for r in range(len(joint))]
        self.centres.append(sum(j / sum(joint) * mean for j, mean in zip(joint, means, strict=True)))
        self.posterior = [HAZARD, *(j / sum(joint) * (1 - HAZARD) for j in joint)]
        self.steady.append(1 - sum(self.posterior[:3]))
        likeliest = 1 + self.posterior[1:].index(max(self.posterior[1:]))
        _, _, alpha, beta = self.statistics(now + 1 - likeliest, now + 1)
        reach, step = FARTHEST * math.sqrt(beta / alpha), x - self.samples[now - 1]
        self.steps.append(max(-reach, min(reach, step)))


def noisy(seed: int, levels: list[float], each: int, spread: float = 0.2, correlation: float = 0.0) -> list[float]:
    random, deviation, found = np.random.default_rng(seed), 0.0, []
    for level in np.repeat(levels, each).tolist():
        deviation = correlation * deviation + math.sqrt(1 - correlation**2) * random.standard_normal()
        found.append(level * math.exp(spread * deviation))
    return found


def alarms(detector: ChangePointDetector, samples: list[float]) -> list[int]:
    return [at for at, sample in enumerate(samples) if detector.update(sample)]


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.link.change_points).failed == 0


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    levels=st.lists(st.floats(1e4, 1e8), min_size=1, max_size=4),
    correlation=st.sampled_from([0.0, 0.9]),
)
def test_the_run_lengths_are_those_of_the_exact_quadratic_version(
    seed: int, levels: list[float], correlation: float
) -> None:
    detector, exact = ChangePointDetector(), Exact()
    for sample in noisy(seed, levels, each=20, correlation=correlation):
        detector.update(sample)
        exact.update(math.log(sample))
        found = detector.run_lengths[: len(exact.posterior)]
        assert found == pytest.approx(exact.posterior, rel=1e-6, abs=1e-12)


def test_few_cells_change_little_for_the_short_runs() -> None:
    few, many = ChangePointDetector(), ChangePointDetector(cells=400)
    for sample in noisy(3, [1e6, 2e6, 5e5, 1e6], each=90):
        few.update(sample)
        many.update(sample)
        assert few.run_lengths[:20] == pytest.approx(many.run_lengths[:20], abs=0.02)


@given(samples=st.lists(st.floats(1e3, 1e10), min_size=1, max_size=60))
def test_run_lengths_are_a_distribution_and_run_length_0_has_the_hazard(samples: list[float]) -> None:
    detector = ChangePointDetector(cells=16)
    for sample in samples:
        detector.update(sample)
        assert detector.run_lengths.sum() == pytest.approx(1)
        assert detector.run_lengths[0] == HAZARD


def test_a_long_steady_stream_raises_hardly_an_alarm_though_run_lengths_are_cut() -> None:
    detector = ChangePointDetector(cells=32)
    assert len(alarms(detector, noisy(5, [3e6], each=6000))) <= 1
    assert detector.run_lengths[-1] > 0.9


@settings(max_examples=40)
@given(low=st.floats(math.log(25e3), math.log(50e6)), up=st.booleans(), seed=st.integers(0, 10_000))
def test_a_step_of_two_is_found_at_every_level(low: float, up: bool, seed: int) -> None:
    levels = [math.exp(low), 2 * math.exp(low)]
    samples = noisy(seed, levels if up else levels[::-1], each=40, spread=0.1)
    found = alarms(ChangePointDetector(), samples)
    assert any(40 <= at < 45 for at in found)


def test_a_jump_over_many_octaves_is_found_at_once() -> None:
    samples = noisy(7, [50e3, 50e6, 50e3], each=30)
    first, second = alarms(ChangePointDetector(), samples)
    assert 30 <= first < 33 and 60 <= second < 63


def test_one_outlier_is_no_change_and_two_alike_are() -> None:
    before = noisy(11, [4e6], each=40, spread=0.1)
    assert alarms(ChangePointDetector(), [*before, 1e6, *before]) == []
    assert 41 in alarms(ChangePointDetector(), [*before, 1e6, 1e6, 1e6])


def test_on_streams_with_known_changes_it_is_quick_and_quiet() -> None:
    stream = steps(77, changes=60)
    found = score(alarms(ChangePointDetector(), stream.samples.tolist()), stream.changes, stream.samples.size)
    assert found.median_delay is not None and found.median_delay <= 3
    assert found.miss_rate <= 0.02
    assert found.false_alarms_per_1000 <= 0.5


def test_waves_of_correlated_noise_are_hardly_taken_for_changes_once_they_are_known() -> None:
    waves = noisy(8, [3e6], each=4000, correlation=0.5)
    detector = ChangePointDetector()
    alarms(detector, waves[:1000])
    assert len(alarms(detector, waves[1000:])) <= 2


def test_a_change_is_declared_once_however_long_it_takes_to_settle() -> None:
    stream = steps(31, changes=60)
    found = np.array(alarms(ChangePointDetector(), stream.samples.tolist()))
    again = [at for change in stream.changes for at in found[(found >= change) & (found < change + 10)][1:]]
    assert len(again) <= 1


def test_its_level_is_that_of_the_last_segment() -> None:
    detector = ChangePointDetector()
    assert detector.level is None and detector.run_length == 0 and detector.predictive() is None
    alarms(detector, noisy(2, [8e6, 2e6], each=30, spread=0.05))
    assert detector.level == pytest.approx(2e6, rel=0.05)
    assert abs(detector.run_length - 30) <= 1


def test_what_it_predicts_comes_true_as_often_as_it_says() -> None:
    stream = steps(21, changes=40)
    detector, below = ChangePointDetector(), {0.05: 0, 0.25: 0, 0.5: 0, 0.75: 0, 0.95: 0}
    for sample in stream.samples.tolist():
        predictive = detector.predictive()
        if predictive is not None:
            for probability in below:
                below[probability] += sample <= predictive.quantile(probability)
        detector.update(sample)
    for probability, count in below.items():
        assert count / stream.samples.size == pytest.approx(probability, abs=0.04)


def test_after_a_gap_it_is_less_sure() -> None:
    detector = ChangePointDetector()
    alarms(detector, noisy(2, [8e6], each=30))
    now, later = detector.predictive(), detector.predictive(steps=100)
    assert now is not None and later is not None
    assert later.quantile(0.1) < now.quantile(0.1) < now.quantile(0.9) < later.quantile(0.9)
    assert later.median == pytest.approx(now.median, rel=0.1)


def test_a_change_in_a_gap_is_believed_sooner() -> None:
    detectors = ChangePointDetector(), ChangePointDetector()
    for detector, gap in zip(detectors, (1, 200), strict=True):
        alarms(detector, noisy(2, [8e6], each=30))
        detector.update(5e6, steps=gap)
    assert detectors[1].run_lengths[1] > detectors[0].run_lengths[1]


def test_student_t_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    degrees = np.array([3.0, 6.0, 12.0, 140.0])
    wanted = np.cumsum(SHARES) - SHARES / 2
    for nu, nodes in zip(degrees, student_t_nodes(degrees), strict=True):
        assert nodes == pytest.approx(stats.t.ppf(wanted, nu), rel=2e-2, abs=2e-2)


@pytest.mark.parametrize("sample", [0.0, -1.0, math.inf, math.nan])
def test_a_sample_that_is_no_bandwidth_is_refused_and_changes_nothing(sample: float) -> None:
    detector = ChangePointDetector()
    detector.update(1e6)
    before = detector.run_lengths
    with pytest.raises(InputError, match="positive, finite"):
        detector.update(sample)
    for asked in (detector, ChangePointDetector()):
        with pytest.raises(InputError, match="positive, finite"):
            asked.density(sample)
    assert detector.run_lengths.tolist() == before.tolist()


@pytest.mark.parametrize("wrong", [{"hazard": 0.0}, {"hazard": math.nan}, {"threshold": 1.0}, {"cells": 4}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        ChangePointDetector(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("off", [0.1, 10.0])
@pytest.mark.parametrize("spread", [0.0, 1e-4, 0.01, 0.05])
def test_one_sample_off_by_ten_on_a_quiet_link_is_no_change_and_two_alike_are(spread: float, off: float) -> None:
    for seed in range(5):
        quiet = noisy(seed, [1e6], each=40 + 50 * seed, spread=spread)
        after = noisy(seed, [1e6], each=12, spread=spread)
        detector = ChangePointDetector()
        assert not alarms(detector, [*quiet, off * quiet[-1], *after])
        assert len(alarms(detector, [off * sample for sample in after])) == 1


def test_a_run_never_becomes_surer_than_any_link_is_however_long_it_was_quiet() -> None:
    detector = ChangePointDetector(cells=16)
    for _ in range(20_000):
        detector.update(1e6)
    told = detector.predictive()
    assert told is not None
    assert 1.005 < told.quantile(0.95) / told.quantile(0.05) < 1.1
    assert np.isfinite(detector.run_lengths).all() and detector.run_lengths.sum() == pytest.approx(1)
