"""The controller against brute force: loops over candidates, quantiles and local branches."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link import Predictive, TransferModel
from edgent.link.forecast import LinkForecast
from edgent.link.predictive import NOTHING
from edgent.link.transfer import Transfer
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.belief import LearnedBelief, LinkBelief
from edgent.planning.controller import Controller, Goal
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.expectation import Expectations
from edgent.units import BitsPerSecond, Seconds
from planning.strategies import on_a_slow_device

SENT = Transfer(direction="up", size=1.0, seconds=1.0, at=Seconds(0.0))


class Told:
    """A forecast that says what it was told."""

    def __init__(self, *beliefs: LinkBelief | None) -> None:
        self.beliefs = list(beliefs)

    def observe(self, event: Transfer) -> None:
        self.beliefs.pop(0)

    def belief(self, now: Seconds) -> LinkBelief | None:
        return self.beliefs[0]


def spread(random: np.random.Generator, quantiles: int = 9) -> Predictive:
    middle, octaves = random.uniform(5, 7.5), random.uniform(0, 0.6)
    weights = random.dirichlet(np.ones(quantiles))
    return Predictive(bandwidths=np.sort(10 ** (middle + octaves * random.normal(size=quantiles))), weights=weights)


def belief(random: np.random.Generator) -> LinkBelief:
    up = spread(random)
    if random.random() < 0.5:
        up.bandwidths[0] = NOTHING
    down = Predictive(bandwidths=np.where(up.bandwidths > NOTHING, 2 * up.bandwidths, NOTHING), weights=up.weights)
    return LinkBelief(
        uplink=up,
        downlink=down,
        round_trip=Seconds(float(random.uniform(0, 0.02))),
        call_time=Seconds(0.001),
        queue=Seconds(float(random.exponential(0.002))),
        device_factor=float(2 ** random.uniform(-2, 2)),  # so that they drift apart by more than the usual, too
        edge_factor=float(2 ** random.uniform(-2, 2)),
    )


def sure(bandwidth: float) -> LinkBelief:
    return LinkBelief(uplink=Predictive.certain(bandwidth), downlink=Predictive.certain(bandwidth))


def latencies(table: Candidates, row: int, seen: LinkBelief) -> list[float]:
    """Seconds at each quantile, by the transfer model."""
    found = []
    for up, down in zip(seen.uplink.bandwidths, seen.downlink.bandwidths, strict=True):
        way = {"round_trip": seen.round_trip, "call_time": seen.call_time}
        now = Conditions(
            uplink=TransferModel(bandwidth=BitsPerSecond(float(up)), **way),
            downlink=TransferModel(bandwidth=BitsPerSecond(float(down)), **way),
            queue=seen.queue,
            device_factor=seen.device_factor,
            edge_factor=seen.edge_factor,
        )
        found.append(now.stages(table, row).total)
    return found


def chance(times: list[float], weights: np.ndarray, deadline: float) -> float:
    """The distribution of the time, drawn as a line through its quantiles."""
    if times[0] <= deadline or times[-1] > deadline:
        return 1.0 if times[0] <= deadline else 0.0
    middles = np.cumsum(weights) - weights / 2
    return float(np.interp(deadline, times[::-1], (1 - middles)[::-1]))


def rescue(table: Candidates, row: int, deadline: float, factor: float, margin: float) -> float:
    """The best branch that the device can still finish, begun once everything to send is encoded."""
    if not table.messages[row]:
        return 0.0
    begun = factor * (table.head[row] + table.encode[row])
    own = [k for k in range(len(table)) if not table.messages[k]]
    fit = [k for k in own if begun + factor * (table.prepare[k] + table.head[k]) <= deadline - margin]
    return min(max((float(table.accuracy[k]) for k in fit), default=0.0), float(table.accuracy[row]))


def by_loops(table: Candidates, seen: LinkBelief, deadline: float, *, race: bool, margin: float = 0.0) -> Any:
    found = []
    for row in range(len(table)):
        times = latencies(table, row, seen)
        likely = chance(times, seen.uplink.weights, deadline)
        local = rescue(table, row, deadline, seen.device_factor, margin) if race else 0.0
        expected = likely * float(table.accuracy[row]) + (1 - likely) * local
        found.append((table.configuration(row), likely, expected, waited(table, row, seen, deadline)))
    return found


def waited(table: Candidates, row: int, seen: LinkBelief, deadline: float) -> float:
    """The mean latency; in an outage who sends waits a deadline longer than without the link's bytes."""
    free = Predictive.certain(1e15)
    unlimited = latencies(table, row, replace(seen, uplink=free, downlink=free))[0]
    patient = unlimited + deadline * bool(table.messages[row])
    times, passes = latencies(table, row, seen), seen.uplink.bandwidths > NOTHING
    return float(np.dot(np.where(passes, times, patient), seen.uplink.weights))


