from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.link.persistence import Persistence

ANEW = 0.5  # density of a sample drawn anew: anything within two units


def followed(holds: float, *, spread: float = 0.02, looks: int = 2000, age: float = 0.25, seed: int = 0) -> Persistence:
    """What is learned of a link that holds for some seconds on average, then is anything."""
    random, persistence, value = np.random.default_rng(seed), Persistence(), 0.0
    for _ in range(looks):
        if random.random() < -math.expm1(-age / holds):
            value = float(random.uniform(-1, 1))
        persistence.observe(value + spread * float(random.standard_normal()), age, ANEW)
    return persistence


@pytest.mark.parametrize("holds", [0.5, 2.0, 8.0])
def test_it_learns_for_how_long_a_link_holds(holds: float) -> None:
    learned = [1 / followed(holds, looks=800, seed=seed).rate for seed in range(7)]  # its memory is of 50 s
    assert float(np.median(learned)) == pytest.approx(holds, rel=0.3)


def test_it_learns_how_far_two_looks_at_the_same_link_differ() -> None:
    near, far = (followed(4.0, spread=spread).spread for spread in (0.02, 0.1))
    assert near == pytest.approx(0.02 * math.sqrt(2), rel=0.3)
    assert far == pytest.approx(0.1 * math.sqrt(2), rel=0.3)


def test_looks_that_are_seldom_tell_of_no_shorter_holding() -> None:
    often, seldom = followed(2.0, age=0.25), followed(2.0, age=2.0)
    assert 1 / seldom.rate == pytest.approx(1 / often.rate, rel=0.5)


def test_the_longer_ago_the_less_it_is_what_was_seen() -> None:
    persistence = followed(2.0)
    chances = [persistence.chance(age) for age in (0.0, 0.1, 1.0, 10.0)]
    assert chances == sorted(chances, reverse=True) and chances[0] == 1.0


def test_before_anything_was_seen_nothing_persists() -> None:
    assert Persistence().chance(0.0) == 0.0
    assert Persistence().observe(14.0, 0.0, 0.0) == 0.0


def test_a_sample_like_the_last_is_owed_to_persistence_and_one_far_off_is_not() -> None:
    persistence = followed(2.0)
    last = float(np.median(persistence.nodes()))
    assert persistence.observe(last + 1e-3, 0.1, ANEW) > 0.9
    assert persistence.observe(last + 1.0, 0.1, ANEW) < 0.01
