"""Policies among the candidates: what they take, what they give, and when they are the plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgent.link import TransferModel
from edgent.link.predictive import NOTHING, Predictive
from edgent.link.transfer import WIRE
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.controller import Controller, Goal
from edgent.planning.expectation import Expectations
from edgent.planning.explain import explain
from edgent.planning.gates import Gate
from edgent.planning.planner import TOLERANCE, Planner, best
from edgent.planning.policy import with_policies
from edgent.units import BitsPerSecond, Seconds
from networks.policies import BEHIND, BIG, DEVICE, EDGE, SIZES, divided, gate, gates, table
from planning.by_loops import belief, chance, latencies, rescue, waited

DEADLINE = Seconds(0.3)


def link(bandwidth: float, **changes) -> Conditions:
    """Without headers."""
    model = TransferModel.paper(BitsPerSecond(bandwidth))
    return Conditions(uplink=model, downlink=model, **changes)


def with_headers(bandwidth: float, **changes) -> Conditions:
    model = TransferModel(bandwidth=BitsPerSecond(bandwidth))
    return Conditions(uplink=model, downlink=model, **changes)


def row_of(candidates: Candidates, codec: str) -> int:
    (row,) = np.flatnonzero((candidates.gate >= 0) & (candidates.codec == candidates.codecs.index(codec)))
    return int(row)


def test_a_policy_takes_both_answers_where_the_device_is_not_sure_and_its_share_in_the_mean() -> None:
    both = with_policies(table(("jpeg-50",)), gates(gate("jpeg-50")))
    row = row_of(both, "jpeg-50")
    device, edge, up, down, messages = both.demand[:, row]
    assert device == pytest.approx(0.010 + DEVICE + 0.005 + 0.004)  # both are given the picture in a form of their own
    assert (edge, up, down, messages) == pytest.approx((EDGE, 9_000, 4_000, 2))
    assert both.expected[:, row] == pytest.approx((0.4 * EDGE, 0.4 * 9_000, 0.4 * 4_000))
    assert both.deferred.tolist() == pytest.approx([0.0, 1.0, 0.4])


def test_without_a_gate_that_serves_the_table_stays_the_same() -> None:
    plain = table(("jpeg-50",))
    assert with_policies(plain, gates(gate("source"))) is plain
    assert with_policies(plain, gates(gate("jpeg-50", later=2))) is plain
    only_edge = plain.keep(plain.messages > 0)  # an exit that the device may not answer with
    assert with_policies(only_edge, gates(gate("jpeg-50"))) is only_edge


def test_what_loses_nothing_shows_the_picture_as_it_was_measured() -> None:
    assert gate("source").serves("png")
    assert not gate("jpeg-50").serves("jpeg-25")


@pytest.mark.parametrize(("bandwidth", "gated"), [(50e6, True), (10e6, True), (4.5e6, False), (2e6, False)])
def test_a_policy_is_the_plan_where_a_deferred_picture_is_in_time(bandwidth, gated) -> None:
    """At 4.5 Mbit/s the edge alone takes 0.113 s, behind a first answer of 0.04 s 0.153 s; the deadline is 0.12 s."""
    plan = best(with_policies(table(), gates(gate())), link(bandwidth), Seconds(0.12))
    took = (SIZES["source"] + 4_000) * 8 / bandwidth + EDGE
    assert (plan.gate is not None) == gated == (took + 0.04 <= 0.12)
    assert plan.configuration.device_only == (took > 0.12)


def test_its_accuracy_is_that_of_the_path_that_each_picture_takes() -> None:
    plan = best(with_policies(table(), gates(gate(accuracy=0.815))), link(50e6), DEADLINE)
    assert (plan.gate, plan.accuracy, plan.deferred) == (gate(accuracy=0.815), 0.815, pytest.approx(0.4))


def test_a_codec_that_is_worth_nothing_alone_is_the_plan_where_both_answers_are_combined() -> None:
    """JPEG 25 leaves the big network 0.70, less than the device's own 0.78; together they are right of 0.81."""
    together = gate("jpeg-25", weights=(0.7, 0.6), ungated=0.81, accuracy=0.808, gain=(0.08, 0.13))
    thin = link(1e6)  # the file does not fit in time
    alone = table(("source", "jpeg-25"))
    assert best(alone, thin, Seconds(0.2)).configuration.device_only
    plan = best(with_policies(alone, gates(together)), thin, Seconds(0.2))
    assert (plan.configuration.codec, plan.gate) == ("jpeg-25", together)