@pytest.mark.parametrize("race", [True, False])
def test_the_plan_is_the_fastest_of_the_highest_expected_accuracy_in_time(race: bool) -> None:
    chances = []
    for seed in range(120):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline, margin = float(10 ** random.uniform(-2, 0)), 0.002
        every = by_loops(table, seen, deadline, race=race, margin=margin)
        best = max(expected for _, _, expected, _ in every)
        configuration, likely, _, _ = min(
            (one for one in every if one[2] >= best - 0.002 - 1e-9), key=lambda one: one[3]
        )
        controller = Controller(table, Told(seen), Goal(deadline=Seconds(deadline), margin=Seconds(margin)), race=race)
        for _ in range(2):  # the second decision looks at fewer candidates
            controller.decide(Seconds(0.0))
            assert controller.plan is not None
            assert controller.plan.configuration == configuration, f"seed {seed}"
            assert controller.plan.chance == pytest.approx(likely, abs=1e-9)
        chances.append(likely)
    assert sum(0 < likely < 1 for likely in chances) > 20


def test_where_the_bandwidth_is_certain_the_plan_is_the_planner_s() -> None:
    for seed in range(200):
        random = np.random.default_rng(seed)
        table, bandwidth = Candidates.of(on_a_slow_device(random)), float(10 ** random.uniform(4.5, 8))
        deadline = Seconds(float(10 ** random.uniform(-2.5, 0.5)))
        way = TransferModel(bandwidth=BitsPerSecond(bandwidth))
        expected = Planner(table).plan(Conditions(uplink=way, downlink=way), deadline)
        found = Controller(table, Told(sure(bandwidth)), Goal(deadline=deadline), race=False).decide(Seconds(0.0))
        assert found is not None
        assert found.configuration == expected.configuration, f"seed {seed}"
        assert found.meets_deadline == expected.meets_deadline == (found.chance == 1)
        assert found.stages == expected.stages


def test_with_a_certainty_only_plans_that_are_so_certain_are_taken_where_there_are_any() -> None:
    gambled = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline = float(10 ** random.uniform(-2, 0))
        every = by_loops(table, seen, deadline, race=False)
        bold, careful = (
            Controller(table, Told(seen), Goal(deadline=Seconds(deadline), certainty=q), race=False).decide(
                Seconds(0.0)
            )
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
        plan = Controller(table, Told(None), Goal(deadline=deadline)).decide(Seconds(0.0))
        own = table.keep(table.messages == 0)
        way = TransferModel(bandwidth=BitsPerSecond(1.0))
        expected = Planner(own).plan(Conditions(uplink=way, downlink=way), deadline)
        assert plan is not None
        assert (plan.configuration, plan.stages) == (expected.configuration, expected.stages)


def test_only_a_new_plan_comes_out() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(16)))
    far, near = sure(3e4), sure(1e9)
    controller = Controller(table, Told(far, far, near, near, None), Goal(deadline=Seconds(0.2)))
    first = controller.decide(Seconds(0.0))
    assert first is not None and first == controller.plan
    assert controller.observe(SENT, Seconds(1.0)) is None
    second = controller.observe(SENT, Seconds(2.0))
    assert second is not None and second.configuration != first.configuration
    assert controller.observe(SENT, Seconds(3.0)) is None
    third = controller.observe(SENT, Seconds(4.0))
    assert third is not None and third.configuration.device_only


