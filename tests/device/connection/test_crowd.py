"""Many requests at once on one device, by the test's clock: an edge that is silent costs none of them its deadline."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgent.lab.boards.emulation import Emulated
from edgent.planning.plan import STAGES, Configuration
from edgent.testing import FakeEngine
from edgent.wire import messages as m

CROWD = 50
FASTEST = 12 * 0.022  # seconds: exit 0 has twelve layers
PICTURE = np.full((1, 3, 32, 32), 0.5, np.float32)
WITHIN = 20.0
EVERYTHING = (m.PROBE, m.MODEL_INFER, m.PREPARE, m.SERVER_METADATA, m.DESCRIBE)


@pytest.fixture
def crowd(made, clock):
    """Has requests come at once, of so many deadlines each; the records of those that were answered, by deadline."""

    def come(device, **deadlines):
        records = {name: [] for name in deadlines}

        def ask(name, deadline):
            records[name].append(device.infer(PICTURE, deadline=deadline).record)

        threads = [
            clock.thread(lambda name=name, deadline=deadline: ask(name, deadline), "asks")
            for name, (count, deadline) in deadlines.items()
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return records

    return come


@pytest.fixture
def silenced(made, clock, link):
    """Makes a device whose edge answered until now, and is not heard of any more."""

    def make(pace, deadline):
        device = made(bandwidth=1e8, round_trip=0.001, deadline=deadline, pace=pace)
        device.wait_ready(WITHIN)
        device.infer(PICTURE)  # of a kind whose plan is made when the first one comes
        device.wait_ready(WITHIN)
        assert device.infer(PICTURE).record.by == "edge"
        link.hold(m.MODEL_INFER)
        return device

    return make


@pytest.fixture
def silent(silenced, clock):
    """Such a device, at the pace of its profile."""
    return silenced(Emulated("slow", clock=clock), CROWD * FASTEST)


def in_time(records):
    return sum(record.deadline_met for record in records)


@pytest.mark.parametrize("slack", [1.05, 1.5, 4.0])
def test_requests_into_a_black_hole_are_as_much_in_time_as_on_the_device_alone(made, clock, crowd, silent, slack):
    deadline = slack * CROWD * FASTEST
    alone = made(channel=None, deadline=deadline, pace=Emulated("slow", clock=clock))
    expected = in_time(crowd(alone, all=(CROWD, deadline))["all"])
    assert in_time(crowd(silent, all=(CROWD, deadline))["all"]) >= expected


def test_in_a_black_hole_no_answer_that_lies_ready_is_kept_for_an_edge_that_is_gone(crowd, link, clock, silent):
    """The edge is checked once for all of them, long before the first deadline; from then on each is alone."""

    def renewed():
        """As gRPC does it: what is under way on the old connection fails."""
        link.cut()
        clock.sleep(0.001)
        link.mend()

    link.renew = renewed
    link.hold(*EVERYTHING)
    came_at = clock.now()
    records = crowd(silent, all=(CROWD, 4.0 * CROWD * FASTEST))["all"]
    assert {record.why for record in records} == {"edge lost"}
    assert clock.now() - came_at < 2.0 * CROWD * FASTEST
    assert in_time(records) == CROWD


def test_an_edge_that_is_only_slow_may_take_all_the_time_there_is(crowd, link, clock, silent):
    """It answers to a check, so it is there."""
    clock.thread(lambda: (clock.sleep(10.0), link.release()), "releases").start()
    records = crowd(silent, one=(1, 30.0))["one"]
    assert [(record.by, record.why) for record in records] == [("edge", "")]


def test_answers_that_were_kept_for_a_silent_edge_are_not_all_handed_over_at_the_same_moment(crowd, silent):
    records = crowd(silent, all=(CROWD, 4.0 * CROWD * FASTEST))["all"]
    kept = sorted(record.total for record in records if record.why.startswith("edge late"))
    assert len(kept) > CROWD / 2
    assert all(later - earlier > 0.002 for earlier, later in itertools.pairwise(kept))


def test_requests_that_nobody_can_answer_in_time_hold_up_no_other(crowd, silent):
    deadline = 1.05 * CROWD * FASTEST
    records = crowd(silent, hopeless=(CROWD, 0.001), others=(CROWD, deadline))
    assert in_time(records["hopeless"]) == 0
    assert in_time(records["others"]) == CROWD


class Behind(Emulated):
    """A device on which each piece of work takes a little longer than its profile says."""

    def hold(self, started_at, seconds):
        super().hold(started_at, seconds + 0.0015 if seconds > 0.01 else seconds)


@pytest.mark.parametrize("slack", [1.1, 1.3, 1.7])
def test_better_branches_are_not_paid_for_with_the_deadlines_of_those_behind(silenced, crowd, clock, slack):
    deadline = slack * CROWD * FASTEST
    device = silenced(Behind("slow", clock=clock), deadline)
    records = crowd(device, all=(CROWD, deadline))["all"]
    assert in_time(records) == CROWD
    assert len({record.exit for record in records}) > 1


def test_what_it_takes_to_ready_a_named_configuration_is_in_the_record(made, clock, link):
    class Making(FakeEngine):
        """Takes half a second to make a session."""

        def session(self, *arguments):
            clock.sleep(0.5)
            return super().session(*arguments)

    device = made(channel=None, engine=Making(), deadline=10.0)
    came_at = clock.now()
    record = device.infer(PICTURE, configuration=Configuration(exit=4, upload_cut=22, download_cut=22)).record
    assert record.total == pytest.approx(clock.now() - came_at, abs=1e-5)
    assert record.total > 0.5
    assert sum(getattr(record.stages, stage) for stage in STAGES) == pytest.approx(record.total)


def test_a_silent_edge_takes_no_time_from_a_request_for_what_it_has_not_prepared(made, clock, link):
    device = made(bandwidth=1e8, round_trip=0.001, deadline=1.0, pace=Emulated("slow", clock=clock))
    device.wait_ready(WITHIN)
    link.hold(m.MODEL_INFER, m.PREPARE)
    came_at = clock.now()
    record = device.infer(PICTURE, configuration=Configuration(exit=4, upload_cut=3, download_cut=22)).record
    assert record.deadline_met and record.by == "device"
    assert clock.now() - came_at <= 1.0
