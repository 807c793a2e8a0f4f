from __future__ import annotations

import pytest

from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.observations import Observations
from edgent.device.connection.upkeep import Task, Upkeep
from edgent.wire.edge_client import TimedReply

RATE, ROUND_TRIP = 1e7, 0.01
REQUEST = 12_000


def reply(size: int, *, at: float, takes: float | None = None, edge: float = 0.0) -> TimedReply:
    """An exchange over a link as it is, unless it is said to take longer."""
    uplink = ROUND_TRIP + (size + 120) * 1.046 * 8 / RATE if takes is None else takes
    return TimedReply(
        body=b"",
        bytes_up=size,
        began_at=at - uplink - edge,
        uplink=uplink,
        queue=0.0,
        middle=edge,
        downlink=0.0,
        on_link=uplink,
        body_at=at,
        behind_headers=0,
    )


@pytest.fixture
def seen() -> Observations:
    """Of a connection over a link that was measured."""
    upkeep = Upkeep(measures=True)
    upkeep.connected(0.0)
    observations = Observations(LinkFollower(), upkeep)
    up, down = reply(100_000, at=0.9), reply(3, at=1.0)
    observations.measured(reply(3, at=0.8), up, down, 1.0)
    observations.link._down.heard(100_000, 0.08, 1.0)
    observations.taken()
    return observations


def test_a_request_that_was_late_over_a_link_as_believed_slows_it(seen):
    before = seen.link.conditions(2.0).uplink.bandwidth
    seen.late(REQUEST, 0.09, 2.0)
    assert seen.taken() == ()  # not before something else came back
    seen.judge_late(2.1, edge_seconds=0.008)
    (late,) = seen.taken()
    assert (late.cut, late.size) == (True, REQUEST)
    assert seen.link.conditions(2.1).uplink.bandwidth < before


def test_room_at_the_edge_is_told_by_answers_to_requests_and_by_no_probe(seen):
    seen.link.refused(0.1, 2.0)
    for at in (2.1, 2.2, 2.3):
        seen.heard(reply(3, at=at), at, look=at > 2.2)
        assert seen.link.conditions(at).share == 0.5
    seen.answered(seen.asked(REQUEST, 2.4), reply(REQUEST, at=2.5), 2.5)
    assert seen.link.conditions(2.5).share == pytest.approx(0.55)


def test_a_request_that_the_edge_made_late_says_nothing_of_the_link(seen):
    before = seen.link.conditions(2.0).uplink.bandwidth
    seen.late(REQUEST, 0.09, 2.0)
    seen.judge_late(2.1, edge_seconds=0.2)
    assert seen.taken() == ()
    assert seen.link.conditions(2.1).uplink.bandwidth == before


def test_a_request_that_a_longer_way_made_late_says_nothing_of_the_bandwidth(seen):
    before = seen.link.conditions(2.0).uplink.bandwidth
    seen.late(REQUEST, 0.09, 2.0)
    assert not seen.heard(reply(3, at=2.3, takes=0.31), 2.3)  # it came behind the late one
    assert seen.heard(reply(3, at=2.6, takes=0.31), 2.6)
    assert seen.heard(reply(3, at=2.9, takes=0.31), 2.9)
    assert seen.link.round_trip == pytest.approx(0.31, abs=0.001)
    assert not any(transfer.cut for transfer in seen.taken())
    assert seen.link.conditions(3.0).uplink.bandwidth == pytest.approx(before, rel=0.5)


def test_one_that_is_late_again_over_a_link_known_to_be_slow_is_shown_again(seen):
    for at in (2.0, 3.0, 4.0):
        seen.late(REQUEST, 0.29, at)
        seen.judge_late(at + 0.1)
    assert [transfer.cut for transfer in seen.taken()] == [True] * 3


def test_what_came_after_what_was_late_is_shown_after_it(seen):
    seen.late(REQUEST, 0.09, 2.0)
    seen.heard(reply(REQUEST, at=2.2), 2.2)
    seen.heard(reply(REQUEST, at=2.4), 2.4)
    first, second = (transfer for transfer in seen.taken() if transfer.direction == "up")
    assert (first.cut, second.cut) == (True, False)
    assert first.at < second.at


def test_of_the_steps_of_an_ascent_only_the_last_one_is_shown(seen):
    for number, size in enumerate((3, 600, 3_000)):
        seen.heard(reply(size, at=2.0 + number / 50), 2.0 + number / 50, look=True, step=True)
        assert seen.taken() == ()
    seen.settled()
    assert {transfer.size for transfer in seen.taken() if transfer.direction == "up"} == {3_000}
    seen.settled()
    assert seen.taken() == ()


def test_what_was_late_has_the_edge_checked_and_the_check_given_its_time(seen):
    assert seen.leftover(2.0) == pytest.approx(ROUND_TRIP, abs=0.005)
    seen.late(1_000_000, 0.1, 2.0)
    assert seen.upkeep.next(2.0) is Task.CHECK
    assert seen.leftover(2.0) == pytest.approx(1_000_000 * 8.37 / RATE, rel=0.05)
    seen.reconnected()
    assert seen.leftover(2.0) < 0.02


def test_after_something_was_late_an_empty_message_does_not_say_that_all_is_well(seen):
    seen.late(REQUEST, 0.09, 2.0)
    seen.judge_late(2.1)
    assert [transfer.cut for transfer in seen.taken()] == [True]
    seen.heard(reply(3, at=2.2), 2.2, step=True)  # behind what was late
    seen.heard(reply(3, at=2.3), 2.3, step=True)
    seen.settled()
    assert seen.taken() == ()
    seen.heard(reply(600, at=2.4), 2.4, step=True)
    seen.settled()
    assert {transfer.size for transfer in seen.taken() if transfer.direction == "up"} == {600}


def test_its_repr_tells_what_is_late(seen):
    seen.late(10, 0.1, 2.0)
    assert repr(seen).endswith("1 late>")


def test_a_request_that_came_beside_a_probe_does_not_make_the_link_seem_twice_as_fast(seen: Observations) -> None:
    """Both have the link by turns: when the probe is there, all of the request but its end is there as well."""
    size, before = 50_000, seen.link.measured
    took = ROUND_TRIP + 2 * (size + 120) * 1.046 * 8 / RATE
    request = seen.asked(size, 2.0)
    seen.probed(reply(size, at=2.0 + took, takes=took))
    seen.answered(request, reply(size, at=2.01 + took, takes=0.01 + took), 2.01 + took)
    assert seen.link.measured == pytest.approx(before, rel=0.2)