def test_a_switch_that_gains_less_than_it_costs_is_not_made() -> None:
    switched = {0.0: 0, 0.05: 0, 1.0: 0}
    for seed in range(20):
        random = np.random.default_rng(seed)
        table = Candidates.of(on_a_slow_device(random))
        seen = [belief(random) for _ in range(8)]
        deadline = Seconds(float(10 ** random.uniform(-1.5, -0.5)))
        for cost in switched:
            controller = Controller(table, Told(*seen), Goal(deadline=deadline, least_gain=cost))
            controller.decide(Seconds(0.0))
            found = [controller.observe(SENT, Seconds(float(k))) for k in range(1, len(seen))]
            switched[cost] += sum(plan is not None for plan in found)
    assert switched[0.0] > switched[0.05] > switched[1.0] == 0


def test_directions_of_unlike_weights_move_together_quantile_by_quantile() -> None:
    random = np.random.default_rng(5)
    up, down = spread(random, 5), spread(random, 8)
    one, other, weights = LinkBelief(uplink=up, downlink=down).pairs()
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(one) >= 0).all() and (np.diff(other) >= 0).all()
    for side, seen in ((up, one), (down, other)):
        for bandwidth, weight in zip(side.bandwidths, side.weights, strict=True):
            assert weights[seen == bandwidth].sum() == pytest.approx(weight)


def test_more_bandwidth_never_lowers_a_chance() -> None:
    random = np.random.default_rng(2)
    expectations, seen = Expectations(Candidates.of(on_a_slow_device(random))), spread(random)
    before = np.zeros(len(expectations.candidates))
    for k, factor in enumerate(np.geomspace(0.1, 100, 15)):
        way = Predictive(bandwidths=seen.bandwidths * factor, weights=seen.weights)
        expectation = expectations.expect(LinkBelief(uplink=way, downlink=way), Seconds(0.05))
        now = np.full_like(before, -1.0)
        now[expectation.rows] = expectation.chance
        assert k == 0 or (now[expectation.rows] >= before[expectation.rows] - 1e-12).all()
        before = np.maximum(before, now)


def test_directions_that_are_alike_fare_as_two_that_happen_to_be_equal() -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        table, up = Candidates.of(on_a_slow_device(random)), spread(random)
        down = Predictive(bandwidths=up.bandwidths.copy(), weights=up.weights.copy())
        one, two = LinkBelief(uplink=up, downlink=up), LinkBelief(uplink=up, downlink=down)
        for deadline in (0.02, 0.05, 0.2):
            expectations = Expectations(table)
            alike, apart = (Expectations(table).expect(each, Seconds(deadline)) for each in (one, two))
            assert alike.chance == pytest.approx(apart.chance, abs=1e-9)
            assert alike.latency == pytest.approx(apart.latency)
            informed = [expectations.informed(each, Seconds(deadline)) for each in (one, two)]
            assert informed[0] == pytest.approx(informed[1])


def test_the_decisive_bandwidth_is_where_the_most_accurate_over_the_link_begins_to_be_in_time() -> None:
    finite = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline = Seconds(float(10 ** random.uniform(-2, 0)))
        decisive = Expectations(table).decisive(seen, deadline)
        best = []
        for bandwidth in (1e15, decisive * 1.001, decisive * 0.999):
            way = Predictive.certain(min(bandwidth, 1e15))
            there = replace(seen, uplink=way, downlink=way)
            rows = [row for row in range(len(table)) if table.messages[row]]
            in_time = [row for row in rows if latencies(table, row, there)[0] <= deadline]
            best.append(max((float(table.accuracy[row]) for row in in_time), default=0.0))
        if decisive < math.inf:
            finite += 1
            assert best[1] >= best[0] - 0.002 - 1e-9 > best[2]
        else:
            assert best[0] == 0.0
    assert finite > 10


