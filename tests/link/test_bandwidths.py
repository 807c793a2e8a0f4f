"""Both directions as one distribution."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.link import Predictive
from edgent.link.bandwidths import Bandwidths
from edgent.link.predictive import NOTHING


def drawn(random: np.random.Generator, quantiles: int) -> Predictive:
    bandwidths = np.sort(10 ** random.uniform(5, 8, quantiles))
    return Predictive(bandwidths=bandwidths, weights=random.dirichlet(np.ones(quantiles)))


@pytest.mark.parametrize("seed", range(10))
def test_directions_of_unlike_weights_move_together_quantile_by_quantile(seed: int) -> None:
    random = np.random.default_rng(seed)
    up, down = drawn(random, 5), drawn(random, 8)
    both = Bandwidths.together(up, down)
    assert both.weights.sum() == pytest.approx(1)
    assert (np.diff(both.up) >= 0).all() and (np.diff(both.down) >= 0).all()
    for direction, paired in ((up, both.up), (down, both.down)):
        for bandwidth, weight in zip(direction.bandwidths, direction.weights, strict=True):
            assert both.weights[paired == bandwidth].sum() == pytest.approx(weight)


def test_directions_of_the_same_weights_are_paired_as_they_are() -> None:
    up = drawn(np.random.default_rng(1), 6)
    down = Predictive(bandwidths=2 * up.bandwidths, weights=up.weights)
    both = Bandwidths.together(up, down)
    assert np.array_equal(both.down, 2 * both.up) and both.weights.size == 6
    assert not both.alike


def test_one_distribution_for_both_directions_is_alike_and_two_equal_ones_are_not() -> None:
    link = drawn(np.random.default_rng(2), 6)
    copy = Predictive(bandwidths=link.bandwidths.copy(), weights=link.weights)
    assert Bandwidths.together(link, link).alike
    assert not Bandwidths.together(link, copy).alike
    assert not Bandwidths.certain(1e6, 1e6).alike


def test_what_does_not_get_through_in_one_direction_does_not_get_through() -> None:
    both = Bandwidths(
        up=np.array([NOTHING, 1e6, 2e6]), down=np.array([5e5, NOTHING, 3e6]), weights=np.array([0.5, 0.3, 0.2])
    )
    assert both.passing.tolist() == [0.0, 0.0, 0.2]
    assert both.median() == (2e6, 3e6)


@pytest.mark.parametrize("seed", range(10))
def test_the_middle_pair_has_half_of_what_passes_on_either_side(seed: int) -> None:
    random = np.random.default_rng(seed)
    both = Bandwidths.together(drawn(random, 7), drawn(random, 9))
    up, down = both.median()
    for bandwidths, middle in ((both.up, up), (both.down, down)):
        assert both.weights[bandwidths < middle].sum() <= 0.5 + 1e-9
        assert both.weights[bandwidths > middle].sum() <= 0.5 + 1e-9


def test_who_is_sure_has_one_pair() -> None:
    both = Bandwidths.certain(1e6, 4e6)
    assert both.median() == (1e6, 4e6)
    assert repr(both) == "<Bandwidths up and down 1 and 4 Mbit/s, 1 pairs>"
