"""The benchmark of exits and int8: its rows are what the commands measured."""

from __future__ import annotations

import pytest

import own_network
from edgent.engine.loading import load
from edgent.training.exits.job import Order
from networks.taught import FixedTrainer, shaded, staged


@pytest.fixture
def task(tmp_path) -> own_network.Task:
    pictures = [own_network._pictures(shaded(tmp_path / name, each)) for name, each in (("learned", 20), ("other", 8))]
    network = load(staged(tmp_path / "net.onnx"))
    return own_network.Task(network=network, data=pictures[0], test=pictures[1], threads=1, folder=tmp_path)


def test_a_row_for_each_exit_says_what_it_costs_and_is_worth_on_the_other_pictures(task) -> None:
    added = own_network.exits_of(task, Order(shares=(0.6,), budget=60), FixedTrainer())
    early, last = own_network.exit_rows(added)
    assert (early["exit"], last["exit"], last["operations"]) == ("exit0", "last", 1)
    assert early["low"] < early["accuracy"] > 0.9
    assert added.samples == 24


def test_both_files_stand_side_by_side(task) -> None:
    accuracy, times, size = own_network.int8_rows(own_network.int8_of(task))
    assert accuracy["low"] <= 100 * (accuracy["int8"] - accuracy["float"]) <= accuracy["high"]
    assert times["float"] > 0 < times["int8"]
    assert size["int8"] < size["float"]