def test_who_looks_at_the_link_first_never_expects_less() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        expectations, seen = Expectations(Candidates.of(on_a_slow_device(random))), belief(random)
        best = expectations.expect(seen, Seconds(0.05)).expected.max()
        assert expectations.informed(seen, Seconds(0.05)) >= best - 0.15  # chances are interpolated, looks are not


def test_a_possible_outage_does_not_make_the_smallest_message_the_fastest() -> None:
    """At 1 Gbit/s bytes weigh next to nothing, so an outage makes all that send later by the same."""
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    expectation = []
    for outage in (0.0, 0.1):
        link = Predictive(bandwidths=np.array([NOTHING, 1e9]), weights=np.array([outage, 1 - outage]))
        expectation.append(
            Expectations(table, race=False).expect(LinkBelief(uplink=link, downlink=link), Seconds(10.0))
        )
    later = expectation[1].latency - expectation[0].latency
    sends = Expectations(table, race=False).candidates.messages > 0
    assert sends.sum() > 3
    assert later[sends] == pytest.approx(0.1 * 10.0, rel=0.01)
    assert later[~sends] == pytest.approx(0.0)


def test_a_link_that_is_certain_needs_no_look_and_one_that_may_be_either_does() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    either = Predictive(bandwidths=np.array([1e4, 1e9]), weights=np.array([0.5, 0.5]))
    known, unknown = (
        Controller(table, Told(each), Goal(deadline=Seconds(0.05)), race=False)
        for each in (sure(1e9), LinkBelief(uplink=either, downlink=either))
    )
    assert known.unconfirmed  # before the first decision
    known.decide(Seconds(0.0))
    unknown.decide(Seconds(0.0))
    assert not known.unconfirmed and unknown.unconfirmed


def test_it_joins_the_forecasts_of_both_directions() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(16)))
    forecast = LearnedBelief(LinkForecast(), LinkForecast(), round_trip=Seconds(0.002))
    controller = Controller(table, forecast, Goal(deadline=Seconds(0.25)), race=False)
    alone = controller.decide(Seconds(0.0))
    assert alone is not None and alone.configuration.device_only  # nothing is known of the link
    ways: tuple[Literal["up"], Literal["down"]] = ("up", "down")
    fast = [Transfer(direction=way, size=1e6, seconds=0.01, at=Seconds(k)) for k in range(1, 6) for way in ways]
    found = [controller.observe(event, event.at) for event in fast]
    assert found[0] is not None and not found[0].configuration.device_only
    cut = [Transfer(direction="up", size=1e6, seconds=1.0, at=Seconds(10.0 + k), cut=True) for k in range(3)]
    assert [controller.observe(event, event.at) is not None for event in cut] == [True, False, False]
    assert controller.plan is not None and controller.plan.configuration.device_only


def test_an_uncertainty_that_grows_with_time_alone_may_change_the_plan() -> None:
    class Ageing:
        def observe(self, event: Transfer) -> None:
            raise AssertionError("nothing happened on the link")

        def belief(self, now: Seconds) -> LinkBelief:
            octaves = np.linspace(-1, 1, 9) * now
            way = Predictive(bandwidths=1e6 * 2**octaves, weights=np.full(9, 1 / 9))
            return LinkBelief(uplink=way, downlink=way)

    changes = 0
    for seed in range(20):
        controller = Controller(
            Candidates.of(on_a_slow_device(np.random.default_rng(seed))), Ageing(), Goal(deadline=Seconds(0.05))
        )
        controller.decide(Seconds(0.0))
        changes += any(controller.decide(Seconds(float(now))) is not None for now in range(1, 6))
    assert changes > 3


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


def at_the_edge(exit: int, accuracy: float, *, device: float, edge: float) -> BranchCosts:
    """A branch of one layer, for 10 kB; by itself the device would take a second."""
    plane = np.full((2, 2), 10_000.0)
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


def either(slow: float, *, slow_share: float, fast: float = 1e8) -> LinkBelief:
    """One of two bandwidths; a third quantile, of next to no weight, makes the step between them a steep one."""
    weights = np.array([slow_share, 1e-9, 1 - slow_share - 1e-9])
    link = Predictive(bandwidths=np.array([slow, fast, fast]), weights=weights)
    return LinkBelief(uplink=link, downlink=link)


