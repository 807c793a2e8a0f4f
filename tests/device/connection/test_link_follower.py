from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.device.connection.link_follower import LinkFollower
from edgent.link import TransferModel
from edgent.link.forecast import LinkForecast
from edgent.link.probing import probe_for
from edgent.link.slow_start import Window
from edgent.link.transfer import CALL_BYTES, CALL_TIME, TIMING_ERROR
from edgent.wire.edge_client import TimedReply
from edgent.wire.transport import PACKET


def reply(up: float, down: float = 0.0, *, sent=0, received=0, load=0.0, at=1.0) -> TimedReply:
    return TimedReply(
        body=bytes(received),
        bytes_up=sent,
        began_at=at - down - up,
        uplink=up,
        queue=0.0,
        load=load,
        middle=0.0,
        downlink=down,
        on_link=up + down,
        body_at=at,
        behind_headers=received if received > PACKET else 0,
    )


def test_nothing_is_known_before_something_was_observed():
    assert LinkFollower().conditions(0.0) is None


def test_what_was_told_is_taken():
    conditions = LinkFollower(bandwidth=1e6, downlink=2e6, round_trip=0.03).conditions(0.0)
    assert conditions.uplink.bandwidth == 1e6
    assert conditions.downlink.bandwidth == 2e6
    assert conditions.uplink.round_trip == 0.03


def test_one_bandwidth_told_is_that_of_both_directions():
    assert LinkFollower(bandwidth=1e6).conditions(0.0).downlink.bandwidth == 1e6


