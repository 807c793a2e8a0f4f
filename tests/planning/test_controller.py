"""The controller against brute force: loops over candidates, quantiles and local branches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import Predictive, TransferModel
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.controller import Controller, Goal
from edgent.planning.expectation import Expectations
from edgent.units import BitsPerSecond, Seconds
from planning.by_loops import at, belief, believed, by_loops, sure
from planning.strategies import on_a_slow_device


@pytest.mark.parametrize(("race", "backlog"), [(True, 0.0), (False, 0.0), (True, 0.03), (False, 0.03)])
def test_the_plan_is_the_fastest_of_the_highest_expected_accuracy_in_time(race: bool, backlog: float) -> None:
    chances = []
    for seed in range(120 if not backlog else 60):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random, backlog)
        deadline, margin = float(10 ** random.uniform(-2, 0)), 0.002
        every = by_loops(table, seen, deadline, race=race, margin=margin)
        best = max(expected for _, _, expected, _ in every)
        if best <= 0.002:
            continue  # nothing is worth more than the tolerance: see `test_controller_by_hand`
        configuration, likely, _, _ = min(
            (one for one in every if one[2] >= best - 0.002 - 1e-9), key=lambda one: one[3]
        )
        controller = Controller(table, Goal(deadline=Seconds(deadline), margin=Seconds(margin)), race=race)
        for _ in range(2):  # the second decision looks at fewer candidates
            controller.decide(seen)
            assert controller.plan is not None
            assert controller.plan.configuration == configuration, f"seed {seed}"
            assert controller.plan.chance == pytest.approx(likely, abs=1e-9)
        chances.append(likely)
    assert sum(0 < likely < 1 for likely in chances) > len(chances) / 6


def test_where_the_bandwidth_is_certain_the_plan_is_the_planner_s() -> None:
    for seed in range(200):
        random = np.random.default_rng(seed)
        table, bandwidth = Candidates.of(on_a_slow_device(random)), float(10 ** random.uniform(4.5, 8))
        deadline = Seconds(float(10 ** random.uniform(-2.5, 0.5)))
        way = TransferModel(bandwidth=BitsPerSecond(bandwidth))
        expected = Planner(table).plan(Conditions(uplink=way, downlink=way), deadline)
        decided = Controller(table, Goal(deadline=deadline), race=False).decide(sure(bandwidth))
        assert decided is not None
        assert decided.configuration == expected.configuration, f"seed {seed}"
        assert decided.meets_deadline == expected.meets_deadline == (decided.chance == 1)
        assert decided.stages == expected.stages


def test_with_a_certainty_only_plans_that_are_so_certain_are_taken_where_there_are_any() -> None:
    gambled = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline = float(10 ** random.uniform(-2, 0))
        every = by_loops(table, seen, deadline, race=False)
        bold, careful = (
            Controller(table, Goal(deadline=Seconds(deadline), certainty=q), race=False).decide(seen)
            for q in (None, 0.95)
        )
        assert bold is not None and careful is not None and bold.chance is not None and careful.chance is not None
        if max(likely for _, likely, _, _ in every) >= 0.95:
            assert careful.chance >= 0.95 - 1e-9
            gambled += bold.chance < 0.95
            sure_ones = [expected for _, likely, expected, _ in every if likely >= 0.95]
            assert careful.chance * (careful.accuracy or 0) >= max(sure_ones) - 0.002 - 1e-6
        else:
            assert careful == bold
    assert gambled > 5


def test_a_link_that_carries_nothing_leaves_the_device_alone() -> None:
    for seed in range(30):
        table = Candidates.of(on_a_slow_device(np.random.default_rng(seed)))
        deadline = Seconds(0.05)
        plan = Controller(table, Goal(deadline=deadline)).decide(None)
        own = table.keep(table.messages == 0)
        way = TransferModel(bandwidth=BitsPerSecond(1.0))
        expected = Planner(own).plan(Conditions(uplink=way, downlink=way), deadline)
        assert plan is not None
        assert (plan.configuration, plan.stages) == (expected.configuration, expected.stages)


def test_only_a_new_plan_comes_out() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(16)))
    far, near = sure(3e4), sure(1e9)
    controller = Controller(table, Goal(deadline=Seconds(0.2)))
    first = controller.decide(far)
    assert first is not None and first == controller.plan
    assert controller.decide(far) is None
    second = controller.decide(near)
    assert second is not None and second.configuration != first.configuration
    assert controller.decide(near) is None
    third = controller.decide(None)
    assert third is not None and third.configuration.device_only


def test_a_switch_that_gains_less_than_it_costs_is_not_made() -> None:
    switched = {0.0: 0, 0.05: 0, 1.0: 0}
    for seed in range(20):
        random = np.random.default_rng(seed)
        table = Candidates.of(on_a_slow_device(random))
        seen = [belief(random) for _ in range(8)]
        deadline = Seconds(float(10 ** random.uniform(-1.5, -0.5)))
        for cost in switched:
            controller = Controller(table, Goal(deadline=deadline, least_gain=cost))
            _, *changes = [controller.decide(conditions) for conditions in seen]
            switched[cost] += sum(plan is not None for plan in changes)
    assert switched[0.0] > switched[0.05] > switched[1.0] == 0


def test_a_link_that_is_certain_needs_no_look_and_one_that_may_be_either_does() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    either = Predictive(bandwidths=np.array([1e4, 1e9]), weights=np.array([0.5, 0.5]))
    controller = Controller(table, Goal(deadline=Seconds(0.05)), race=False)
    assert controller.unconfirmed  # before the first decision
    controller.decide(sure(1e9))
    assert not controller.unconfirmed
    controller.decide(believed(either, either))
    assert controller.unconfirmed


def test_an_uncertainty_that_grows_with_time_alone_may_change_the_plan() -> None:
    def aged(now: float) -> Conditions:
        octaves = np.linspace(-1, 1, 9) * now
        link = Predictive(bandwidths=1e6 * 2**octaves, weights=np.full(9, 1 / 9))
        return believed(link, link)

    changes = 0
    for seed in range(20):
        table = Candidates.of(on_a_slow_device(np.random.default_rng(seed)))
        controller = Controller(table, Goal(deadline=Seconds(0.05)))
        controller.decide(aged(0.0))
        changes += any(controller.decide(aged(float(now))) is not None for now in range(1, 6))
    assert changes > 3


def test_a_plan_s_stages_are_those_at_the_median_bandwidths() -> None:
    for seed in range(30):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        slower = replace(seen.uplink, call_time=Seconds(0.007))
        seen = replace(seen, uplink=slower)
        plan = Controller(table, Goal(deadline=Seconds(0.1))).decide(seen)
        assert plan is not None
        now = at(seen, *seen.bandwidths.median())
        (row,) = (row for row in range(len(table)) if table.configurations[row] == plan.configuration)
        assert plan.stages == now.stages(table, row)
        assert plan.meets_deadline == (plan.stages.total <= 0.1)


def test_candidates_that_all_need_the_edge_are_refused() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    with pytest.raises(InputError, match="stays on the device"):
        Controller(table.keep(table.messages > 0), Goal(deadline=Seconds(0.1)))


@pytest.mark.parametrize("seed", range(20))
def test_among_what_is_ready_it_is_a_controller_of_just_that(seed: int) -> None:
    random = np.random.default_rng(seed)
    table, seen, goal = Candidates.of(on_a_slow_device(random)), belief(random), Goal(deadline=Seconds(0.05))
    controller = Controller(table, goal)
    fit_to_win = Expectations(table.frontier_within(4.0)).candidates  # while the machines drift apart by less than that
    crossing = np.flatnonzero(fit_to_win.messages > 0)
    rows = random.choice(crossing, size=min(4, crossing.size), replace=False)
    kept = np.union1d(rows, np.flatnonzero(np.equal(fit_to_win.messages, 0)))
    only = Controller(fit_to_win.keep(kept), goal)
    only.decide(seen)
    controller.decide(seen)
    present = controller.plan
    ready = [fit_to_win.configurations[row] for row in rows]
    for _ in range(2):  # what was ready the last time has no say
        assert only.plan == controller.among(ready, seen) == controller.among(ready, seen)
        assert controller.among((), seen).configuration.device_only
    assert controller.plan == present


def test_nothing_ready_leaves_the_device_alone() -> None:
    controller = Controller(Candidates.of(on_a_slow_device(np.random.default_rng(3))), Goal(deadline=Seconds(0.05)))
    assert controller.among((), sure(1e9)).configuration.device_only