def test_of_equally_accurate_plans_the_one_that_asks_less_comes_before_the_faster_one() -> None:
    both, now = with_policies(table(), gates(gate())), link(50e6)
    plain = best(table(), now, DEADLINE)
    plan = best(both, now, DEADLINE)
    assert plan.stages.total > plain.stages.total
    assert plan.deferred < plain.deferred


def test_what_is_scarce_decides_between_few_bytes_and_few_edge_seconds() -> None:
    """The file asks for less of the edge, JPEG 50 for fewer bytes; both count as equal."""
    few = gate("source", accepted=0.85)
    many = gate("jpeg-50", accepted=0.5, ungated=BIG, accuracy=BIG, alone=0.80, weights=(0.5, 0.5))
    both = with_policies(table(("source", "jpeg-50")), gates(few, many))
    assert best(both, link(100e6), Seconds(1.0)).configuration.codec == "source"
    assert best(both, link(1e6), Seconds(1.0)).configuration.codec == "jpeg-50"
    assert best(both, link(1e6, edge_factor=20.0), Seconds(3.0)).configuration.codec == "source"


def test_where_the_device_counts_as_good_as_the_edge_nobody_is_asked() -> None:
    plan = best(with_policies(table(small=BIG), gates(gate())), link(50e6), DEADLINE)
    assert plan.configuration.device_only


def test_on_the_frontier_the_choice_is_that_among_all() -> None:
    entries = [gate(codec, accepted=accepted) for codec, accepted in (("source", 0.9), ("jpeg-50", 0.5))]
    both = with_policies(table(tuple(SIZES)), gates(*entries, gate("jpeg-25", accepted=0.3, ungated=0.81)))
    planner, rng = Planner(both), np.random.default_rng(0)
    chosen = set()
    for _ in range(300):
        now = link(float(10 ** rng.uniform(5, 8)), edge_factor=float(10 ** rng.uniform(-1, 1)))
        deadline = Seconds(float(10 ** rng.uniform(-1.5, 0.5)))
        plan, among_all = planner.plan(now, deadline), best(both, now, deadline)
        assert (plan.configuration, plan.gate) == (among_all.configuration, among_all.gate)
        chosen.add((plan.configuration, plan.gate))
    assert len(chosen) > 4


def expected_by_pictures(entry: Gate, chance: float) -> float:
    """Of the pictures: taken and right, deferred and in time and right, deferred and late and right."""
    taken = entry.accuracy - entry.deferred * entry.asked
    late = entry.deferred * (1 - chance) * entry.standing
    return taken + entry.deferred * chance * entry.asked + late


@pytest.mark.parametrize("race", [True, False])
def test_what_is_expected_of_it_is_the_mean_over_pictures_along_their_paths(race) -> None:
    entry = gate(accuracy=BIG)  # else what the gate loses, which is forgiven, would be apart
    expectations = Expectations(with_policies(table(), gates(entry)), race=race)
    seen = Predictive.log_normal(BitsPerSecond(4e6), 0.5)
    now = link(4e6).expecting(seen, seen)
    expectation = expectations.expect(now, Seconds(0.16))
    (place,) = np.flatnonzero(expectations.candidates.gate[expectation.rows] >= 0)
    chance = float(expectation.chance[place])
    assert 0.1 < chance < 0.9
    assert expectation.expected[place] == pytest.approx(expected_by_pictures(entry, chance))
    # By drawing bandwidths and looking when a deferred picture's answer comes.
    drawn = np.exp(np.random.default_rng(0).normal(np.log(4e6) - np.log1p(0.25) / 2, np.sqrt(np.log1p(0.25)), 200_000))
    in_time = (0.04 + EDGE + (SIZES["source"] + 4_000) * 8 / drawn <= 0.16).mean()
    assert chance == pytest.approx(in_time, abs=0.06)


