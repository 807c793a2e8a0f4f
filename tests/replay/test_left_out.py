"""The rule of leaving a set out, on made-up sums: no link is replayed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgent.planning.oracles import REGIME
from edgent.replay import Report
from edgent.replay.methods import BASELINES, METHODS, OURS
from edgent.replay.trace import Sums
from edgent.units import Seconds

FOLDER = Path(__file__).parents[2] / "benchmarks"
CHANGES, PRODUCT = OURS[::-1][1], OURS[-1]


@pytest.fixture(scope="module")
def figures() -> Any:
    sys.path.insert(0, str(FOLDER))
    try:
        import replay_figures

        yield replay_figures
    finally:
        sys.path.remove(str(FOLDER))


def cell(figures: Any, traces: str, *, race: bool = False, interval: float = 2.0) -> Any:
    return figures.Cell(
        setting=type("Named", (), {"name": "made up"}),
        deadline=Seconds(0.1),
        traces=traces,
        middle=1e6,
        variation=0.0,
        interval=interval,
        race=race,
    )


def report(
    accuracies: dict[str, float], *, count: int = 6, noise: float = 0.0, claims: list[list[float]] | None = None
) -> Report:
    """One in which every method has this accuracy in time (0.5 where none is told), give or take the noise."""
    random = np.random.default_rng(0)
    made = [
        {
            name: Sums(
                requests=100,
                accuracy=100 * (accuracies.get(name, 0.5) + noise * float(random.standard_normal())),
                missed=0,
                reward=0.0,
                throughput=1.0,
                switches=0,
            )
            for name in METHODS
        }
        for _ in range(count)
    ]
    return Report(
        deadline=Seconds(0.1),
        measure="accuracy",
        names=tuple(f"trace {number}" for number in range(count)),
        per_trace=tuple(made),
        contested=0.5,
        fixed="",
        claims=np.array(claims or np.empty((0, 2)), dtype=np.float64).reshape(-1, 2),
    )


def closing(product: float, other: float) -> Report:
    return report({REGIME: 0.6, PRODUCT: 0.5 + 0.1 * product, CHANGES: 0.5 + 0.1 * other})


def test_a_set_is_run_by_what_is_best_on_the_others_though_it_be_worse_on_this_one(figures: Any) -> None:
    closed = {"one": (0.2, 0.9), "two": (0.8, 0.3), "three": (0.7, 0.3)}
    results = [(cell(figures, name), closing(*pair)) for name, pair in closed.items()]
    found, mean = figures.left_out(results, 0)
    assert [(one.traces, one.chosen) for one in found] == [("one", PRODUCT), ("two", CHANGES), ("three", CHANGES)]
    assert [one.gap_closed for one in found] == pytest.approx([0.2, 0.3, 0.3])
    assert mean["gap_closed"] == pytest.approx(0.8 / 3)
    assert mean["low"] <= mean["gap_closed"] <= mean["high"]


def test_of_equal_variants_and_with_nothing_to_choose_by_it_is_the_products_own(figures: Any) -> None:
    found, _ = figures.left_out([(cell(figures, name), closing(0.5, 0.5)) for name in ("one", "two")], 0)
    assert [one.chosen for one in found] == [PRODUCT] * 2
    (alone,), _ = figures.left_out([(cell(figures, "one"), closing(0.1, 0.5))], 0)
    assert alone.chosen == PRODUCT


def test_cells_with_a_race_or_without_a_gap_count_for_no_gap(figures: Any) -> None:
    flat = report({REGIME: 0.505})
    results = [(cell(figures, "one"), closing(0.5, 0.5)), (cell(figures, "one", race=True), closing(0.0, 0.0))]
    (one,), _ = figures.left_out([*results, (cell(figures, "one"), flat)], 0)
    assert one.cells == 1 and one.gap_closed == pytest.approx(0.5)
    assert figures.left_out([(cell(figures, "one"), flat)], 0) == (
        [],
        {"gap_closed": None, "low": None, "high": None},
    )


def test_what_is_behind_by_more_than_half_a_point_is_told_and_whether_that_may_be_chance(figures: Any) -> None:
    name = BASELINES[0]
    steady = [report({name: 0.52}), report({name: 0.52}, noise=1e-4)]
    assert [line["certain"] for line in figures.worse([(cell(figures, "one"), one) for one in steady], 0)] == [True] * 2
    by_chance = figures.worse([(cell(figures, "one"), report({}, noise=0.1))], 0)
    assert by_chance and not any(line["certain"] for line in by_chance)
    assert figures.worse([(cell(figures, "one"), report({name: 0.504}))], 0) == []
    assert figures.largest_lead([(cell(figures, "one"), report({name: 0.504}))]) == pytest.approx(0.004)


def test_claims_are_compared_with_what_came_of_them_in_bands(figures: Any) -> None:
    claims = [[0.9, 1.0]] * 3 + [[0.9, 0.0]] + [[0.99, 1.0]] * 5
    found = figures.calibration([(cell(figures, "one"), report({}, claims=claims))])
    assert [(line["about"], line["plans"], line["in_time"]) for line in found] == [(0.9, 4, 0.75), (0.99, 5, 1.0)]


def test_rhythms_are_told_apart(figures: Any) -> None:
    results = [
        (cell(figures, "one", interval=interval), closing(closed, 0.0)) for interval, closed in ((2.0, 0.4), (0.1, 0.8))
    ]
    assert [(line["interval_s"], round(line["gap_closed"], 6)) for line in figures.rhythms(results)] == [
        (2.0, 0.4),
        (0.1, 0.8),
    ]
