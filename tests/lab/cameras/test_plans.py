from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgent.lab.cameras.plans import BIG, JPEG, OURS, SMALL, asks, candidates_of, clairvoyant_choice, methods_of
from lab.cameras import made

FACTS = made.facts()
METHODS = methods_of(FACTS, made.machines(), 0.3)


def test_a_plan_s_accuracy_is_along_the_path_that_each_picture_takes():
    gated = next(plan for plan in METHODS[OURS].of(0) if plan.stays is not None)
    # Of the first half the edge is asked, which is right about 9 of 10; of the second the device, 3 of 4.
    first, second = FACTS.big["source"][:20], FACTS.small[20:]
    assert gated.accuracy == (first.sum() + second.sum()) / 40
    assert gated.deferred == 0.5
    assert gated.merit == FACTS.big["source"].mean()


def test_the_planner_sees_the_same_demand_in_the_same_order():
    plans = METHODS[OURS].of(0)
    table = candidates_of(plans)
    assert table.accuracy.tolist() == [plan.accuracy for plan in plans]
    assert table.bytes_up.tolist() == [0.0 if plan.codec is None else plan.nbytes.mean() for plan in plans]
    assert [bool(n) for n in table.messages] == [plan.codec is not None for plan in plans]
    # A small network first and then a message: decoding, the answer, and what is sent.
    gated = next(row for row, plan in enumerate(plans) if plan.stays is not None and plan.codec == "jpeg-25")
    assert np.isclose(table.demand[0, gated], 0.02 + 0.05 + 0.01)


def test_who_prefers_the_device_is_the_device_alone_where_that_is_in_time():
    assert METHODS["prefer device"].of(0)[0].accuracy == METHODS[SMALL].of(0)[0].accuracy
    slow = methods_of(FACTS, made.machines(), 0.06)
    assert slow["prefer device"].of(0)[0].codec == "jpeg-25"


def test_every_method_but_edgent_is_one_of_its_rivals_and_no_more():
    assert all(plan.codec is None for name in (SMALL, BIG, "right-sizing") for plan in METHODS[name].of(0))
    assert all(plan.own == "none" for name in (JPEG, "edge alone") for plan in METHODS[name].of(0))


def test_the_clairvoyant_asks_only_where_it_helps_and_by_the_fewest_bytes():
    plans = METHODS[OURS].of(0)
    for picture in range(40):
        plan = clairvoyant_choice(plans, picture)
        helps = not FACTS.small[picture] and FACTS.big["source"][picture]
        assert asks(plan, picture) == helps
        assert not helps or plan.codec == "jpeg-25"


def test_where_only_the_edge_holds_the_big_network_no_device_runs_or_divides_it():
    methods = methods_of(FACTS, replace(made.machines(), edge_only=True), 0.3)
    assert BIG not in methods
    own = [plan for method in methods.values() for plan in method.of(0) if plan.codec is None]
    assert own and all((plan.own_right == FACTS.small).all() for plan in own)
    assert {plan.codec for plan in methods["partitioning"].of(0)} == set(FACTS.codecs)
    assert None in {plan.codec for plan in METHODS["partitioning"].of(0)}