def test_the_first_answers_stand_only_where_they_are_in_time() -> None:
    expectations = Expectations(with_policies(table(), gates(gate())), race=False)
    now = link(1e4)
    rescues = [expectations.expect(now, Seconds(deadline)).rescue.max() for deadline in (0.039, 0.041)]
    assert rescues == [0.0, pytest.approx(BIG - 0.4 * 0.1)]


@pytest.mark.parametrize("drift", [1.0, 6.0])
def test_the_controller_of_a_certain_link_is_the_planner(drift) -> None:
    entries = (gate(), gate("jpeg-50", ungated=0.82, weights=(0.5, 0.5)), gate("jpeg-25", ungated=0.81, accepted=0.2))
    both = with_policies(table(tuple(SIZES)), gates(*entries))
    rng = np.random.default_rng(1)
    for _ in range(100):
        controller = Controller(both, Goal(deadline=Seconds(float(10 ** rng.uniform(-1, 0)))), race=False)
        now = with_headers(float(10 ** rng.uniform(5.5, 8)), device_factor=drift)
        controller.decide(now)
        plan = best(both, now, controller.goal.deadline)
        if plan.meets_deadline:
            assert (controller.configuration, controller.gate) == (plan.configuration, plan.gate)


def test_a_gate_that_comes_or_goes_is_a_new_plan() -> None:
    controller = Controller(with_policies(table(), gates(gate())), Goal(deadline=Seconds(0.12)), race=False)
    gated, plain = controller.decide(link(50e6)), controller.decide(link(4.5e6))
    assert gated is not None
    assert plain is not None
    assert gated.configuration == plain.configuration
    assert (gated.gate, plain.gate) == (gate(), None)
    assert controller.decide(link(4.6e6)) is None


def test_an_explanation_says_what_a_gate_saves() -> None:
    neighbours = explain(with_policies(table(), gates(gate())), link(50e6), DEADLINE)
    (other,) = (neighbour for neighbour in neighbours if neighbour.knob == "gate")
    assert other.plan.gate is None
    assert other.reason == "as accurate, asks about 100% of the pictures in place of 40%"
    late = explain(with_policies(table(), gates(gate())), link(4.5e6), Seconds(0.12))
    assert [str(other).split(": ", 1)[1] for other in late if other.knob == "gate"] == [
        "exit 1, cuts 0..1/1, source, unless exit 0 is sure, 152 ms: 32.4 ms past the deadline"
    ]


def test_a_gate_in_words() -> None:
    assert str(gate()) == "exit 0 answers first, and where it is not 70 % sure (60 % of the pictures) exit 1 is asked"
    both = gate(weights=(0.5, 0.5), confidence=None, accepted=0.0)
    assert str(both) == "exit 0 answers first and exit 1 is asked, and both are combined"


def stepped(parts=(1.0, 0.5, 0.25)):
    """A gate that asks about 40 % of the pictures, and steps that lose nothing: nothing else would keep them apart."""
    return gates(*(gate(accepted=1 - 0.4 * part, accuracy=BEHIND["source"]) for part in parts))


