from __future__ import annotations

import numpy as np
import pytest

from edgent.link.correlation import Correlation


def heard(samples: list[float], *, changes: frozenset[int] = frozenset()) -> Correlation:
    correlation = Correlation(0.2)
    for at in range(1, len(samples)):
        near = {at, at - 1} & changes
        correlation.observe(samples[at] - samples[at - 1], steady=0.0 if near else 1.0)
    return correlation


def waves(seed: int, size: int, rho: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = np.random.default_rng(seed).standard_normal(size)
    for at in range(1, size):
        found[at] = rho * found[at - 1] + np.sqrt(1 - rho**2) * found[at]
    return 0.2 * found


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5, 0.7])
def test_it_finds_the_correlation(rho: float) -> None:
    assert heard(waves(1, 4000, rho).tolist()).coefficient == pytest.approx(rho, abs=0.08)


def test_a_level_is_no_correlation() -> None:
    assert heard((waves(2, 2000, 0.0) + 7.0).tolist()).coefficient < 0.08


def test_steps_that_are_known_are_no_correlation() -> None:
    levels = np.repeat(np.arange(40) % 2 * 3.0, 50)
    samples = (waves(3, 2000, 0.0) + levels).tolist()
    assert heard(samples, changes=frozenset(range(50, 2000, 50))).coefficient < 0.1


def test_at_first_samples_are_taken_for_independent_and_never_for_nearly_the_same() -> None:
    assert Correlation(0.2).coefficient == 0.0
    assert heard(np.linspace(0, 50, 500).tolist()).coefficient == 0.8


def test_a_difference_over_a_gap_is_not_compared_with_the_one_before() -> None:
    correlation = Correlation(0.2)
    correlation.observe(0.2, steady=1.0)
    correlation.interrupt()
    before = correlation.coefficient
    correlation.observe(0.2, steady=1.0)
    assert correlation.coefficient == before
