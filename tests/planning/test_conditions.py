"""What is believed of link and machines, and what plans are priced on.

Where times stray the oracle draws them, and counts.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import Predictive, TransferModel
from edgent.link.predictive import NOTHING
from edgent.link.slow_start import UNLIMITED
from edgent.planning import Candidates, Conditions
from edgent.planning.conditions import ALONE, chance_in_time
from edgent.planning.controller import Controller, Goal
from edgent.planning.costs import BranchCosts
from edgent.planning.expectation import Expectations
from edgent.planning.plan import Stages
from edgent.planning.planner import Planner, best
from edgent.units import BitsPerSecond, Seconds
from planning.by_loops import belief, believed, chance, latencies
from planning.strategies import on_a_slow_device

DEADLINE, MARGIN = Seconds(0.1), Seconds(0.003)
DRAWS = 4000


def conditions(up: float = 3e6, down: float = 5e6) -> Conditions:
    rest = {"round_trip": Seconds(0.01), "call_time": Seconds(0.004), "window": 14_480.0}
    return Conditions(
        uplink=TransferModel(bandwidth=BitsPerSecond(up), **rest),  # type: ignore[arg-type]
        downlink=TransferModel(bandwidth=BitsPerSecond(down), **rest),  # type: ignore[arg-type]
        queue=Seconds(0.02),
        device_factor=1.5,
        edge_factor=2.0,
        backlog=Seconds(0.3),
        handling=Stages(prepare=0.001, head=0.0002, encode=0.0003, middle=0.0004, suffix=0.0005),
    )


def two_bandwidths(slow: float, fast: float, *, slow_share: float = 0.25) -> Predictive:
    return Predictive(bandwidths=np.array([slow, fast]), weights=np.array([slow_share, 1 - slow_share]))


def test_certain_conditions_are_a_distribution_of_one_point() -> None:
    both = conditions().bandwidths
    assert (both.up.tolist(), both.down.tolist(), both.weights.tolist()) == ([3e6], [5e6], [1.0])


def test_a_direction_that_nothing_is_forecast_of_is_certain() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), None)
    assert set(seen.bandwidths.up) == {1e6, 8e6}
    assert set(seen.bandwidths.down) == {5e6}


def test_what_a_forecast_says_nothing_of_stays_as_it_was() -> None:
    before = conditions()
    seen = before.expecting(two_bandwidths(1e6, 8e6), two_bandwidths(2e6, 9e6))
    assert (seen.uplink.round_trip, seen.uplink.call_time) == (0.01, 0.004)
    assert (seen.queue, seen.device_factor, seen.edge_factor, seen.backlog) == (0.02, 1.5, 2.0, 0.3)
    assert seen.handling == before.handling
    assert seen.once == before.once == pytest.approx(0.01 + 0.004 + 0.02 + 0.0012)


def test_plans_are_priced_at_the_bandwidths_in_the_middle() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), two_bandwidths(2e6, 9e6))
    assert (seen.uplink.bandwidth, seen.downlink.bandwidth) == (8e6, 9e6) == seen.bandwidths.median()


def test_an_outage_is_no_bandwidth_to_price_a_plan_at() -> None:
    """Where nothing gets through six times of ten, the middle is that of the other four."""
    link = Predictive(bandwidths=np.array([NOTHING, 1e6, 2e6, 3e6]), weights=np.array([0.6, 0.1, 0.2, 0.1]))
    seen = conditions().expecting(link, link)
    assert seen.uplink.bandwidth == seen.downlink.bandwidth == 2e6
    assert seen.bandwidths.alike


def test_chances_and_latencies_leave_out_the_same_things() -> None:
    seen = conditions().expecting(two_bandwidths(1e6, 8e6), None)
    assert (seen.uplink.window, seen.downlink.window) == (UNLIMITED, UNLIMITED)


@pytest.mark.parametrize("variation", [0.1, 0.5])
def test_bandwidths_that_vary_have_the_stated_ones_as_means(variation: float) -> None:
    both = conditions().varying(variation).bandwidths
    for bandwidths, mean in ((both.up, 3e6), (both.down, 5e6)):
        of_points = float(bandwidths @ both.weights)
        assert of_points == pytest.approx(mean, rel=0.02)
        assert math.sqrt(float((bandwidths - of_points) ** 2 @ both.weights)) == pytest.approx(
            variation * mean, rel=0.2
        )


def test_bandwidths_that_do_not_vary_are_certain() -> None:
    assert conditions().varying(0.0).bandwidths.median() == (3e6, 5e6)


@pytest.mark.parametrize("backlog", [0.0, 0.03])
def test_the_chance_under_certain_conditions_is_all_or_nothing_as_the_planner_sees_it(backlog: float) -> None:
    """The oracle is the planner's latency, without slow start, which no chance counts."""
    link = TransferModel(bandwidth=BitsPerSecond(1e6), round_trip=Seconds(0.01))
    now, sides = Conditions(uplink=link, downlink=link, backlog=Seconds(backlog)), set()
    for seed in range(20):
        expectations = Expectations(Candidates.of(on_a_slow_device(np.random.default_rng(seed))), race=False)
        deadline = Seconds(0.1)
        expectation = expectations.expect(now, deadline)
        in_time = now.latency(expectations.candidates)[expectation.rows] <= deadline
        assert np.array_equal(expectation.chance == 1, in_time)
        assert np.array_equal(expectation.chance == 0, ~in_time)
        sides |= set(in_time.tolist())
    assert sides == {True, False}


@pytest.mark.parametrize(
    "wrong",
    [{"queue": -1.0}, {"queue": math.inf}, {"backlog": -0.1}, {"device_factor": 0.0}, {"edge_factor": math.nan}],
)
def test_conditions_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    link = TransferModel(bandwidth=BitsPerSecond(1e6))
    with pytest.raises(InputError, match=r"queue|backlog|factors"):
        Conditions(uplink=link, downlink=link, **wrong)  # type: ignore[arg-type]


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