@pytest.mark.parametrize(
    ("share", "asks"), [(1.0, 0.4), (0.999, 0.2), (0.5, 0.2), (0.499, 0.1), (0.25, 0.1), (0.1, 0.1), (0.0, 0.1)]
)
def test_with_a_share_of_the_edge_the_largest_step_within_it_is_the_plan(share, asks) -> None:
    both = with_policies(table(), stepped())
    now = link(50e6, share=share)
    controller = Controller(both, Goal(deadline=DEADLINE))
    for _ in range(3):  # the third time it looks at those only that can be the best
        controller.decide(now)
    for plan in (best(both, now, DEADLINE), Planner(both).plan(now, DEADLINE), controller.plan):
        assert plan is not None and plan.deferred == pytest.approx(asks)


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_a_full_edge_is_no_reason_to_ask_it_about_more(share) -> None:
    """Behind a queue of 0.06 s only the edge by itself is in time; the first answer takes 0.04 s of 0.12."""
    now, deadline = link(50e6, queue=Seconds(0.06), share=share), Seconds(0.12)
    for allowed in (stepped(), gates(gate())):
        both = with_policies(table(), allowed)
        controller = Controller(both, Goal(deadline=deadline))
        controller.decide(now)
        for plan in (best(both, now, deadline), controller.plan):
            assert plan is not None
            # A single gate has no steps to give way by: then all stays as it is.
            assert (plan.deferred <= 0.2) if share < 1 and len(allowed.gates) > 1 else (plan.deferred == 1)


def test_with_any_share_the_choice_on_the_frontier_is_that_among_all_in_play() -> None:
    parts = {"source": (0.9, 0.8, 0.6), "jpeg-50": (0.7, 0.5), "jpeg-25": (0.3,)}
    both = with_policies(
        table(tuple(SIZES)), gates(*(gate(codec, accepted=a) for codec in parts for a in parts[codec]))
    )
    planner, rng, chosen = Planner(both), np.random.default_rng(0), set()
    for _ in range(200):
        share = float(rng.uniform(0, 1.2))
        now = link(float(10 ** rng.uniform(5, 8)), share=share, edge_factor=float(10 ** rng.uniform(-1, 1)))
        deadline = Seconds(float(10 ** rng.uniform(-1.5, 0.5)))
        alone = both.keep(both.in_play(share))
        few, all_of_them = planner.plan(now, deadline), best(alone, now, deadline)
        assert (few.configuration, few.gate) == (all_of_them.configuration, all_of_them.gate)
        chosen.add((few.configuration.codec, few.deferred))
    assert len(chosen) > 4


def test_what_a_step_gives_up_beyond_the_promise_counts_against_it() -> None:
    steps = gates(gate(), gate(accepted=0.8, accuracy=BEHIND["source"] - 0.025))
    both = with_policies(table(), steps)
    assert both.counts_as[both.gate >= 0] == pytest.approx([BIG, BIG - 0.02])


def test_steps_of_several_codecs_are_each_of_their_own() -> None:
    entries = [gate(codec, accepted=accepted) for codec in ("source", "jpeg-50") for accepted in (0.8, 0.6)]
    low, high = gates(*entries).spans
    assert (low.tolist(), high.tolist()) == ([0.0, 1.0] * 2, [1.0, np.inf] * 2)
    assert gates(*entries).promised == (entries[1], entries[3])
    assert [ends.tolist() for ends in gates(gate()).spans] == [[0.0], [np.inf]]
    nothing = gate(accepted=1.0)  # of two that ask about nothing one is in play
    assert [ends.tolist() for ends in gates(nothing, nothing).spans] == [[0.0, 0.0], [0.0, np.inf]]


def test_what_is_not_in_play_is_no_reason_to_look_at_the_link() -> None:
    """Nearly as above: behind the queue only the edge by itself could be in time, and that asks about too much."""
    both, deadline = with_policies(table(), stepped()), Seconds(0.12)
    expectations = Expectations(both)
    for share, is_hope in ((1.0, True), (0.9, False)):
        now = link(50e6, queue=Seconds(0.065), share=share)
        expected = float(expectations.expect(now, deadline).expected.max())
        assert expectations.informed(now, deadline) == pytest.approx(expected)
        alone = float(expectations.expect(None, deadline).expected.max())
        assert np.isfinite(expectations.decisive(now, deadline, more_than=alone)) == is_hope


