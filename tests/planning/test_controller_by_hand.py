"""The controller on two or three candidates, whose numbers tell the answer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import Predictive
from edgent.planning import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.controller import Controller, Goal
from edgent.planning.costs import BranchCosts, Crossing
from edgent.units import Seconds
from planning.by_loops import believed, sure


@pytest.mark.parametrize(
    "wrong", [{"deadline": 0.0}, {"deadline": math.nan}, {"certainty": 1.0}, {"certainty": 0.0}, {"least_gain": -0.1}]
)
def test_a_goal_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Goal(**({"deadline": Seconds(0.1)} | wrong))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"deadline": math.inf},
            "^deadline inf, margin 0.0, least gain 0.0: expected a positive, finite deadline, and",
        ),
        ({"margin": -0.1}, "^deadline 0.1, margin -0.1, least gain 0.0"),
        ({"margin": math.inf}, "margin inf"),
        ({"least_gain": math.inf}, "least gain inf"),
        ({"certainty": -0.5}, "^certainty -0.5 is not between 0 and 1$"),
    ],
)
def test_a_goal_that_is_none_is_told_by_its_numbers(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Goal(**({"deadline": Seconds(0.1)} | wrong))


def at_the_edge(exit: int, accuracy: float, *, device: float, edge: float, size: float = 10_000.0) -> BranchCosts:
    """A branch of one layer, for 10 kB unless told; by itself the device would take a second."""
    plane = np.full((2, 2), size)
    up = Crossing(codec="float32", size=plane, encode=0 * plane, decode=0 * plane, prepare=np.full((2, 2), device))
    return BranchCosts(
        exit=exit,
        accuracy=accuracy,
        device=np.array([1.0]),
        edge=np.array([edge]),
        prepare=0.0,
        up=(up,),
        down=(replace(up, size=0 * plane, prepare=0 * plane),),
    )


def by_itself(exit: int, accuracy: float) -> BranchCosts:
    return BranchCosts(exit=exit, accuracy=accuracy, device=np.array([0.01]), edge=np.array([0.01]), prepare=0.0)


def two(*, local: float = 0.5) -> Candidates:
    """The device alone in 10 ms, or the edge with an accuracy of 0.9."""
    return Candidates.of([by_itself(0, local), at_the_edge(1, 0.9, device=0.0, edge=0.001)])


def either(slow: float, *, slow_share: float, fast: float = 1e8) -> Conditions:
    """One of two bandwidths; a third quantile, of next to no weight, makes the step between them a steep one."""
    weights = np.array([slow_share, 1e-9, 1 - slow_share - 1e-9])
    link = Predictive(bandwidths=np.array([slow, fast, fast]), weights=weights)
    return believed(link, link)


def test_before_the_first_decision_there_is_no_plan_and_a_look_is_wanted() -> None:
    controller = Controller(two(), Goal(deadline=Seconds(0.2)))
    assert (controller.plan, controller.configuration, controller.chance) == (None, None, None)
    assert controller.unconfirmed and controller.decisive == math.inf
    assert repr(controller).startswith("<Controller 200 ms on <Candidates") and repr(controller).endswith(": None>")
    plan = controller.decide(sure(1e8))
    assert plan is not None
    assert (controller.plan, controller.configuration, controller.chance) == (plan, plan.configuration, 1.0)
    assert repr(controller).endswith(f": {plan!r}>")


def test_while_nothing_is_known_of_the_link_a_look_is_wanted_and_no_bandwidth_decides() -> None:
    controller = Controller(two(), Goal(deadline=Seconds(0.2)))
    controller.decide(None)
    assert controller.configuration is not None and controller.configuration.device_only
    assert controller.unconfirmed and controller.decisive == math.inf


def test_the_bandwidth_that_decides_is_the_one_at_which_the_edge_begins_to_be_in_time() -> None:
    controller = Controller(two(), Goal(deadline=Seconds(0.2)))
    controller.decide(sure(1e3))
    just = controller.decisive
    for bandwidth, remote in ((0.999 * just, False), (1.001 * just, True)):
        plan = Controller(two(), Goal(deadline=Seconds(0.2))).decide(sure(bandwidth))
        assert plan is not None and plan.configuration.device_only != remote
    assert 8 * 10_000 / 0.2 < just < 8 * 11_000 / 0.18  # bits and overheads over what the deadline leaves
    controller.decide(sure(1e8))
    assert controller.decisive == math.inf  # nothing is better than what it has


def three() -> Candidates:
    """The device alone in 10 ms, a short message for a little more, or a long one for more again."""
    short, long = (
        at_the_edge(1, 0.6, device=0.0, edge=0.001),
        at_the_edge(2, 0.9, device=0.0, edge=0.001, size=80_000.0),
    )
    return Candidates.of([by_itself(0, 0.5), short, long])


def test_what_decides_is_the_cheapest_plan_that_would_help_and_not_the_best_one() -> None:
    controller = Controller(three(), Goal(deadline=Seconds(0.2)), race=False)
    decisive = []
    for bandwidth, expected in ((1e3, 0.5), (1e6, 0.6), (1e8, 0.9)):
        plan = controller.decide(sure(bandwidth))
        assert plan is not None and plan.accuracy == expected
        decisive.append(controller.decisive)
    assert decisive[0] < 1e6 < decisive[1] < 1e8 and decisive[2] == math.inf


def test_who_has_nothing_to_lose_sends_however_slow_the_link_seems() -> None:
    """The device needs 10 ms; the link is taken to be far too slow for the edge's answer, and is not certain."""
    slow = either(1e3, slow_share=0.5, fast=2e3)
    for deadline, alone in ((0.2, True), (0.009, False)):
        plan = Controller(two(), Goal(deadline=Seconds(deadline)), race=False).decide(slow)
        assert plan is not None and plan.configuration.device_only == alone
    hopeless = Controller(two(), Goal(deadline=Seconds(0.0005)), race=False).decide(slow)
    assert hopeless is not None and hopeless.configuration.device_only  # the edge by itself takes longer