def test_before_the_first_decision_there_is_no_plan_and_a_look_is_wanted() -> None:
    controller = Controller(two(), Told(sure(1e8)), Goal(deadline=Seconds(0.2)))
    assert (controller.plan, controller.configuration, controller.chance) == (None, None, None)
    assert controller.unconfirmed and controller.decisive == math.inf
    assert repr(controller).startswith("<Controller 200 ms on <Candidates") and repr(controller).endswith(": None>")
    plan = controller.decide(Seconds(0.0))
    assert plan is not None
    assert (controller.plan, controller.configuration, controller.chance) == (plan, plan.configuration, 1.0)
    assert repr(controller).endswith(f": {plan!r}>")


def test_while_nothing_is_known_of_the_link_a_look_is_wanted_and_no_bandwidth_decides() -> None:
    controller = Controller(two(), Told(None), Goal(deadline=Seconds(0.2)))
    controller.decide(Seconds(0.0))
    assert controller.configuration is not None and controller.configuration.device_only
    assert controller.unconfirmed and controller.decisive == math.inf


def test_the_bandwidth_that_decides_is_the_one_at_which_the_edge_begins_to_be_in_time() -> None:
    controller = Controller(two(), Told(sure(1e8)), Goal(deadline=Seconds(0.2)))
    controller.decide(Seconds(0.0))
    just = controller.decisive
    for bandwidth, remote in ((0.999 * just, False), (1.001 * just, True)):
        plan = Controller(two(), Told(sure(bandwidth)), Goal(deadline=Seconds(0.2))).decide(Seconds(0.0))
        assert plan is not None and plan.configuration.device_only != remote
    assert 8 * 10_000 / 0.2 < just < 8 * 11_000 / 0.18  # bits and overheads over what the deadline leaves


@pytest.mark.parametrize(("share", "wanted"), [(0.0005, False), (0.01, True)])
def test_a_look_is_wanted_from_a_tenth_of_a_point_on(share: float, wanted: bool) -> None:
    """Who looks first takes the device's 0.5 in that share of the cases, in which he would have nothing otherwise."""
    controller = Controller(two(), Told(either(1e3, slow_share=share)), Goal(deadline=Seconds(0.2)), race=False)
    plan = controller.decide(Seconds(0.0))
    assert plan is not None and not plan.configuration.device_only
    assert controller.unconfirmed == wanted


def test_of_chances_the_higher_is_better_however_little_though_accuracies_within_the_tolerance_are_equal() -> None:
    link = either(1e3, slow_share=0.0005)
    for local, alone in ((0.8995, True), (0.89, False)):
        controller = Controller(two(local=local), Told(link), Goal(deadline=Seconds(0.2)), race=False)
        plan = controller.decide(Seconds(0.0))
        assert plan is not None and plan.configuration.device_only == alone


def test_a_plan_is_kept_where_a_better_one_gains_less_than_it_costs_and_left_where_it_gains_as_much() -> None:
    for cost, switches in ((0.39, True), (0.41, False)):
        goal = Goal(deadline=Seconds(0.2), least_gain=cost)
        controller = Controller(two(), Told(sure(1e4), sure(1e8)), goal, race=False)
        alone = controller.decide(Seconds(0.0))
        assert alone is not None and alone.configuration.device_only
        assert (controller.observe(SENT, Seconds(1.0)) is not None) == switches


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
    plan = Controller(table, Told(seen), Goal(deadline=Seconds(0.2))).decide(Seconds(0.0))
    assert plan is not None and plan.configuration.exit == exit


def test_only_what_is_certain_enough_is_taken_where_anything_is() -> None:
    for certainty, alone in ((0.5, False), (0.99, True)):
        goal = Goal(deadline=Seconds(0.2), certainty=certainty)
        plan = Controller(two(), Told(either(1e3, slow_share=0.2)), goal).decide(Seconds(0.0))
        assert plan is not None and plan.configuration.device_only == alone
    nothing = Controller(two(), Told(None), Goal(deadline=Seconds(0.005), certainty=0.9)).decide(Seconds(0.0))
    assert nothing is not None and nothing.configuration.device_only and not nothing.meets_deadline


