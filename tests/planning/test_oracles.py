from __future__ import annotations

import numpy as np

from edgent.planning.oracles import CLAIRVOYANT, ORACLES, PLAN, REGIME, best_in_time, plan_oracle
from edgent.replay.methods import METHODS


def test_the_oracles_are_these_three_and_replay_calls_its_two_the_same():
    assert set(ORACLES) == {PLAN, REGIME, CLAIRVOYANT}
    assert {PLAN, REGIME, CLAIRVOYANT} & set(METHODS) == {REGIME, CLAIRVOYANT}


def test_the_highest_accuracy_in_time_is_taken_and_among_equals_the_fastest():
    accuracy = np.array([0.8, 0.9, 0.9, 0.7])
    assert best_in_time(accuracy, np.array([0.01, 0.05, 0.04, np.inf])) == 2
    assert best_in_time(np.zeros(3), np.array([np.inf, 0.3, np.inf])) == 1


def test_many_requests_are_decided_at_once_as_they_are_one_by_one():
    random = np.random.default_rng(0)
    accuracy, latency = random.choice([0.0, 0.5, 0.9], (20, 7)), random.random((20, 7))
    together = best_in_time(accuracy, latency)
    assert together.tolist() == [int(best_in_time(*pair)) for pair in zip(accuracy, latency, strict=True)]


def test_the_plan_oracle_weighs_accuracy_with_the_share_in_time():
    runs = np.array([[0.05, 0.05, 0.05, 0.15], [0.08, 0.08, 0.08, 0.08]])
    assert plan_oracle(np.array([0.9, 0.7]), runs, 0.1) == 1  # 0.675 against 0.7
    assert plan_oracle(np.array([0.9, 0.7]), runs, 0.2) == 0


def test_no_configuration_promises_more_than_the_plan_oracle_s():
    random = np.random.default_rng(1)
    for _ in range(100):
        accuracy, runs = random.random(6), random.random((6, 11))
        worth = [float(np.mean([took <= 0.4 for took in row])) * each for each, row in zip(accuracy, runs, strict=True)]
        assert worth[plan_oracle(accuracy, runs, 0.4)] == max(worth)
