"""Numbers and intervals: beside SciPy's, beside arithmetic, and beside what a planner must conclude from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edgent.evaluation.measures.likeness import Cosine, SameLabel
from edgent.evaluation.measures.masks import IGNORED, MeanIoU, SamePixels
from edgent.evaluation.measures.measure import Interval, MeanMeasure, wilson

LABELS = SameLabel([], "top-1")


class Plain(MeanMeasure):
    metric = "mean"

    def judge(self, answer: float, row: int) -> float:
        return answer


def outcomes(right: int, wrong: int) -> list[float]:
    return [1.0] * right + [0.0] * wrong


@pytest.mark.parametrize(("right", "of"), [(0, 1), (1, 1), (3, 7), (48, 60), (60, 60), (8391, 10000)])
def test_the_interval_of_a_share_is_wilsons(right: int, of: int) -> None:
    expected = stats.binomtest(right, of).proportion_ci(method="wilson")
    assert wilson(right, of) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_wilsons_interval_holds_the_share_and_shrinks_with_trials() -> None:
    widths = []
    for trials in (10, 100, 1000):
        low, high = wilson(trials // 2, trials)
        assert 0 <= low < 0.5 < high <= 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert wilson(10, 10)[1] == pytest.approx(1) and wilson(0, 10)[0] == pytest.approx(0)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)  # a published table's


def test_a_share_names_its_interval_and_its_number_is_the_mean() -> None:
    verdicts = outcomes(48, 12)
    assert LABELS.interval_by == "Wilson"
    assert LABELS.number(verdicts) == 0.8
    assert LABELS.interval(verdicts) == wilson(48, 60)


@pytest.mark.parametrize(
    ("lost", "won", "is_told"), [(0, 0, False), (3, 0, False), (4, 0, True), (9, 3, False), (0, 5, True)]
)
def test_only_pictures_that_turned_tell_whether_a_codec_changes_anything(lost: int, won: int, is_told: bool) -> None:
    before = [1.0] * lost + [0.0] * won + outcomes(40, 10)
    after = [0.0] * lost + [1.0] * won + outcomes(40, 10)
    change = LABELS.change(before, after)
    assert (change.low <= 0 <= change.high) is not is_told
    assert change.low <= (won - lost) / len(before) <= change.high


def test_pairs_tell_what_two_intervals_side_by_side_do_not() -> None:
    before = outcomes(500, 100)
    after = [0.0] * 6 + before[6:]  # six of 600 turned, all for the worse: a point
    assert LABELS.change(before, after).high < 0
    assert LABELS.interval(before).low < LABELS.number(after)


def test_the_bootstrap_of_a_mean_is_about_its_standard_error_wide() -> None:
    verdicts = np.random.default_rng(1).random(400).tolist()
    low, high = Plain().interval(verdicts)
    expected = 2 * 1.96 * np.std(verdicts) / 20
    assert high - low == pytest.approx(expected, rel=0.1)
    assert low < np.mean(verdicts) < high


def test_the_same_verdicts_have_the_same_interval_and_no_change_is_none() -> None:
    verdicts = np.random.default_rng(2).random(50).tolist()
    assert Plain().interval(verdicts) == Plain().interval(list(verdicts))
    assert Plain().change(verdicts, verdicts) == Interval(0.0, 0.0)


def test_a_label_is_right_where_the_class_is_the_pictures() -> None:
    measure = SameLabel([3, 0], "top-1")
    assert [measure.judge(3, 0), measure.judge(3, 1)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("mine", "other", "expected"),
    [
        ([1, 0], [2, 0], 1.0),
        ([1, 1], [1, 0], 2**-0.5),
        ([1, 0], [-1, 0], 0.0),
        ([0, 0], [0, 0], 1.0),
        ([0, 0], [1, 0], 0.0),
    ],
)
def test_vectors_are_compared_by_their_angle(mine: list[float], other: list[float], expected: float) -> None:
    assert Cosine([np.array(other, float)]).judge(np.array(mine, float), 0) == pytest.approx(expected)


def test_vectors_of_different_length_or_without_numbers_are_not_alike() -> None:
    measure = Cosine([np.ones(3)])
    assert measure.judge(np.ones(4), 0) == 0.0
    assert measure.judge(np.array([np.nan, 1, 1]), 0) == 0.0


def test_mean_iou_sums_over_pictures_before_it_divides_and_passes_over_what_is_ignored() -> None:
    truth = [np.array([[0, 1], [1, IGNORED]], np.uint8), np.array([[1, 1], [1, 1]], np.uint8)]
    answers = [np.array([[0, 1], [0, 1]], np.uint8), np.array([[1, 1], [1, 0]], np.uint8)]
    measure = MeanIoU(truth.__getitem__, 3)
    verdicts = [measure.judge(answer, row) for row, answer in enumerate(answers)]
    assert measure.number(verdicts) == pytest.approx(np.mean([1 / 3, 4 / 6]))
    low, high = measure.interval(verdicts)
    assert low <= measure.number(verdicts) <= high


def test_the_same_mask_shares_all_pixels() -> None:
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert SamePixels(lambda row: mask).judge(mask, 0) == 1.0
    assert SamePixels(lambda row: mask).judge(mask // 3, 0) == pytest.approx(1 / 6)