def occupied(both: Candidates, row: int, seen: Conditions) -> float:
    """Seconds of the edge and of the air that a candidate takes in the mean over pictures, at what gets through."""
    pairs, wire = seen.bandwidths, (WIRE.uplink(both.bytes_up[row]), WIRE.downlink(both.bytes_down[row]))
    air = sum(
        weight * (wire[0] / up + wire[1] / down)
        for up, down, weight in zip(pairs.up, pairs.down, pairs.weights, strict=True)
        if min(up, down) > NOTHING
    )
    return float(both.deferred[row] * (seen.edge_factor * both.middle[row] + air)) if both.messages[row] else 0.0


def chosen_by_loops(both: Candidates, seen: Conditions, goal: Goal, present: int | None) -> int | None:
    """The rule of a controller, read over each candidate of the uncut table; None: nobody is expected to be in time."""
    expected, sure = np.zeros(len(both)), np.zeros(len(both))
    for row in np.flatnonzero(both.in_play(seen.share)):
        sure[row] = chance(latencies(both, row, seen), seen.bandwidths.weights, goal.deadline)
        local = rescue(both, row, goal.deadline, seen.device_factor, goal.margin)
        if both.gate[row] >= 0:
            at_hand = seen.device_factor * (both.prepare[row] + both.head[row]) <= goal.deadline - goal.margin
            local = both.standing[row] if at_hand else 0.0
        expected[row] = sure[row] * both.merit[row] + (1 - sure[row]) * local
    if goal.certainty is not None and (sure >= goal.certainty).any():
        expected[sure < goal.certainty] = -1.0
    if not expected.any():
        return None
    if present is not None and expected.max() - expected[present] < goal.least_gain:
        return present
    good = np.flatnonzero(expected >= expected.max() - TOLERANCE)
    asked = {row: occupied(both, row, seen) for row in good}
    least = [row for row in good if asked[row] <= min(asked.values()) + 1e-9]
    return int(min(least, key=lambda row: waited(both, row, seen, goal.deadline)))


@pytest.mark.parametrize("seed", range(12))
def test_a_controller_chooses_among_thousands_as_if_it_read_over_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    both = with_policies(divided(random), gates(*(gate(accepted=accepted) for accepted in (0.8, 0.6))))
    for rule in ({}, {}, {"certainty": 0.9}, {"least_gain": 0.1}):
        goal = Goal(deadline=Seconds(float(random.uniform(0.05, 0.4))), margin=Seconds(0.003), **rule)
        controller, row = Controller(both, goal), None
        for _ in range(8):
            seen = replace(belief(random), share=float(random.choice([0.4, 1.0, 1.0])))
            row = chosen_by_loops(both, seen, goal, row)
            controller.decide(seen)
            if row is None:
                controller, row = Controller(both, goal), None
            else:
                assert (controller.configuration, controller.gate) == (both.configurations[row], both.gate_of(row))


def test_few_fare_as_they_do_among_all() -> None:
    random = np.random.default_rng(0)
    both = with_policies(divided(random), gates(gate()))
    expectations = Expectations(both, drift=4.0)
    sizes = []
    for _ in range(20):
        seen, deadline = belief(random), Seconds(0.2)
        few, all_of_them = expectations.expect(seen, deadline), expectations.expect(seen, deadline, every=True)
        assert all_of_them.rows.tolist() == list(range(len(expectations.candidates)))
        for name in ("chance", "expected", "latency", "rescue", "occupancy"):
            assert getattr(few, name) == pytest.approx(getattr(all_of_them, name)[few.rows])
        sizes.append(few.rows.size)
    assert np.median(sizes) < len(expectations.candidates) / 2