def test_a_plan_s_stages_are_those_at_the_median_bandwidths() -> None:
    for seed in range(30):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        seen = replace(seen, call_time=Seconds(0.007))
        plan = Controller(table, Told(seen), Goal(deadline=Seconds(0.1))).decide(Seconds(0.0))
        assert plan is not None
        up, down = seen.median()
        way = {"round_trip": seen.round_trip, "call_time": seen.call_time}
        now = Conditions(
            uplink=TransferModel(bandwidth=BitsPerSecond(up), **way),
            downlink=TransferModel(bandwidth=BitsPerSecond(down), **way),
            queue=seen.queue,
            device_factor=seen.device_factor,
            edge_factor=seen.edge_factor,
        )
        (row,) = (row for row in range(len(table)) if table.configuration(row) == plan.configuration)
        assert plan.stages == now.stages(table, row)
        assert plan.meets_deadline == (plan.stages.total <= 0.1)


def test_candidates_that_all_need_the_edge_are_refused() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(3)))
    with pytest.raises(InputError, match="stays on the device"):
        Controller(table.keep(table.messages > 0), Told(None), Goal(deadline=Seconds(0.1)))


@pytest.mark.parametrize("seed", range(20))
def test_among_what_is_ready_it_is_a_controller_of_just_that(seed: int) -> None:
    random = np.random.default_rng(seed)
    table, seen, goal = Candidates.of(on_a_slow_device(random)), belief(random), Goal(deadline=Seconds(0.05))
    controller = Controller(table, Told(seen), goal)
    fit_to_win = Expectations(table.frontier_within(4.0)).candidates  # while the machines drift apart by less than that
    crossing = np.flatnonzero(fit_to_win.messages > 0)
    rows = random.choice(crossing, size=min(4, crossing.size), replace=False)
    kept = np.union1d(rows, np.flatnonzero(np.equal(fit_to_win.messages, 0)))
    only = Controller(fit_to_win.keep(kept), Told(seen), goal)
    only.decide(Seconds(0.0))
    controller.decide(Seconds(0.0))
    present = controller.plan
    ready = [fit_to_win.configuration(row) for row in rows]
    for _ in range(2):  # what was ready the last time has no say
        assert only.plan == controller.among(ready, Seconds(0.0)) == controller.among(ready, Seconds(0.0))
        assert controller.among((), Seconds(0.0)).configuration.device_only
    assert controller.plan == present


def test_nothing_ready_leaves_the_device_alone() -> None:
    controller = Controller(
        Candidates.of(on_a_slow_device(np.random.default_rng(3))), Told(sure(1e9)), Goal(deadline=Seconds(0.05))
    )
    assert controller.among((), Seconds(0.0)).configuration.device_only


def test_what_it_is_told_of_an_unseen_link_is_certain_until_the_link_is_seen() -> None:
    forecast = LearnedBelief(LinkForecast(), LinkForecast())
    link = TransferModel(bandwidth=BitsPerSecond(3e6), round_trip=Seconds(0.01), call_time=Seconds(0.004))
    told = Conditions(uplink=link, downlink=link, queue=Seconds(0.02), device_factor=1.5, edge_factor=2.0)
    forecast.under(told)
    seen = forecast.belief(Seconds(0.0))
    assert seen is not None and seen.median() == (3e6, 3e6)
    assert (seen.round_trip, seen.call_time, seen.queue) == (0.01, 0.004, 0.02)
    assert (seen.device_factor, seen.edge_factor) == (1.5, 2.0)
    forecast.observe(Transfer(direction="up", size=1e6, seconds=1.0, at=Seconds(1.0)))
    seen = forecast.belief(Seconds(1.0))
    assert seen is not None and seen.uplink.median > 7e6 and seen.downlink.median == 3e6
