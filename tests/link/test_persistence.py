from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.link.persistence import Persistence, _student_t

ANEW = 0.5  # density of a sample drawn anew: anything within two units


def followed(
    holds: float, *, noise: float = 0.02, looks: int = 800, age: float = 0.25, seed: int = 0
) -> tuple[Persistence, float]:
    """What is learned of a link that holds for some seconds on average, then is anything; and when it ends."""
    random, persistence, value = np.random.default_rng(seed), Persistence(), 0.0
    for look in range(looks):
        if random.random() < -math.expm1(-age / holds):
            value = float(random.uniform(-1, 1))
        persistence.observe(value + noise * float(random.standard_normal()), look * age, ANEW)
    return persistence, (looks - 1) * age


def middle(persistence: Persistence, now: float) -> float:
    nodes, weights, _ = persistence.components(now)
    return float(np.average(nodes[:, nodes.shape[1] // 2], weights=weights))


@pytest.mark.parametrize("holds", [0.5, 2.0, 8.0, 60.0])
def test_it_learns_for_how_long_a_link_holds(holds: float) -> None:
    """Hypotheses are powers of four, so what it believes is right within one."""
    chances = []
    for seed in range(5):
        learned, _ = followed(holds, looks=1200, seed=seed)
        chances.append(learned.lasts(holds))
    assert math.exp(-2.5) < float(np.mean(chances)) < math.exp(-0.4)


def test_it_learns_how_far_two_looks_at_the_same_link_differ() -> None:
    near, far = (followed(60.0, noise=noise)[0].spread for noise in (0.02, 0.2))
    assert near == pytest.approx(0.02, rel=0.6)
    assert far == pytest.approx(0.2, rel=0.3)


def test_of_noisy_looks_at_one_level_it_takes_the_mean_and_not_the_last() -> None:
    random, persistence = np.random.default_rng(4), Persistence()
    looks = 14.0 + 0.2 * random.standard_normal(200)
    for at, look in enumerate(looks):
        persistence.observe(float(look), float(at), 0.02)
    assert middle(persistence, 199.0) == pytest.approx(14.0, abs=0.12)
    for at, look in enumerate((14.5, 13.5)):
        persistence.observe(look, 200.0 + at, 0.02)
    assert middle(persistence, 201.0) == pytest.approx(14.0, abs=0.12)


@pytest.mark.parametrize("looks", [20, 1000])
def test_after_a_step_only_what_came_since_counts(looks: int) -> None:
    persistence = Persistence()
    for at in range(looks):
        persistence.observe(14.0, 2.0 * at, 0.05)
    persistence.observe(12.0, 2.0 * looks, 0.05)
    assert middle(persistence, 2.0 * looks) == pytest.approx(12.0, abs=0.02)


def test_a_link_that_was_steady_for_long_is_believed_to_move_once_it_has_moved() -> None:
    chances = []
    for steady in (200, 5_000):
        persistence, at = Persistence(), 0.0
        for _ in range(steady):
            at += 2.0
            persistence.observe(14.0, at, ANEW)
        assert persistence.lasts(2.0) > 0.97
        for turn in range(4):
            at += 2.0
            persistence.observe(14.0 + turn, at, ANEW)
        chances.append(persistence.lasts(2.0))
    assert max(chances) < 0.6 and chances[0] == pytest.approx(chances[1], abs=0.02)


def test_after_a_million_steady_looks_all_numbers_are_finite() -> None:
    persistence = Persistence()
    persistence.observe(14.0, 0.0, ANEW)
    # What follows changes nothing more: every look is the same, so a fixed point is reached long before a million.
    before = None
    for at in range(1, 20_000):
        persistence.observe(14.0, 2.0 * at, ANEW)
        after = (persistence.rate, persistence.spread, persistence.chance(2.0 * at + 2.0))
        if at % 1000 == 0:
            assert before is None or at < 5000 or after == pytest.approx(before, rel=1e-3)
            before = after
    assert 1 / 256 <= persistence.rate < 0.1 and 0.003 <= persistence.spread < 0.02
    assert persistence.observe(14.0, 1e12, ANEW) < 1e-9 and math.isfinite(persistence.rate)


def test_looks_that_are_seldom_tell_of_no_shorter_holding() -> None:
    often, seldom = (
        np.mean([followed(8.0, age=age, looks=600, seed=seed)[0].lasts(8.0) for seed in range(6)])
        for age in (0.25, 2.0)
    )
    assert seldom == pytest.approx(often, abs=0.2)


def test_the_longer_ago_the_less_it_is_what_was_seen() -> None:
    persistence, at = followed(2.0)
    chances = [persistence.chance(at + age) for age in (0.0, 0.1, 1.0, 10.0)]
    assert chances == sorted(chances, reverse=True) and chances[0] == pytest.approx(1.0)


def test_before_anything_was_seen_nothing_is_held() -> None:
    assert Persistence().chance(0.0) == 0.0
    assert Persistence().observe(14.0, 0.0, 0.0) == 0.0


def test_a_sample_like_the_last_is_owed_to_a_level_that_is_held_and_one_far_off_is_not() -> None:
    persistence, at = followed(4.0)
    last = middle(persistence, at)
    assert persistence.observe(last + 1e-3, at + 0.1, ANEW) > 0.9
    assert persistence.observe(last + 1.0, at + 0.2, ANEW) < 0.05


def test_a_bound_that_contradicts_the_level_ends_it_and_one_that_agrees_renews_nothing() -> None:
    for away, low, high in ((-1.0, 0.0, 0.02), (1.0, 0.3, 1.0)):
        bounded, at = followed(2.0)
        other, _ = followed(2.0)
        level = middle(bounded, at)
        likely = bounded.bounded(level + away, at + 1.0, 0.5, below=True)
        assert (likely > 0.5) == (away > 0)
        assert low <= bounded.chance(at + 1.0) <= high
        if away > 0:
            assert bounded.chance(at + 3.0) < bounded.chance(at + 1.0) * math.exp(-0.3)
        assert other.bounded(level + away, at + 1.0, 0.5, below=False) == pytest.approx(1 - likely, abs=0.05)


def test_what_may_have_been_an_outage_says_as_little_of_the_level_as_it_was_likely_one() -> None:
    chances = []
    for nothing in (0.0, 1.0):
        persistence, at = followed(2.0)
        before = persistence.lasts(2.0)
        persistence.bounded(middle(persistence, at) - 1.0, at + 0.1, 0.5, below=True, nothing=nothing, unbounded=0.0)
        chances.append(persistence.lasts(2.0) / before)
        assert persistence.chance(at + 0.1, unbounded=1.0) > 0.9
        assert persistence.chance(at + 0.1) < 0.1
    assert chances[0] < 1.0 and chances[1] == pytest.approx(1.0, abs=0.05)


def test_the_distribution_function_is_students_with_four_degrees_of_freedom() -> None:
    """From the tables: its quantiles at .75, .95, .99 and .9995."""
    quantiles = np.array([0.0, 0.7407, 2.1318, 3.7469, 8.6103])
    assert _student_t(quantiles) == pytest.approx([0.5, 0.75, 0.95, 0.99, 0.9995], abs=1e-5)
    assert _student_t(-quantiles) == pytest.approx([0.5, 0.25, 0.05, 0.01, 0.0005], abs=1e-5)
