from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.lab.cameras.targets import targets_of
from edgent.lab.cameras.verdicts import CameraCurve, ahead, carried, draws_of, most_cameras, ranged, times_as_many


def test_between_two_numbers_of_cameras_the_line_decides():
    assert most_cameras((10, 20, 40), np.array([0.9, 0.8, 0.6]), 0.7) == pytest.approx(30)
    assert most_cameras((10, 20, 40), np.array([0.9, 0.8, 0.6]), 0.8) == pytest.approx(20)


def test_none_where_not_even_the_fewest_reach_it_and_no_end_where_all_do():
    assert most_cameras((10, 20), np.array([0.5, 0.9]), 0.7) == 0.0
    assert most_cameras((10, 20), np.array([0.9, 0.7]), 0.7) == math.inf


def test_a_recovery_behind_a_gap_does_not_count():
    assert most_cameras((10, 20, 40), np.array([0.9, 0.5, 0.9]), 0.7) == pytest.approx(15)


def test_the_first_draw_is_the_pictures_themselves():
    draws = draws_of(50)
    outcomes = np.random.default_rng(1).random(50)
    assert draws[0] @ outcomes == pytest.approx(outcomes.mean())
    assert np.allclose(draws.sum(axis=1), 1)


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    outcomes = (np.random.default_rng(2).random(400) < 0.8).astype(float)
    mean = ranged(draws_of(400) @ outcomes)
    deviation = outcomes.std() / 20
    assert mean.value == pytest.approx(outcomes.mean())
    assert mean.low == pytest.approx(mean.value - 1.96 * deviation, abs=0.005)
    assert mean.high == pytest.approx(mean.value + 1.96 * deviation, abs=0.005)


def test_ratios_are_taken_draw_by_draw():
    ours, theirs = np.full(2001, 40.0), np.full(2001, 10.0)
    assert times_as_many(ours, theirs) == ranged(np.full(2001, 4.0))
    assert times_as_many(np.full(2001, math.inf), theirs).value == math.inf
    assert times_as_many(ours, np.full(2001, math.inf)).value == 0.0
    assert times_as_many(np.full(2001, math.inf), np.full(2001, math.inf)).value == 1.0


def curve(*accuracies, pictures=200):
    right = (np.arange(pictures)[None, :] < pictures * np.array(accuracies)[:, None]).astype(float)
    return CameraCurve(cameras=(10, 20, 40), right=right, came=np.ones_like(right))


def test_who_carries_how_many_follows_the_accuracy_that_is_wanted_in_the_same_draw():
    draws = draws_of(200)
    easy = draws @ curve(0.9, 0.9, 0.9).right[0] - 0.05
    carries = carried(curve(0.9, 0.9, 0.5), easy[:, None], draws)
    # By hand: from .9 at 20 cameras to .5 at 40, .85 is reached up to 22.5.
    assert carries[0] == pytest.approx(22.5)


def test_a_picture_counts_as_often_as_it_came():
    right, came = np.array([[2.0, 0.0, 1.0]]), np.array([[4.0, 0.0, 1.0]])
    lone = CameraCurve(cameras=(10,), right=right, came=came)
    assert lone.means[0] == pytest.approx(3 / 5)
    drawn = lone.drawn(np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0]]))
    assert drawn[:, 0] == pytest.approx([3 / 5, 4 / 8])


def test_pooled_numbers_of_cameras_count_alike():
    assert curve(0.9, 0.5, 0.1).pooled((10, 40), draws_of(200))[0] == pytest.approx(0.5)


def test_a_target_that_is_missed_says_so():
    names = ("Edgent", "JPEG to the edge", "plain cascade")
    pooled = {name: np.full(2001, share) for name, share in zip(names, (0.85, 0.80, 0.80), strict=True)}
    most = {name: np.full(2001, cameras) for name, cameras in zip(names, (50.0, 10.0, 45.0), strict=True)}
    rows = targets_of(most, pooled).texts()
    assert [row[-1] for row in rows] == ["met", "MISSED", "met"]
    assert rows[0][1].startswith("5.0 times")
    assert rows[2][1].startswith("+5.0 points")


@pytest.mark.parametrize("cameras", [0.0, math.inf])
def test_where_nobody_s_end_is_known_a_ratio_is_undecided(cameras):
    names = ("Edgent", "JPEG to the edge", "plain cascade")
    pooled = dict.fromkeys(names, np.full(2001, 0.8))
    most = {name: np.full(2001, cameras) for name in names} | {"JPEG to the edge": np.full(2001, 5.0)}
    rows = targets_of(most, pooled).texts()
    assert rows[1][-1] == "undecided"
    assert rows[0][-1] == ("MISSED" if cameras == 0 else "met")


def test_a_lead_that_chance_explains_is_no_target_met():
    names = ("Edgent", "JPEG to the edge", "plain cascade")
    pooled = {name: np.full(2001, 0.8) for name in names}
    pooled["Edgent"] = pooled["Edgent"] + np.concatenate([[0.02], np.linspace(-0.03, 0.07, 2000)])
    most = dict.fromkeys(names, np.full(2001, 10.0))
    assert targets_of(most, pooled).texts()[2][-1] == "MISSED"
    assert ahead(pooled["Edgent"], pooled["plain cascade"]).low < 0
