"""When a device moves to another version of its model, event by event."""

from __future__ import annotations

import math

import pytest

from edgent.device.versions.renewal import RARELY, RETRY, Renewal
from edgent.units import Seconds


@pytest.fixture
def renewal() -> Renewal:
    return Renewal("old")


def at(seconds: float) -> Seconds:
    return Seconds(seconds)


def test_without_another_version_there_is_nothing_to_do(renewal):
    assert renewal.next(at(0.0)) == math.inf
    renewal.offered("old")
    assert renewal.next(at(1.0)) == math.inf


def test_another_version_is_wanted_at_once_until_the_device_has_moved(renewal):
    renewal.offered("new")
    assert renewal.next(at(5.0)) == "new"
    renewal.moved("new")
    assert renewal.next(at(5.0)) == math.inf


def test_an_edge_that_goes_back_before_the_move_leaves_nothing_to_do(renewal):
    renewal.offered("new")
    renewal.offered("old")
    assert renewal.next(at(5.0)) == math.inf


def test_an_edge_that_goes_back_afterwards_takes_the_device_with_it(renewal):
    renewal.offered("new")
    renewal.moved("new")
    renewal.offered("old")
    assert renewal.next(at(5.0)) == "old"


def test_a_third_version_that_comes_during_the_move_is_next(renewal):
    renewal.offered("new")
    renewal.offered("newest")
    renewal.moved("new")
    assert renewal.next(at(5.0)) == "newest"


def test_what_was_fetched_may_be_newer_than_what_was_offered(renewal):
    renewal.offered("new")
    renewal.moved("newest")
    assert renewal.next(at(5.0)) == "new", "until the edge says what its name stands for"
    renewal.offered("newest")
    assert renewal.next(at(5.0)) == math.inf


def test_what_failed_is_tried_again_ever_more_rarely_however_often_it_is_offered(renewal):
    renewal.offered("new")
    now, waits = 0.0, []
    for _ in range(12):
        assert renewal.next(at(now)) == "new"
        renewal.failed("new", at(now), for_good=False)
        renewal.offered("new")
        waits.append(renewal.next(at(now)) - now)
        now += waits[-1]
    assert waits[:3] == [RETRY, 2 * RETRY, 4 * RETRY] and waits[-1] == RARELY
    assert renewal.next(at(now - 0.001)) == pytest.approx(now)


def test_what_cannot_work_is_never_tried_again_but_another_version_is_at_once(renewal):
    renewal.offered("broken")
    renewal.failed("broken", at(0.0), for_good=True)
    renewal.offered("broken")
    assert renewal.next(at(1e6)) == math.inf
    renewal.offered("mended")
    assert renewal.next(at(0.0)) == "mended"


def test_a_failure_does_not_hold_up_what_was_offered_meanwhile(renewal):
    renewal.offered("new")
    renewal.offered("newest")
    renewal.failed("new", at(0.0), for_good=False)
    assert renewal.next(at(0.0)) == "newest"
