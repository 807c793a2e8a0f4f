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


def test_points_that_undercut_nobody_all_stay() -> None:
    rising = np.arange(2000.0)
    assert len(frontier(rising, rising[None, :])) == 2000
    assert frontier(rising, -rising[None, :]).tolist() == [1999]


def test_of_equal_points_the_first_stays() -> None:
    assert frontier(np.array([0.5, 0.9, 0.9]), np.ones((5, 3))).tolist() == [1]


def test_neighbouring_numbers_are_told_apart() -> None:
    more = np.nextafter(1.0, 2.0)
    assert frontier(np.array([1.0, more]), np.array([[1.0, more]])).tolist() == [0, 1]
