"""What other programs took while kernels were timed; the oracle is made-up kernels whose own times are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.profiling.interruptions import without_interruptions

OWN = np.array([20e-6, 150e-6, 400e-6, 5e-6])
ROUNDS = 5


def rounds(own: np.ndarray, lost: Sequence[tuple[int, int, float]]) -> np.ndarray:
    """Every kernel takes what it takes itself, and in some rounds what was lost meanwhile: (round, kernel, seconds)."""
    times = np.tile(own, (ROUNDS, 1))
    for number, kernel, seconds in lost:
        times[number, kernel] += seconds
    return times


def test_where_nothing_was_lost_a_kernel_takes_the_median_of_its_rounds() -> None:
    times = rounds(OWN, []) * np.random.default_rng(0).uniform(0.9, 1.1, (ROUNDS, len(OWN)))
    # The run takes a little longer than its kernels: there is the call around them.
    left = without_interruptions(times, times.sum(axis=1) + 10e-6)
    assert left == pytest.approx(np.median(times, axis=0), rel=1e-12)


@pytest.mark.parametrize("spared", range(ROUNDS))
def test_a_kernel_that_one_round_spared_keeps_its_own_time(spared: int) -> None:
    times = rounds(OWN, [(number, 2, 4e-3) for number in range(ROUNDS) if number != spared])
    assert without_interruptions(times, np.full(ROUNDS, OWN.sum())) == pytest.approx(OWN, rel=1e-9)


def test_interruptions_of_several_kernels_in_one_round_leave_all_of_them_their_own_times() -> None:
    times = rounds(OWN, [(0, 0, 3e-3), (0, 2, 5e-3), (1, 3, 8e-3), (2, 1, 1e-3), (3, 1, 2e-3), (4, 0, 1e-3)])
    assert without_interruptions(times, np.full(ROUNDS, OWN.sum())) == pytest.approx(OWN, rel=1e-9)


def test_what_hit_a_long_kernel_in_every_round_is_taken_from_it_and_not_from_the_short_ones() -> None:
    own = np.array([20e-6, 9e-3, 400e-6])
    times = rounds(own, [(number, 1, 7e-3 + number * 1e-3) for number in range(ROUNDS)])
    assert without_interruptions(times, np.full(ROUNDS, own.sum())) == pytest.approx(own, rel=1e-9)


def test_two_long_kernels_share_what_no_round_spared_them() -> None:
    own = np.array([4e-3, 8e-3, 100e-6])
    times = rounds(own, [(number, kernel, own[kernel]) for number in range(ROUNDS) for kernel in (0, 1)])
    left = without_interruptions(times, np.full(ROUNDS, own.sum()))
    assert left[2] == pytest.approx(own[2], rel=1e-9)
    assert left[:2] == pytest.approx(own[:2], rel=0.1)
    assert left.sum() == pytest.approx(own.sum())


@given(
    st.lists(st.lists(st.floats(1e-6, 1.0), min_size=3, max_size=3), min_size=1, max_size=6),
    st.floats(-3600.0, 3600.0),
)
def test_no_kernel_takes_less_than_nothing_or_longer_than_it_was_seen_to(
    times: list[list[float]], taken: float
) -> None:
    seen = np.array(times)  # even if the clock of the run was set back meanwhile
    left = without_interruptions(seen, np.full(len(seen), taken))
    assert (left > 0).all()
    assert (left <= seen.max(axis=0) * (1 + 1e-9)).all()
