"""The paper's configurator as a chooser, fed with transfers and no clock."""

from __future__ import annotations

import pytest

from edgent.lab.paper import PaperDynamic
from edgent.planning.outlook import Transfer
from edgent.runtime.chooser import Scope
from lab.figures import made

ALONE = made.plan(up=22)


@pytest.fixture(scope="module")
def setting():
    return made.setting("paper-pi3-resident")


@pytest.fixture
def chooser(setting):
    table = setting.candidates
    return PaperDynamic(Scope(candidates=table, deadline=1.0, race=False, margin=0.0), setting.profile)


def told(chooser, bandwidth, count=20):
    for at in range(count):
        chooser.observe(Transfer(direction="up", size=12288, seconds=12288 * 8 / bandwidth, at=float(at)))


def plan(chooser, deadline=1.0, ready=None):
    return chooser.choose(0.0, made.conditions(5e6), deadline, ready).configuration


def test_a_state_of_the_link_decides_and_not_the_conditions(chooser):
    told(chooser, 20e3)
    assert plan(chooser) == ALONE  # though the conditions say 5 Mbit/s
    told(chooser, 8e6)
    assert plan(chooser) == made.plan()


def test_each_deadline_has_a_map_of_its_own(chooser):
    told(chooser, 200e3)
    assert plan(chooser).exit == 4
    told(chooser, 200e3)
    assert plan(chooser, deadline=0.1).exit < 4  # the whole network takes 110 ms, the input 500 ms to send


@pytest.mark.parametrize("seconds", [0.0, -0.003])
def test_a_transfer_that_seems_to_have_taken_no_time_tells_nothing(chooser, seconds):
    told(chooser, 20e3)
    chooser.observe(Transfer(direction="up", size=2000, seconds=seconds, at=99.0))
    assert plan(chooser) == ALONE


def test_until_its_plan_is_ready_the_best_of_what_is_answers(chooser):
    told(chooser, 8e6)
    assert plan(chooser, ready=[]).device_only
    assert plan(chooser, ready=[made.plan()]) == made.plan()
