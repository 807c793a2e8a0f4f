from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from edgent.errors import EdgentError
from edgent.lab.links.driven import Change, Driven, changes
from edgent.link.trace import Trace
from edgent.testing import ManualClock


def trace(*bandwidths, step=60.0):
    return Trace(
        name="made",
        starts=np.arange(len(bandwidths)) * step,
        bandwidths=np.array(bandwidths, dtype=float),
        duration=len(bandwidths) * step,
    )


class Link:
    """Remembers its orders, and when they came."""

    def __init__(self, clock):
        self.clock, self.orders, self.at = clock, [], []

    def set(self, *, uplink, downlink):
        self._order((uplink, downlink))

    def cut(self):
        self._order("cut")

    def restore(self):
        self._order("restore")

    def _order(self, order):
        self.orders.append(order)
        self.at.append(self.clock.now())


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def link(clock):
    return Link(clock)


def test_only_changes_are_told():
    steps = list(changes(trace(1e6, 1e6, 0.0, 2e6, step=1.0)))
    assert steps == [Change(at=0.0, bandwidth=1e6), Change(at=2.0, bandwidth=0.0), Change(at=3.0, bandwidth=2e6)]


def test_a_looping_trace_begins_again():
    looping = replace(trace(1e6, 2e6, 2e6, step=1.0), loops=True)
    assert [(change.at, change.bandwidth) for change in islice(changes(looping), 4)] == [
        (0.0, 1e6),
        (1.0, 2e6),
        (3.0, 1e6),
        (4.0, 2e6),
    ]


def test_a_looping_trace_of_one_bandwidth_is_told_once():
    assert len(list(changes(replace(trace(1e6, 1e6), loops=True)))) == 1


def test_a_link_follows_a_trace_in_time_and_an_outage_is_a_cut_that_ends(link, clock):
    with Driven(link, trace(1e6, 0.0, 0.0, 2e6, 3e6), clock=clock):
        clock.sleep(3600.0)
    assert link.orders == [(1e6, 1e6), "cut", (2e6, 2e6), "restore", (3e6, 3e6)]
    assert link.at == [0.0, 60.0, 180.0, 180.0, 240.0]


def test_leaving_ends_it_at_once_whatever_the_trace_still_has(link, clock):
    with Driven(link, trace(1e6, 2e6), clock=clock):
        clock.sleep(30.0)
    assert link.orders == [(1e6, 1e6)]
    assert clock.now() == 30.0


def test_an_outage_ends_with_leaving(link, clock):
    with Driven(link, trace(1e6, 0.0), clock=clock):
        clock.sleep(3600.0)
    assert link.orders == [(1e6, 1e6), "cut", "restore"]
    assert link.at[-1] == 3600.0


def test_a_link_that_fails_is_told_when_leaving(clock):
    class Broken(Link):
        def set(self, *, uplink, downlink):
            raise EdgentError("the link is not running")

    with pytest.raises(EdgentError, match="not running"), Driven(Broken(clock), trace(1e6, 2e6), clock=clock):
        clock.sleep(3600.0)