@given(st.floats(5e4, 2e7), st.floats(0, 0.2))
def test_probes_find_bandwidth_and_round_trip_of_a_link_that_is_as_the_model_says(bandwidth, round_trip):
    """The oracle is the transfer model itself, run forwards."""
    link = TransferModel(bandwidth=bandwidth, round_trip=round_trip, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower()
    size = 1_000_000
    small = reply(link.uplink(3.0), sent=3)
    up = reply(link.uplink(float(size)), sent=size)
    down = reply(link.uplink(3.0), link.downlink(float(size)), sent=3, received=size)
    follower.observe_probes(small, up, down)
    found = follower.conditions(1.0)
    assert found.uplink.bandwidth == pytest.approx(bandwidth, rel=0.02)
    assert found.downlink.bandwidth == pytest.approx(bandwidth, rel=0.02)
    assert found.uplink.round_trip == pytest.approx(round_trip, abs=1e-6)


def test_with_the_bandwidth_told_an_empty_probe_finds_the_round_trip():
    link = TransferModel(bandwidth=1e5, round_trip=0.04, message_bytes=120, call_time=0.0)
    follower = LinkFollower(bandwidth=1e5)
    probe = reply(link.uplink(3.0), sent=3)
    follower.observe_probes(probe, probe, probe)
    assert follower.round_trip == pytest.approx(0.04, abs=1e-6)


def test_own_transfers_move_the_estimate():
    link = TransferModel(bandwidth=1e6)
    follower = LinkFollower()
    for second in range(20):
        follower.observe(reply(link.uplink(20_000.0), sent=20_000, at=float(second)))
    assert follower._up.measured == pytest.approx(1e6, rel=0.05)


def test_a_short_answer_that_had_to_wait_for_a_processor_does_not_slow_the_link():
    follower = LinkFollower()
    fast = reply(0.01, 0.08, sent=100_000, received=1_000_000)
    follower.observe_probes(reply(0.001, sent=3), fast, fast)
    before = follower.conditions(1.0).downlink.bandwidth
    follower.observe(reply(0.001, 0.010, sent=3_000, received=40))
    assert follower.conditions(1.0).downlink.bandwidth == before


def test_a_short_answer_tells_that_something_gets_through_and_nothing_else():
    follower = LinkFollower()
    fast = reply(0.01, 0.08, sent=100_000, received=1_000_000)
    follower.observe_probes(reply(0.001, sent=3), fast, fast)
    (up, down) = follower.observe(reply(0.030, 0.015, sent=300, received=40, at=2.0))
    assert (up.direction, up.size, up.seconds) == ("up", 300, 0.0)
    assert (down.direction, down.seconds, down.at) == ("down", 0.0, 2.0)


def test_answers_of_few_bytes_keep_the_downlink_known():
    """Else it would be forgotten between probes, and a device left alone for fear of an outage."""
    follower, downlink = LinkFollower(), LinkForecast(timing_error=TIMING_ERROR, message_bytes=CALL_BYTES)
    probe = reply(0.1, 0.1, sent=50_000, received=50_000, at=0.0)
    answers = [reply(0.005, sent=2_500, received=40, at=float(second)) for second in range(1, 120)]
    heard = [follower.observe_probes(reply(0.0, sent=3), probe, probe), *map(follower.observe, answers)]
    for event in (event for events in heard for event in events if event.direction == "down"):
        downlink.observe(event.size, event.seconds, event.at)
    assert downlink.predictive(120.0).chance_above(1e5) > 0.99


def test_all_bytes_of_a_long_answer_tell_the_bandwidth_since_its_headers_come_before():
    link, follower = TransferModel(bandwidth=1e6, reply_bytes=120), LinkFollower(round_trip=0.0)
    follower.observe(reply(0.5, link.downlink(10_000.0), sent=50_000, received=10_000))
    assert follower._down.measured == pytest.approx(1e6, rel=0.001)


def test_a_request_that_never_came_back_lowers_the_estimate_and_never_raises_it():
    follower = LinkFollower()
    follower.observe(reply(0.02, sent=25_000))
    before = follower._up.measured
    follower.observe_late(25_000, 1.0, 2.0)
    lowered = follower._up.measured
    assert lowered < before
    follower.observe_late(25_000, 0.025, 3.0)
    assert follower._up.measured == lowered


def test_the_load_that_was_told_last_is_believed_for_a_while():
    follower = LinkFollower(bandwidth=1e6)
    follower.observe(reply(0.1, sent=1000, load=0.5, at=10.0))
    assert follower.conditions(10.5).queue == 0.5
    assert follower.conditions(60.0).queue == 0.0


def test_a_refusal_tells_the_load_as_an_answer_does():
    follower = LinkFollower(bandwidth=1e6)
    follower.observe(reply(0.1, sent=1000, load=0.5, at=10.0))
    follower.refused(0.75, 10.5)
    assert follower.conditions(11.0).queue == 0.75
    follower.observe(reply(0.1, sent=1000, load=0.25, at=11.5))
    assert follower.conditions(12.0).queue == 0.25
    assert follower.conditions(60.0).queue == 0.0


def called(link: TransferModel, size: int, extra: float, *, at: float = 1.0) -> TimedReply:
    """A request of `size` bytes as the link says, and this much later."""
    up, down = link.uplink(float(size)), link.downlink(40.0)
    return reply(up + extra, down, sent=size, received=40, at=at)


@given(st.floats(2e6, 1e8), st.floats(0, 0.2), st.floats(0, 0.007))
def test_what_a_call_takes_beyond_a_told_link_is_measured(bandwidth, round_trip, extra):
    link = TransferModel(bandwidth=bandwidth, round_trip=round_trip, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower(bandwidth=bandwidth, round_trip=round_trip)
    for _ in range(5):
        follower.observe(called(link, 2_000, extra))
    assert follower.conditions(1.0).uplink.call_time == pytest.approx(extra, abs=1e-6)


def test_an_empty_probe_tells_the_call_time_until_there_was_a_request():
    link = TransferModel(bandwidth=1e7, round_trip=0.005, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower(bandwidth=1e7, round_trip=0.005)
    probe = reply(link.uplink(3.0) + 0.003, sent=3)
    follower.observe_probes(probe, probe, probe)
    assert follower.call_time == pytest.approx(0.003, abs=1e-4)
    follower.observe(called(link, 2_000, 0.004))
    assert follower.call_time == pytest.approx(0.004, abs=1e-4)


def test_one_late_call_changes_nothing():
    link = TransferModel(bandwidth=1e7, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower(bandwidth=1e7, round_trip=0.0)
    for extra in (0.003, 0.003, 0.0079, 0.003, 5.0):
        follower.observe(called(link, 2_000, extra))
    assert follower.call_time == pytest.approx(0.003, abs=1e-6)


def test_a_link_that_became_slow_is_not_taken_for_slow_calls():
    """The rate falls to a tenth: the estimate follows, and calls are as quick as before."""
    before, after = (
        TransferModel(bandwidth=rate, round_trip=0.01, message_bytes=120, reply_bytes=120, call_time=0.0)
        for rate in (1e7, 1e6)
    )
    follower = LinkFollower(downlink=1e7, round_trip=0.01)
    for second in range(20):
        follower.observe(called(before, 60_000, 0.003, at=float(second)))
    for second in range(20, 40):
        follower.observe(called(after, 60_000, 0.003, at=float(second)))
    found = follower.conditions(40.0).uplink
    assert found.bandwidth == pytest.approx(1e6, rel=0.05)
    assert found.call_time <= 0.0081


def test_measuring_the_link_again_keeps_what_is_known_of_the_calls():
    link = TransferModel(bandwidth=1e7, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower(bandwidth=1e7, round_trip=0.0)
    follower.observe(called(link, 2_000, 0.004))
    follower.forget()
    assert follower.call_time == pytest.approx(0.004, abs=1e-6)


SLOW_START = TransferModel(
    bandwidth=5e7, round_trip=0.04, message_bytes=120, reply_bytes=120, call_time=0.0, window=14_480.0
)


def rested(follower: LinkFollower, size: int, *, extra: float = 0.0, window: float = 14_480.0) -> LinkFollower:
    """Requests two seconds apart, each as slow as TCP's slow start makes it from this window on."""
    link = dataclasses.replace(SLOW_START, window=window)
    for turn in range(12):
        follower.observe(called(link, size, extra, at=2.0 * (turn + 1)))
    return follower


def test_waiting_for_acknowledgements_is_not_taken_for_a_slow_link():
    follower = LinkFollower(round_trip=0.04, downlink=5e7)
    quick = dataclasses.replace(SLOW_START, window=math.inf)
    follower.observe(called(quick, 300_000, 0.0, at=0.5))
    rested(follower, 300_000)
    assert follower.conditions(30.0).uplink.bandwidth == pytest.approx(5e7, rel=0.1)


def test_a_request_after_a_pause_is_planned_with_slow_start_and_the_next_without():
    follower = rested(LinkFollower(bandwidth=5e7, round_trip=0.04), 100_000)
    at_once, rested_long = follower.conditions(24.0).uplink, follower.conditions(60.0).uplink
    assert rested_long.uplink(100_000.0) == pytest.approx(SLOW_START.uplink(100_000.0), rel=0.02)
    assert at_once.uplink(100_000.0) < 0.6 * rested_long.uplink(100_000.0)


def test_a_link_without_slow_start_after_idling_is_found_out():
    follower = rested(LinkFollower(bandwidth=5e7, round_trip=0.04), 100_000, window=math.inf)
    assert follower.conditions(60.0).uplink.uplink(100_000.0) == pytest.approx(0.0575, rel=0.05)


def test_waiting_for_acknowledgements_is_not_taken_for_slow_calls():
    link = dataclasses.replace(SLOW_START, round_trip=0.006)
    follower = LinkFollower(bandwidth=5e7, round_trip=0.006)
    for turn in range(12):
        follower.observe(called(link, 30_000 if turn % 3 else 2_000, 0.001, at=2.0 * (turn + 1)))
    assert follower.call_time == pytest.approx(0.001, abs=2e-4)


def test_a_request_is_planned_with_the_window_that_the_kernel_tells():
    follower = rested(LinkFollower(bandwidth=5e7, round_trip=0.04), 100_000)
    assert follower.conditions(60.0, Window(size=72_400.0)).uplink.window == 72_400.0
    assert follower.conditions(61.0).uplink.window < 72_400.0  # followed from there on


def test_with_the_kernels_word_the_first_message_after_a_rest_tells_the_bandwidth():
    follower = LinkFollower(round_trip=0.04, downlink=5e7)
    for turn in range(6):
        exchange = called(SLOW_START, 300_000, CALL_TIME, at=2.0 * (turn + 1))
        follower.observe(dataclasses.replace(exchange, window=Window(size=SLOW_START.window)))
    assert follower.conditions(30.0).uplink.bandwidth == pytest.approx(5e7, rel=0.05)


@pytest.mark.parametrize("late", [0.015, 0.020, 0.025, 0.030])
def test_after_a_late_message_a_longer_one_tells_that_the_link_is_faster_even_if_it_waited(late):
    """A third as fast and no waiting takes as long as waiting; but here it is known how often it waited."""
    follower = LinkFollower(round_trip=0.04, downlink=5e7)
    quick = dataclasses.replace(SLOW_START, window=math.inf)
    follower.observe(called(quick, 300_000, CALL_TIME, at=0.5))
    follower.observe(called(quick, 30_000, CALL_TIME + late, at=0.8))
    assert follower.conditions(1.0).uplink.bandwidth < 2.1e7
    exchange = called(SLOW_START, 300_000, CALL_TIME, at=2.0)
    follower.observe(dataclasses.replace(exchange, window=Window(size=SLOW_START.window)))
    assert follower.conditions(30.0).uplink.bandwidth > 3e7  # what the last of it surely had, reply to 8 ms


@pytest.mark.parametrize("off", [0.93, 1.07])
def test_a_message_that_ends_near_the_end_of_a_round_says_nothing_by_one_wait_more_or_less(off):
    follower = LinkFollower(round_trip=0.04, downlink=5e7)
    follower.observe(called(dataclasses.replace(SLOW_START, window=math.inf), 300_000, CALL_TIME, at=0.5))
    exchange = called(dataclasses.replace(SLOW_START, window=33_000.0 * off), 97_000, CALL_TIME, at=2.0)
    follower.observe(dataclasses.replace(exchange, window=Window(size=33_000.0)))
    assert follower.conditions(3.0).uplink.bandwidth == pytest.approx(5e7, rel=0.01)


def test_a_new_connection_starts_slowly_again():
    follower = rested(LinkFollower(bandwidth=5e7, round_trip=0.04), 100_000)
    follower.reconnected()
    assert follower.conditions(24.0).uplink.window == 14_480.0


def answered(size: int, window: float, *, at: float, told: bool = True, silence: float = math.inf) -> TimedReply:
    """An answer that took what the model says of this window, with the edge's word on it, and what TCP here says."""
    link = dataclasses.replace(SLOW_START, window=window)
    return dataclasses.replace(
        reply(link.uplink(0.0), link.downlink(float(size)), received=size, at=at),
        edge_window=Window(size=window, threshold=60_000.0) if told else None,
        window=Window(size=14_480.0, silence=silence),
    )


def test_an_answer_is_planned_with_what_the_edge_said_of_its_window_and_what_came_after():
    follower = LinkFollower(bandwidth=5e7, round_trip=0.04)
    follower.observe(answered(100_000, 30_000.0, at=2.0))
    assert follower.conditions(2.0).downlink.window == 60_000.0  # by what the answer added, up to the threshold
    assert follower.conditions(2.1).downlink.window == 60_000.0
    assert follower.conditions(2.3).downlink.window == 30_000.0
    assert follower.conditions(60.0).downlink.window == 14_480.0
    assert follower.conditions(60.0).uplink.window == 14_480.0


def test_what_tcp_here_heard_of_the_edge_meanwhile_ends_its_rest():
    follower = LinkFollower(bandwidth=5e7, round_trip=0.04)
    follower.observe(answered(100_000, 30_000.0, at=2.0))
    assert follower.conditions(2.3, Window(size=14_480.0, silence=0.1)).downlink.window == 60_000.0


def test_an_edge_that_says_nothing_is_followed_from_outside():
    told, silent = (LinkFollower(bandwidth=5e7, round_trip=0.04) for _ in range(2))
    for follower in (told, silent):
        follower.observe(answered(100_000, 14_480.0, at=2.0, told=follower is told))
    assert silent.conditions(2.0).downlink.window == 114_480.0
    assert told.conditions(2.0).downlink.window == 60_000.0


def test_with_the_edges_word_the_first_answer_after_a_rest_tells_the_bandwidth():
    follower = LinkFollower(round_trip=0.04)
    follower.observe(called(dataclasses.replace(SLOW_START, window=math.inf), 300_000, 0.0, at=0.5))
    for turn in range(6):
        follower.observe(answered(300_000, 14_480.0, at=2.0 * (turn + 1)))
    assert follower.conditions(30.0).downlink.bandwidth == pytest.approx(5e7, rel=0.05)


def test_a_renewed_connection_is_planned_with_a_fresh_window_whatever_the_edge_said():
    follower = LinkFollower(bandwidth=5e7, round_trip=0.04)
    follower.observe(answered(100_000, 30_000.0, at=2.0))
    follower.reconnected()
    assert follower.conditions(2.0).downlink.window == 14_480.0


def test_a_long_message_that_is_quicker_than_the_way_proves_that_the_way_is_shorter():
    """A spell of delay is over, and the first that is seen of it is long: else it would seem to have taken no time."""
    link = TransferModel(bandwidth=1e7, round_trip=0.01, message_bytes=120, reply_bytes=120, call_time=0.0)
    follower = LinkFollower()
    size = 128_000
    small, down = (
        reply(link.uplink(3.0), sent=3),
        reply(link.uplink(3.0), link.downlink(1e6), sent=3, received=1_000_000),
    )
    follower.observe_probes(small, reply(link.uplink(float(size)), sent=size), down)
    for turn in range(3):
        follower.observe(reply(link.uplink(3.0) + 0.3, sent=3, at=2.0 + turn))
    assert follower.round_trip == pytest.approx(0.31, abs=0.01)
    follower.observe(reply(link.uplink(float(size)), sent=size, at=6.0))
    assert follower.round_trip == pytest.approx(0.01, abs=0.01)
    assert follower.conditions(6.0).uplink.bandwidth == pytest.approx(1e7, rel=0.2)


def test_a_way_that_was_told_while_a_quick_link_was_taken_to_be_slow_is_not_too_short_for_ever():
    """The oracle is the transfer model: 10 ms there and back, at a hundredth of the rate and then at all of it."""
    way = dataclasses.asdict(TransferModel(bandwidth=1e7, round_trip=0.01, message_bytes=CALL_BYTES, call_time=0.0))
    well, slow = TransferModel(**way), TransferModel(**way | {"bandwidth": 1e5})
    follower = LinkFollower(gain=1.0)
    size = 12_000
    follower.observe_probes(
        reply(slow.uplink(14.0), sent=14),
        reply(slow.uplink(size), sent=size),
        reply(0.1, slow.downlink(2_000.0), sent=3, received=2_000),
    )
    follower.observe(reply(well.uplink(14.0) + 0.004, sent=14, at=2.0))  # well again, and nobody knows
    assert follower.round_trip < 0.008
    for at in (3.0, 4.0, 5.0):
        follower.observe(reply(well.uplink(float(size)), sent=size, at=at))
    assert follower.round_trip == pytest.approx(0.01, abs=0.001)
    assert follower._up.measured > 5e6


@pytest.mark.parametrize("decisive", [3e5, 1e6, 4e6])
def test_a_look_takes_a_replays_probes_time_at_just_the_bandwidth_that_decides(decisive):
    follower = LinkFollower()
    link = TransferModel(bandwidth=5e6, message_bytes=120, reply_bytes=120, call_time=0.0)
    size = 1_000_000
    follower.observe_probes(
        reply(link.uplink(3.0), sent=3),
        reply(link.uplink(float(size)), sent=size),
        reply(link.uplink(3.0), link.downlink(float(size)), sent=3, received=size),
    )
    there = TransferModel(bandwidth=decisive, message_bytes=CALL_BYTES, call_time=0.0)
    probe = probe_for(decisive)
    assert there.uplink(float(follower.look_size(decisive))) == pytest.approx(probe.bits / decisive, rel=0.02)
    assert follower.look_size(1e4) == 1_000
