"""What candidates may be expected to give on a link that is not certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.link import Predictive
from edgent.link.predictive import NOTHING
from edgent.planning import Candidates
from edgent.planning.expectation import Expectations
from edgent.units import Seconds
from planning.by_loops import at, belief, believed, chance, latencies, spread
from planning.strategies import on_a_slow_device


def test_more_bandwidth_never_lowers_a_chance() -> None:
    random = np.random.default_rng(2)
    expectations, seen = Expectations(Candidates.of(on_a_slow_device(random))), spread(random)
    before = np.zeros(len(expectations.candidates))
    for k, factor in enumerate(np.geomspace(0.1, 100, 15)):
        way = Predictive(bandwidths=seen.bandwidths * factor, weights=seen.weights)
        expectation = expectations.expect(believed(way, way), Seconds(0.05))
        now = np.full_like(before, -1.0)
        now[expectation.rows] = expectation.chance
        assert k == 0 or (now[expectation.rows] >= before[expectation.rows] - 1e-12).all()
        before = np.maximum(before, now)


def test_directions_that_are_alike_fare_as_two_that_happen_to_be_equal() -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        table, up = Candidates.of(on_a_slow_device(random)), spread(random)
        down = Predictive(bandwidths=up.bandwidths.copy(), weights=up.weights.copy())
        one, two = believed(up, up), believed(up, down)
        for deadline in (0.02, 0.05, 0.2):
            expectations = Expectations(table)
            alike, apart = (Expectations(table).expect(side, Seconds(deadline)) for side in (one, two))
            assert alike.chance == pytest.approx(apart.chance, abs=1e-9)
            assert alike.latency == pytest.approx(apart.latency)
            informed = [expectations.informed(side, Seconds(deadline)) for side in (one, two)]
            assert informed[0] == pytest.approx(informed[1])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("alike", [True, False])
def test_bits_that_go_ahead_are_waited_for_once_in_each_direction_whatever_the_size(seed: int, alike: bool) -> None:
    random = np.random.default_rng(seed)
    table, one = Candidates.of(on_a_slow_device(random)), spread(random)
    up = Predictive(bandwidths=one.bandwidths, weights=one.weights, ahead=float(10 ** random.uniform(3, 5)))
    factor = 1.0 if alike else 1.7
    down = Predictive(
        bandwidths=one.bandwidths if alike else factor * one.bandwidths, weights=one.weights, ahead=0.2 * up.ahead
    )
    seen, deadline = believed(up, down), Seconds(float(10 ** random.uniform(-1.5, 0)))
    expectation = Expectations(table, race=False).expect(seen, deadline)
    ordered = Expectations(table, race=False).candidates
    for place, row in enumerate(expectation.rows.tolist()):
        times = latencies(ordered, row, seen)
        assert expectation.chance[place] == pytest.approx(chance(times, one.weights, deadline), abs=1e-9)
        assert expectation.latency[place] == pytest.approx(float(np.dot(times, one.weights)))


def test_a_plan_that_waits_is_priced_with_its_wait() -> None:
    way = Predictive(bandwidths=np.array([1e6]), weights=np.ones(1), ahead=2e4)
    waits, goes = (believed(up, Predictive.certain(1e6)) for up in (way, Predictive.certain(1e6)))
    assert waits.uplink.uplink(1_000.0) == pytest.approx(goes.uplink.uplink(1_000.0) + 0.020)
    assert waits.downlink.downlink(1_000.0) == pytest.approx(goes.downlink.downlink(1_000.0))


def test_the_decisive_bandwidth_is_where_the_first_that_crosses_and_is_better_begins_to_be_in_time() -> None:
    finite = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        table, seen = Candidates.of(on_a_slow_device(random)), belief(random)
        deadline, known = Seconds(float(10 ** random.uniform(-2, 0))), float(random.uniform(0, 0.8))
        decisive = Expectations(table).decisive(seen, deadline, more_than=known)
        best = []
        for bandwidth in (1e15, decisive * 1.001, decisive * 0.999):
            there = at(seen, min(bandwidth, 1e15), min(bandwidth, 1e15))
            rows = [row for row in range(len(table)) if table.messages[row]]
            in_time = [row for row in rows if latencies(table, row, there)[0] <= deadline]
            best.append(max((float(table.accuracy[row]) for row in in_time), default=0.0))
        if decisive < math.inf:
            finite += 1
            assert best[1] > known + 0.002 >= best[2]
        else:
            assert best[0] <= known + 0.002
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
        expectation.append(Expectations(table, race=False).expect(believed(link, link), Seconds(10.0)))
    later = expectation[1].latency - expectation[0].latency
    sends = Expectations(table, race=False).candidates.messages > 0
    assert sends.sum() > 3
    assert later[sends] == pytest.approx(0.1 * 10.0, rel=0.01)
    assert later[~sends] == pytest.approx(0.0)
