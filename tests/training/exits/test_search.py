from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.training.exits.search import Prospect, chosen, nearest_below, readout, statistics_of, worth

ALL = [Prospect(0.1, 0.3), Prospect(0.3, 0.5), Prospect(0.32, 0.52), Prospect(0.5, 0.75), Prospect(0.8, 0.76)]


def walked(exits, last: float, steps: int = 100_000) -> float:
    """The same area, as a mean over many shares of the operations."""
    shares = (np.arange(steps) + 0.5) / steps
    best = np.zeros(steps)
    for share, accuracy in exits:
        best = np.where(shares >= share, np.maximum(best, accuracy), best)
    return float(np.minimum(best, last).mean()) if last < best.max() else float(best.mean())


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_what_exits_are_worth_is_the_mean_over_all_that_may_be_spent(count) -> None:
    for exits in combinations(ALL, count):
        assert worth(exits, 0.9) == pytest.approx(walked(exits, 0.9), abs=1e-4)


def test_the_exits_chosen_are_worth_the_most() -> None:
    for most in (1, 2, 3):
        best = max(worth(exits, 0.9) for exits in combinations(ALL, most))
        assert worth([ALL[number] for number in chosen(ALL, 0.9, most)], 0.9) == best


def test_an_exit_that_wins_next_to_nothing_is_none() -> None:
    assert chosen([Prospect(0.5, 0.8), Prospect(0.52, 0.801)], 0.9, 2) == (0,)


def test_where_nothing_is_won_it_is_said() -> None:
    with pytest.raises(InputError, match="no place wins anything"):
        chosen([Prospect(1.1, 0.9)], 0.9, 3)


def test_at_a_share_stands_the_latest_exit_that_costs_no_more() -> None:
    assert nearest_below(ALL, (0.49, 0.31)) == (1, 2)
    with pytest.raises(InputError, match="no exit at 5% of the operations: the earliest place takes 10%"):
        nearest_below(ALL, (0.05,))


def test_a_readout_finds_what_is_linear_in_the_statistics_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6)).astype(np.float32)
    classes = (x[:, :3]).argmax(axis=1)
    said = readout(x[:300], np.eye(3)[classes[:300]], x[300:])
    assert (said.argmax(axis=1) == classes[300:]).mean() > 0.9
    drawn = rng.integers(0, 3, 400)
    noise = readout(x[:300], np.eye(3)[drawn[:300]], x[300:])
    assert (noise.argmax(axis=1) == drawn[300:]).mean() < 0.5


def test_statistics_are_means_and_deviations_of_channels() -> None:
    values = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    statistics = statistics_of(values)
    assert statistics[2] == pytest.approx(values[2].mean())
    assert statistics[4 + 3] == pytest.approx(values[3].std(), rel=1e-5)
