"""Machines whose times stray: what is done just within the deadline counts as often as it is in time.

The oracle draws the machines' times, and counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgent.link import Predictive
from edgent.planning import Candidates, Conditions
from edgent.planning.conditions import ALONE, chance_in_time
from edgent.planning.controller import Controller, Goal
from edgent.planning.costs import BranchCosts
from edgent.planning.expectation import Expectations
from edgent.planning.planner import Planner, best
from edgent.units import Seconds
from planning.by_loops import belief, believed, chance, latencies
from planning.strategies import on_a_slow_device

DEADLINE, MARGIN = Seconds(0.1), Seconds(0.003)
DRAWS = 4000


def alone(*exits: tuple[float, float]) -> Candidates:
    """A device's exits: accuracy and seconds of each."""
    return Candidates.of(
        BranchCosts(exit=exit, accuracy=accuracy, device=np.array([seconds]), edge=np.array([seconds]), prepare=0.0)
        for exit, (accuracy, seconds) in enumerate(exits)
    )


def straying(by: float, seen: Conditions = ALONE) -> Conditions:
    return replace(seen, device_spread=by, edge_spread=by)


@pytest.mark.parametrize(
    ("by", "later", "exit"),
    [(0.0, 0.75, 1), (0.01, 0.75, 1), (0.03, 0.75, 0), (0.03, 0.80, 1), (0.1, 0.80, 0)],
    ids=["exact", "hardly", "by some", "worth the risk", "not worth it"],
)
def test_an_earlier_exit_is_taken_where_it_gives_more_in_time(by: float, later: float, exit: int) -> None:
    """The later one leaves 4 ms of 100, a little over one deviation of 3 %: nine in ten are in time."""
    table, seen = alone((0.70, 0.06), (later, 0.096)), straying(by)
    assert best(table, seen, DEADLINE, margin=MARGIN).configuration.exit == exit
    assert Planner(table).plan(seen, DEADLINE).configuration.exit == exit
    controller = Controller(table, Goal(deadline=DEADLINE, margin=MARGIN))
    link = Predictive.certain(1e6)
    controller.decide(straying(by, believed(link, link)))
    assert controller.configuration is not None and controller.configuration.exit == exit


def test_where_nothing_is_in_time_the_fastest_is_still_the_plan() -> None:
    plan = best(alone((0.7, 0.2), (0.8, 0.3)), straying(0.05), DEADLINE)
    assert (plan.configuration.exit, plan.meets_deadline) == (0, False)


def test_the_chance_is_that_of_a_normal_time_within_three_points_whatever_is_left() -> None:
    drawn = np.random.default_rng(1).normal(size=100_000)
    left = np.linspace(-4, 4, 33)
    counted = (drawn[:, None] <= left).mean(axis=0)
    assert chance_in_time(0.01 * left, np.full(33, 0.01)) == pytest.approx(counted, abs=0.03)
    assert chance_in_time(np.array([-1.0, 0.0, 1.0]), None).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("alike", [True, False])
def test_chances_are_those_of_drawn_times_on_device_and_edge(alike: bool) -> None:
    between = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        table, up = Candidates.of(on_a_slow_device(random)), Predictive.log_normal(10 ** random.uniform(5, 7), 0.5)
        down = up if alike else Predictive(bandwidths=2 * up.bandwidths, weights=up.weights)
        seen = replace(believed(up, down), device_spread=0.15, edge_spread=0.3)
        expectations = Expectations(table, race=False)
        ordered = expectations.candidates
        for deadline in (0.03, 0.08, 0.2):
            expectation = expectations.expect(seen, Seconds(deadline))
            for place, row in list(enumerate(expectation.rows.tolist()))[:: max(1, len(expectation.rows) // 8)]:
                device, edge = (float(ordered.demand[k, row]) for k in (0, 1))
                deviation = float(np.hypot(0.15 * device, 0.3 * edge))
                times = latencies(ordered, row, seen)
                drawn = deviation * random.normal(size=DRAWS)
                counted = np.mean([chance(times, up.weights, deadline - stray) for stray in drawn])
                crosses = bool(ordered.messages[row])
                # What is expected to be late is never counted on, and where link and machines stray alike, rather less.
                assert expectation.chance[place] <= counted + 0.04
                if counted > 0.55:
                    assert expectation.chance[place] >= counted - (0.12 if crosses else 0.04)
                    between += crosses and counted < 0.95
    assert between


def test_over_a_link_that_is_certain_what_crosses_is_late_as_often_as_its_machines_are() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    seen = straying(0.2, believed(Predictive.certain(3e6), Predictive.certain(5e6)))
    expectations, random = Expectations(table, race=False), np.random.default_rng(4)
    ordered, between = expectations.candidates, 0
    expectation = expectations.expect(seen, Seconds(0.06))
    for place, row in enumerate(expectation.rows.tolist()):
        device, edge = 0.2 * ordered.demand[:2, row, None] * random.normal(size=(2, DRAWS))
        counted = float((latencies(ordered, row, seen)[0] + device + edge <= 0.06).mean())
        if counted > 0.55:
            assert expectation.chance[place] == pytest.approx(counted, abs=0.04)
        between += bool(ordered.messages[row]) and 0.55 < counted < 0.95
    assert between


def test_a_local_branch_counts_as_often_as_it_is_in_time() -> None:
    """Of a link that carries nothing only the local branch is left: no better than the device alone."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        table, dead = Candidates.of(on_a_slow_device(random)), Predictive.certain(2.0)
        seen, deadline = straying(0.1, believed(dead, dead)), Seconds(float(random.uniform(0.05, 0.3)))
        expectation = Expectations(table).expect(seen, deadline)
        crosses = Expectations(table).candidates.messages[expectation.rows] > 0
        if not crosses.any():
            continue
        by_itself = expectation.expected[~crosses].max(initial=0.0)
        assert expectation.expected[crosses].max() <= by_itself + 1e-9


def test_machines_that_hardly_stray_are_planned_for_as_exact_ones() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        table, exact = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline = Seconds(float(10 ** random.uniform(-2, 0)))
        plans = []
        for seen in (exact, straying(1e-9, exact)):
            controller = Controller(table, Goal(deadline=deadline))
            controller.decide(seen)
            plans.append((controller.configuration, pytest.approx(controller.chance)))
        assert plans[0] == plans[1]


def test_a_look_at_the_link_is_worth_nothing_where_only_the_machines_stray() -> None:
    table = alone((0.7, 0.06), (0.75, 0.096))
    controller = Controller(table, Goal(deadline=DEADLINE))
    link = Predictive.certain(1e6)
    controller.decide(straying(0.03, believed(link, link)))
    assert not controller.unconfirmed
