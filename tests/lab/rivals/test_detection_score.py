from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.lab.rivals.detection_score import Score, area, score


def test_each_alarm_finds_one_change_at_most_and_in_time() -> None:
    result = score([5, 101, 103, 230], [100, 200, 300], 400, tolerance=20)
    assert result == Score(median_delay=2.0, mean_delay=(2 + 20 + 20) / 3, miss_rate=2 / 3, false_alarms_per_1000=7.5)


def test_an_alarm_with_the_first_sample_of_a_level_has_a_delay_of_one() -> None:
    assert score([100], [100], 200).median_delay == 1


def test_silence_misses_everything_and_is_never_wrong() -> None:
    assert score([], [10, 50], 100) == Score(median_delay=None, mean_delay=20, miss_rate=1.0, false_alarms_per_1000=0.0)


@given(alarms=st.sets(st.integers(0, 999)), changes=st.sets(st.integers(0, 999), min_size=1))
def test_alarms_are_either_false_or_find_a_change(alarms: set[int], changes: set[int]) -> None:
    result = score(sorted(alarms), sorted(changes), 1000)
    hits = round((1 - result.miss_rate) * len(changes))
    assert round(result.false_alarms_per_1000) + hits == len(alarms)


def point(false_alarms: float, delay: float) -> Score:
    return Score(median_delay=delay, mean_delay=delay, miss_rate=0.0, false_alarms_per_1000=false_alarms)


def test_the_area_of_a_detector_that_is_always_quiet_is_its_delay() -> None:
    assert area([point(0.0, 3.0)]) == pytest.approx(3.0)


def test_the_area_counts_the_tolerance_where_a_detector_cannot_be_that_quiet() -> None:
    assert area([point(1.0, 2.0)]) == pytest.approx((20 + 2) / 2)  # half of the decades


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(1, 20)), min_size=1, max_size=6))
def test_one_more_sensitivity_never_enlarges_the_area(points: list[tuple[float, float]]) -> None:
    scores = [point(*pair) for pair in points]
    assert area(scores) <= area(scores[1:]) + 1e-9


def test_nothing_to_find_is_refused() -> None:
    with pytest.raises(InputError, match="0 changes"):
        score([], [], 100)