@pytest.mark.parametrize(("share", "wanted"), [(0.0005, False), (0.01, True)])
def test_a_look_is_wanted_from_a_tenth_of_a_point_on(share: float, wanted: bool) -> None:
    """Who looks first takes the device's 0.5 in that share of the cases, in which he would have nothing otherwise."""
    controller = Controller(two(), Goal(deadline=Seconds(0.2)), race=False)
    plan = controller.decide(either(1e3, slow_share=share))
    assert plan is not None and not plan.configuration.device_only
    assert controller.unconfirmed == wanted


def test_of_chances_the_higher_is_better_however_little_though_accuracies_within_the_tolerance_are_equal() -> None:
    link = either(1e3, slow_share=0.0005)
    for local, alone in ((0.8995, True), (0.89, False)):
        controller = Controller(two(local=local), Goal(deadline=Seconds(0.2)), race=False)
        plan = controller.decide(link)
        assert plan is not None and plan.configuration.device_only == alone


def test_a_plan_is_kept_where_a_better_one_gains_less_than_it_costs_and_left_where_it_gains_as_much() -> None:
    for cost, switches in ((0.39, True), (0.41, False)):
        goal = Goal(deadline=Seconds(0.2), least_gain=cost)
        controller = Controller(two(), goal, race=False)
        alone = controller.decide(sure(1e4))
        assert alone is not None and alone.configuration.device_only
        assert (controller.decide(sure(1e8)) is not None) == switches


@pytest.mark.parametrize(("edge_factor", "exit"), [(1.0, 1), (3.9, 1), (10.0, 2), (0.1, 1)])
def test_machines_that_drift_far_apart_may_make_another_plan_the_best(edge_factor: float, exit: int) -> None:
    """2 ms and 9 ms, or 40 ms and 1 ms: the second is the faster one where the edge is 4.75 times as slow, or more."""
    table = Candidates.of(
        [
            by_itself(0, 0.5),
            at_the_edge(1, 0.9, device=0.002, edge=0.009),
            at_the_edge(2, 0.9, device=0.040, edge=0.001),
        ]
    )
    seen = replace(sure(1e9), edge_factor=edge_factor)
    plan = Controller(table, Goal(deadline=Seconds(0.2))).decide(seen)
    assert plan is not None and plan.configuration.exit == exit


def test_only_what_is_certain_enough_is_taken_where_anything_is() -> None:
    for certainty, alone in ((0.5, False), (0.99, True)):
        goal = Goal(deadline=Seconds(0.2), certainty=certainty)
        plan = Controller(two(), goal).decide(either(1e3, slow_share=0.2))
        assert plan is not None and plan.configuration.device_only == alone
    nothing = Controller(two(), Goal(deadline=Seconds(0.005), certainty=0.9)).decide(None)
    assert nothing is not None and nothing.configuration.device_only and not nothing.meets_deadline


@pytest.mark.parametrize(
    ("device_factor", "edge_factor", "all_are"),
    [(1.0, 1.0, False), (4.0, 1.0, False), (1.0, 4.0, False), (4.1, 1.0, True), (1.0, 4.1, True), (8.0, 8.0, False)],
)
def test_all_candidates_are_looked_at_only_where_the_machines_drift_apart_by_more_than_four_times(
    device_factor: float, edge_factor: float, all_are: bool
) -> None:
    """The last can win only there: 20 ms and 15 ms, or 30 ms and 12.8 ms, equal where the edge is 4.5 times as slow."""
    table = Candidates.of(
        [
            by_itself(0, 0.5),
            at_the_edge(1, 0.9, device=0.020, edge=0.015),
            at_the_edge(2, 0.9, device=0.030, edge=0.0128),
        ]
    )
    drifted = replace(sure(1e9), device_factor=device_factor, edge_factor=edge_factor)
    controller = Controller(table, Goal(deadline=Seconds(0.2)))
    looked_at = controller._expectations(drifted).candidates
    exits = {looked_at.configurations[row].exit for row in range(len(looked_at))}
    assert exits == ({0, 1, 2} if all_are else {0, 1})


def test_a_plan_that_takes_just_the_deadline_meets_it() -> None:
    for deadline, meets in ((0.01, True), (0.0099, False)):
        plan = Controller(two(), Goal(deadline=Seconds(deadline))).decide(None)
        assert plan is not None and plan.stages.total == 0.01
        assert plan.meets_deadline is meets


def test_just_as_certain_as_asked_for_is_certain_enough() -> None:
    link = either(1e3, slow_share=0.2)
    bold = Controller(two(), Goal(deadline=Seconds(0.2)))
    bold.decide(link)
    goal = Goal(deadline=Seconds(0.2), certainty=bold.chance)
    plan = Controller(two(), goal).decide(link)
    assert plan is not None and not plan.configuration.device_only


@pytest.mark.parametrize(("behind", "exit"), [(0.002, 1), (0.0021, 2)])
def test_accuracies_that_are_just_the_tolerance_apart_are_equal(behind: float, exit: int) -> None:
    fast, slow = (
        at_the_edge(exit, accuracy, device=0.0, edge=edge)
        for exit, accuracy, edge in ((1, 0.9 - behind, 0.001), (2, 0.9, 0.010))
    )
    table = Candidates.of([by_itself(0, 0.5), fast, slow])
    plan = Controller(table, Goal(deadline=Seconds(0.2))).decide(sure(1e8))
    assert plan is not None and plan.configuration.exit == exit
