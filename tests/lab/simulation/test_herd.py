"""A crowd on one edge: small, in virtual time; `benchmarks/herd.py` has fifty devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.lab.simulation.herd import Crowd, Simulation, best_split

# Ten devices that ask for four times what the edge can do, and cannot do all of it by themselves either.
CROWD = Crowd(devices=10, rate=12.0, local=0.070, remote=0.030, deadline=0.120, seconds=20.0)


@pytest.mark.parametrize("accuracy", [1.0, 0.8])
@pytest.mark.parametrize("local", [0.050, 0.070, 0.200])
def test_planning_is_within_two_points_of_the_best_fixed_split(accuracy, local):
    crowd = replace(CROWD, accuracy=accuracy, local=local)
    planned, (_, fixed) = Simulation(crowd).run(), best_split(crowd)
    assert planned.requests == fixed.requests
    assert planned.share >= fixed.share - 0.02


def test_the_crowd_neither_comes_nor_goes_at_once():
    # Told nothing by refusals, as it was once, these swing by 4.4: all are refused, and all come again.
    assert Simulation(Crowd(devices=30, remote=0.015, seconds=8.0)).run().swing < 2.0


@pytest.mark.parametrize("seed", [0, 1])
def test_devices_that_prefer_the_edge_leave_the_last_place_before_the_deadline_to_others(seed):
    # Without a margin one in six or seven is refused: those come for a place that is taken when they are there.
    herd = Simulation(Crowd(accuracy=0.8, seconds=8.0, seed=seed)).run()
    assert herd.refused < 0.12 * herd.requests


def test_where_the_edge_has_room_for_all_each_goes_there_and_none_is_refused():
    herd = Simulation(replace(CROWD, rate=1.0, remote=0.002)).run()
    assert (herd.share, herd.refused) == (1.0, 0)
    assert herd.sent == herd.requests


def test_a_device_that_asks_seldom_and_is_quick_needs_no_edge():
    crowd = replace(CROWD, devices=1, rate=1.0, local=0.010, remote=0.009)
    herd = Simulation(crowd, split=0.0).run()
    assert (herd.sent, herd.share) == (0, 1.0)


def test_each_request_ends_once_whatever_the_split():
    for split in (None, 0.0, 0.5, 1.0):
        herd = Simulation(CROWD, split=split).run()
        assert 0 < herd.in_time <= herd.requests
        assert sum(herd.by_second) == herd.sent
        assert herd.refused <= herd.sent


def test_a_seed_is_a_run():
    assert Simulation(CROWD).run() == Simulation(CROWD).run()
    assert Simulation(CROWD).run() != Simulation(replace(CROWD, seed=1)).run()
