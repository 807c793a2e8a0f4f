"""The frontier against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.planning import frontier as module
from edgent.planning.frontier import frontier


def by_definition(merit: np.ndarray, demand: np.ndarray) -> list[int]:
    """Every pair compared; of equal ones the first stays."""
    kept = []
    for one in range(len(merit)):
        no_worse = (merit >= merit[one]) & (demand <= demand[:, [one]]).all(axis=0)
        equal = (merit == merit[one]) & (demand == demand[:, [one]]).all(axis=0)
        if not (no_worse & ~equal).any() and np.flatnonzero(equal)[0] == one:
            kept.append(one)
    return kept


def some(random: np.random.Generator, m: int, components: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Points with many ties, as real candidates have: few distinct merits, sizes and messages."""
    values = random.integers(2, 60, components)
    demand = np.stack([random.integers(0, most, m) for most in values]).astype(float)
    return random.integers(0, 9, m) / 9, demand


@pytest.mark.parametrize(("few", "pairs"), [(1, 1), (2, 4), (8, 64), (256, 1 << 18)])
def test_it_equals_its_definition_however_finely_the_points_are_divided(
    few: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", few)
    monkeypatch.setattr(module, "_PAIRS", pairs)
    for seed in range(150):
        random = np.random.default_rng(seed)
        merit, demand = some(random, int(random.integers(1, 120)), int(random.integers(1, 6)))
        assert frontier(merit, demand).tolist() == by_definition(merit, demand), f"seed {seed}"


def test_it_equals_its_definition_on_many_points_at_its_own_grain() -> None:
    merit, demand = some(np.random.default_rng(1), 4000)
    assert frontier(merit, demand).tolist() == by_definition(merit, demand)


def test_dividing_spares_nearly_all_comparisons_and_takes_no_table_of_more_than_2_to_the_18(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []

    def counted(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        compared.append(above.shape[1] * below.shape[1])
        return pairs(above, below)

    pairs = module._pairs
    monkeypatch.setattr(module, "_pairs", counted)
    m = 16_000
    frontier(*some(np.random.default_rng(1), m))
    assert sum(compared) < 0.008 * m**2
    assert max(compared) <= 2**18


@pytest.mark.parametrize("components", [1, 2, 5])
def test_a_long_frontier_is_found_as_by_definition(components: int) -> None:
    """Random numbers, of which few are equal and in five components many undercut nobody."""
    random = np.random.default_rng(components)
    merit, demand = random.random(1500), random.random((components, 1500))
    assert frontier(merit, demand).tolist() == by_definition(merit, demand)


def test_one_point_is_its_own_frontier_and_none_has_none() -> None:
    assert frontier(np.array([0.5]), np.array([[1.0]])).tolist() == [0]
    assert frontier(np.array([]), np.zeros((2, 0))).tolist() == []


def test_points_that_undercut_nobody_all_stay() -> None:
    rising = np.arange(2000.0)
    assert len(frontier(rising, rising[None, :])) == 2000
    assert frontier(rising, -rising[None, :]).tolist() == [1999]


def test_of_equal_points_the_first_stays() -> None:
    assert frontier(np.array([0.5, 0.9, 0.9]), np.ones((5, 3))).tolist() == [1]


def test_neighbouring_numbers_are_told_apart() -> None:
    more = np.nextafter(1.0, 2.0)
    assert frontier(np.array([1.0, more]), np.array([[1.0, more]])).tolist() == [0, 1]
