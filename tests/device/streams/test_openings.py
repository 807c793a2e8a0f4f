"""When the next frame may begin: against turns that a test reserves."""

from __future__ import annotations

import math

import pytest

from device.playing import branch
from edgent.device.schedule import Schedule
from edgent.device.streams.openings import Openings
from edgent.units import Seconds

NOW = Seconds(10.0)
BRANCHES = [branch(0, 0.05), branch(1, 0.08)]


def nobody() -> None:
    """Is called by the schedule."""


@pytest.fixture
def schedule():
    """One slot, taken until 0.2 s from now."""
    schedule = Schedule()
    schedule.begin(schedule.reserve(NOW, [0.2], NOW + 1.0, nobody), NOW, [0.2], 0.0)
    return schedule


@pytest.fixture
def openings(schedule):
    openings = Openings(schedule)
    openings.planned(BRANCHES, 0.01, asks_edge=True)
    return openings


def test_while_the_edge_is_in_time_frames_begin_whatever_the_device_has_to_do(openings):
    assert openings.opening(NOW, 0.1, 0.0) == NOW


def test_where_the_device_stands_in_one_begins_when_head_and_fastest_branch_can_be_promised(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.1, 0.0) == pytest.approx(NOW + 0.2 + 0.06 - 0.1)
    assert openings.opening(NOW, 0.26, 0.0) == NOW


def test_a_device_that_plans_for_itself_has_no_head_to_count(openings):
    openings.planned(BRANCHES, 0.01, asks_edge=False)
    assert openings.opening(NOW, 0.1, 0.0) == pytest.approx(NOW + 0.2 + 0.05 - 0.1)


def test_one_that_has_waited_too_long_leaves_the_device_to_a_newer_one(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.05, 0.02) == math.inf
    assert openings.opening(NOW, 0.07, 0.02) < math.inf


def test_what_could_never_be_in_time_begins_when_the_device_is_free(openings, schedule):
    schedule.stands_in = True
    assert openings.opening(NOW, 0.04, 0.01) == pytest.approx(NOW + 0.2)
