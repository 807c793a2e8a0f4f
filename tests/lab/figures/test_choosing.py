"""Algorithm 1's partitions as two cuts, and prices against the planner's own."""

from __future__ import annotations

import pytest

from edgent.lab.figures.choosing import NOTHING, chains, configuration_of, our_choice, paper_choice, price
from edgent.planning.paper.algorithm1 import Partition
from edgent.planning.planner import Planner
from lab.figures import made


@pytest.mark.parametrize(
    ("point", "device_first", "cuts"),
    [(1, False, (22, 22)), (23, False, (0, 22)), (6, False, (0, 5)), (1, True, (0, 22)), (23, True, (22, 22)),
     (6, True, (5, 22))],
)  # fmt: skip
def test_a_partition_point_is_two_cuts(point, device_first, cuts):
    chosen = configuration_of(Partition(4, point, 0.1), 22, device_first=device_first)
    assert (chosen.upload_cut, chosen.download_cut) == cuts


def test_the_chain_has_the_bytes_that_cross_each_cut():
    setting = made.setting()
    last = chains(setting.model, setting.profile, setting.edge)[-1]
    assert last.input_size == 12288
    assert last.output_sizes[0] == 32 * 32 * 32 * 4  # conv1
    assert last.output_sizes[14] == 64 * 4 * 4 * 4  # pool5
    assert last.output_sizes[-1] == 40
    assert sum(last.device) == pytest.approx(2.2)


@pytest.mark.parametrize("device_first", [False, True])
def test_no_plan_in_time_is_no_choice(device_first):
    setting = made.setting()
    branches = chains(setting.model, setting.profile, setting.edge)
    assert paper_choice(branches, 50e3, 0.05, device_first=device_first) == NOTHING
    assert our_choice(Planner(setting.candidates), made.conditions(50e3), 0.05) == NOTHING


def test_the_paper_and_ours_choose_the_edge_where_the_device_is_slow_and_the_link_is_not():
    setting = made.setting()
    branches = chains(setting.model, setting.profile, setting.edge)
    papers = paper_choice(branches, 1e6, 1.0, device_first=False)
    ours = our_choice(Planner(setting.candidates), made.conditions(1e6), 1.0)
    assert papers.configuration == ours.configuration == made.plan()
    assert papers.on_edge == 22
    assert papers.predicted == pytest.approx(12288 * 8 / 1e6 + 0.0075)
    assert ours.predicted == pytest.approx(price(setting.candidates, made.plan(), made.conditions(1e6)))
