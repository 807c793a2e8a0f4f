"""Why the neighbours of a plan lost, against every candidate priced by loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.planning import Candidates, Planner
from edgent.planning.explain import explain
from edgent.units import Seconds
from planning.strategies import branches
from planning.test_planner import brute_force, conditions, everything

KNOBS = ("exit", "upload_cut", "download_cut", "codec", "download_codec")


def test_each_neighbour_is_the_best_of_those_with_another_setting_of_its_knob() -> None:
    explained = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        costs, now = branches(random), conditions(random)
        deadline = Seconds(float(10 ** random.uniform(-2.5, 0.5)))
        table, priced = Candidates.of(costs), list(everything(costs, now))
        chosen = Planner(table).plan(now, deadline).configuration
        by_knob = {neighbour.knob: neighbour.plan for neighbour in explain(table, now, deadline)}
        for knob in KNOBS:
            turned = [
                one
                for one in priced
                if getattr(one.configuration, knob) != getattr(chosen, knob)
                and (knob == "exit" or one.configuration.exit == chosen.exit)
            ]
            assert (knob in by_knob) == bool(turned)
            if turned:
                explained += 1
                assert by_knob[knob].configuration == brute_force(turned, deadline, 0.002).configuration
    assert explained > 300


def test_the_reason_is_lateness_then_accuracy_then_time() -> None:
    said = set()
    for seed in range(100):
        random = np.random.default_rng(seed)
        table, now = Candidates.of(branches(random)), conditions(random)
        deadline = Seconds(float(10 ** random.uniform(-2.5, 0.5)))
        chosen = Planner(table).plan(now, deadline)
        for neighbour in explain(table, now, deadline):
            other, reason = neighbour.plan, neighbour.reason
            if not chosen.meets_deadline:
                expected = "late too"
            elif not other.meets_deadline:
                expected = "past the deadline"
            elif chosen.accuracy - other.accuracy > 0.002:
                expected = "points less accurate"
            else:
                expected = "as accurate"
            said.add(expected)
            assert expected in reason
    assert len(said) == 4


def test_without_accuracies_the_earlier_exit_lost() -> None:
    random = np.random.default_rng(1)
    table = Candidates.of(branches(random, known=False))
    assert len(np.unique(table.exit)) > 1
    by_knob = {neighbour.knob: neighbour for neighbour in explain(table, conditions(random), Seconds(math.inf))}
    assert by_knob["exit"].reason == "an earlier exit"


@pytest.mark.parametrize("seed", range(5))
def test_a_neighbour_in_words_names_its_knob_and_its_configuration(seed: int) -> None:
    random = np.random.default_rng(seed)
    neighbours = explain(Candidates.of(branches(random)), conditions(random), Seconds(0.1))
    assert neighbours
    for neighbour in neighbours:
        assert neighbour.knob.replace("_", " ") in str(neighbour)
        assert f"exit {neighbour.plan.configuration.exit}" in str(neighbour)
