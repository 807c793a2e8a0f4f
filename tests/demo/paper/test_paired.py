from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.paper.made import cell, chosen, judged, measured
from edgent.demo.paper.figures import figures, is_borderline, percentile
from edgent.demo.paper.paired import Comparison, Draws, compare, outcomes
from edgent.lab.processes.live_runs import LiveRuns

shares = st.lists(st.booleans(), min_size=2, max_size=40)


@given(shares)
def test_methods_that_choose_the_same_differ_by_exactly_nothing(in_time):
    worth = np.where(in_time, 0.8, 0.0)
    comparison = compare([worth], [worth.copy()], [Draws.of(len(worth), 0)])
    assert comparison == Comparison(ahead=0.0, low=0.0, high=0.0)
    assert not comparison.worse


@given(shares, st.randoms())
def test_a_difference_turned_round_is_its_negative(in_time, random):
    ours = np.where(in_time, 0.8, 0.0)
    theirs = np.where([random.random() < 0.5 for _ in in_time], 0.7, 0.0)
    draws = [Draws.of(len(ours), 3)]
    there, back = compare([ours], [theirs], draws), compare([theirs], [ours], draws)
    assert there.ahead == pytest.approx(-back.ahead)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


def test_the_interval_is_that_of_scipys_paired_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    ours, theirs = rng.random((2, 60)) < [[0.7], [0.4]]
    comparison = compare([ours * 0.8], [theirs * 0.9], [Draws.of(60, 0)])
    oracle = stats.bootstrap(
        (ours * 0.8, theirs * 0.9),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert (comparison.low, comparison.high) == pytest.approx(tuple(oracle), abs=0.02)


def test_luck_with_a_request_is_luck_for_both():
    """Paired, two methods late at the same requests differ by little; drawn apart, they would seem to differ widely."""
    late = np.arange(40) % 2 == 0
    ours, theirs = np.where(late, 0.0, 0.80), np.where(late, 0.0, 0.79)
    comparison = compare([ours], [theirs], [Draws.of(40, 0)])
    assert 0 < comparison.low <= comparison.ahead <= comparison.high < 0.01


def test_edgent_is_worse_only_beyond_half_a_point_and_the_interval():
    assert Comparison(ahead=-0.2, low=-0.3, high=-0.1).worse
    assert not Comparison(ahead=-0.2, low=-0.5, high=0.0).worse
    assert not Comparison(ahead=-0.004, low=-0.004, high=-0.004).worse
    assert Comparison(ahead=-0.2, low=-0.5, high=0.0).lower


def test_a_rival_in_time_where_edgent_is_not_is_found_worse():
    (point,) = judged(measured(ours=[0.2] * 10, rival=[0.05] * 10), cell()).points()
    assert point.worse_than == ("rival",)
    assert point.compared["rival"].ahead == pytest.approx(-0.8)
    assert point.compared["device-only"].ahead == 0


def test_every_method_of_a_cell_is_judged_by_the_same_requests():
    runs = measured(ours=[0.05] * 4 + [0.2] * 36, rival=[0.05] * 4)
    (point,) = judged(runs, cell()).points()
    assert point.requests == 4
    assert point.figures["edgent"].deadlines_met == point.figures["rival"].deadlines_met == 1


def test_over_all_cells_each_counts_the_same():
    runs = measured(ours=(0.05, 0.12, 0.07, 0.2), rival=(0.05,) * 4)
    judge = judged(runs, cell(0.1), cell(0.15))
    points = judge.points()
    overall = judge.overall(points)
    assert overall["edgent"].deadlines_met == pytest.approx((0.5 + 0.75) / 2)
    assert overall["edgent"] == overall["device-only"]
    assert overall["edgent"].low <= overall["edgent"].accuracy_in_time <= overall["edgent"].high
    assert judge.compared(points)["rival"].ahead == pytest.approx((0.625 - 1) * 0.8)


def test_accuracy_in_time_is_the_share_in_time_times_the_accuracy():
    made = figures(chosen(), LiveRuns(totals=(0.05, 0.05, 0.15, math.inf)), 0.1, 4)
    assert made.deadlines_met == 0.5
    assert made.accuracy_in_time == pytest.approx(0.4)
    assert made.low < 0.4 < made.high
    assert made.high_latency == math.inf


def test_an_unknown_accuracy_is_null_and_no_loss():
    made = figures(chosen(accuracy=math.nan), LiveRuns(totals=(0.05, math.inf)), 0.1, 2)
    assert made.document() == {"deadlines_met": 0.5, "accuracy_in_time": None, "p50_ms": None, "p95_ms": None}
    worth = outcomes(chosen(accuracy=math.nan), LiveRuns(totals=(0.05, math.inf)), 0.1, 2)
    assert not compare([worth], [worth], [Draws.of(2, 0)]).worse


def test_a_median_within_five_percent_of_the_deadline_is_borderline():
    assert is_borderline([0.5, 0.0951], 0.1) and is_borderline([0.1049], 0.1)
    assert not is_borderline([0.094, 0.106, math.inf], 0.1)


def test_a_percentile_copes_with_requests_nobody_answered():
    assert percentile([0.1, 0.2, math.inf], 0.5) == 0.2
    assert percentile([0.1, math.inf], 0.95) == math.inf
