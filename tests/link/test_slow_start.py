from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.link.slow_start import (
    INITIAL_WINDOW,
    SEGMENT_BYTES,
    UNLIMITED,
    BothWindows,
    CongestionWindow,
    Window,
    left_by_idling,
    stall,
    unstalled,
)
from edgent.units import BitsPerSecond, Seconds

segments = st.integers(min_value=1, max_value=400)
byte_times = st.floats(min_value=1e-8, max_value=1e-4)
windows = st.integers(min_value=1, max_value=200)
round_trips = st.floats(min_value=0, max_value=0.3)


def sent_segment_by_segment(
    count: int, byte_time: float, window: int, round_trip: float, *, headers: bool = False
) -> float:
    """The oracle: a sender that adds a segment to its window for each acknowledged; when the last is at the far end.

    With headers an empty segment goes ahead.
    """
    arrivals: list[float] = []
    free_at, acknowledged = 0.0, 0
    for index in range(count + headers):
        while index >= window + 2 * acknowledged:
            free_at = max(free_at, arrivals[acknowledged] + round_trip)
            acknowledged += 1
        free_at += 0.0 if headers and not index else SEGMENT_BYTES * byte_time
        arrivals.append(free_at)
    return arrivals[-1]


@given(count=segments, byte_time=byte_times, window=st.integers(2, 200), round_trip=round_trips)
def test_headers_that_go_ahead_take_a_segment_of_the_window(
    count: int, byte_time: float, window: int, round_trip: float
) -> None:
    size = float(count * SEGMENT_BYTES)
    simulated = sent_segment_by_segment(count, byte_time, window, round_trip, headers=True)
    waits = stall(size, byte_time, float(window * SEGMENT_BYTES), round_trip, SEGMENT_BYTES)
    rounds = math.log2(count / window + 2) + 1
    assert size * byte_time + waits == pytest.approx(simulated, rel=1e-9, abs=rounds * SEGMENT_BYTES * byte_time)


@given(count=segments, byte_time=byte_times, window=windows, round_trip=round_trips)
def test_waiting_is_that_of_a_sender_simulated_segment_by_segment(
    count: int, byte_time: float, window: int, round_trip: float
) -> None:
    size = float(count * SEGMENT_BYTES)
    simulated = sent_segment_by_segment(count, byte_time, window, round_trip)
    formula = size * byte_time + stall(size, byte_time, float(window * SEGMENT_BYTES), round_trip)
    rounds = math.log2(count / window + 2) + 1
    assert formula == pytest.approx(simulated, rel=1e-9, abs=rounds * SEGMENT_BYTES * byte_time)


@given(
    bandwidth=st.floats(1e5, 1e9),
    factor=st.floats(1, 50),
    size=st.floats(0, 1e6),
    more=st.floats(0, 1e6),
    window=st.floats(1e3, 1e6),
    round_trip=round_trips,
)
def test_slow_start_keeps_the_model_monotone(
    bandwidth: float, factor: float, size: float, more: float, window: float, round_trip: float
) -> None:
    slow = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(round_trip), window=window)
    fast = dataclasses.replace(slow, bandwidth=BitsPerSecond(bandwidth * factor))
    wider = dataclasses.replace(slow, window=window * factor)
    for way in ("uplink", "downlink"):
        time = getattr(slow, way)(size)
        assert getattr(slow, way)(size + more) >= time - 1e-12
        assert getattr(fast, way)(size) <= time + 1e-12
        assert getattr(wider, way)(size) <= time + 1e-12


def test_without_a_window_nothing_waits() -> None:
    plain = TransferModel(bandwidth=BitsPerSecond(2e7), round_trip=Seconds(0.04))
    assert dataclasses.replace(plain, window=UNLIMITED).uplink(3e5) == plain.uplink(3e5)
    assert dataclasses.replace(plain, window=14_480.0).uplink(3e5) > plain.uplink(3e5) + 0.06


def test_arrays_wait_as_their_elements_do() -> None:
    model = TransferModel(bandwidth=BitsPerSecond(2e7), round_trip=Seconds(0.04), window=14_480.0)
    sizes = np.array([1e3, 1e4, 3e4, 6e4, 1e5, 3e5])
    assert model.uplink(sizes) == pytest.approx([model.uplink(float(size)) for size in sizes])


def test_a_window_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="window"):
        TransferModel(bandwidth=BitsPerSecond(1e6), window=0.0)


@given(
    size=st.integers(1_000, 1_000_000).map(float),  # whole bytes: what a millionth of one took nobody can tell
    byte_time=st.floats(8e-8, 1e-5),
    window=st.integers(10_000, 1_000_000).map(float),
    round_trip=st.floats(0, 0.2),
    ahead=st.sampled_from([0, SEGMENT_BYTES]),
)
def test_what_comes_after_the_last_wait_tells_the_bandwidth(
    size: float, byte_time: float, window: float, round_trip: float, ahead: int
) -> None:
    seconds = size * byte_time + stall(size, byte_time, window, round_trip, ahead)
    left, rest = unstalled(size, seconds, window, round_trip, ahead)
    assume(rest > 1e-9)
    assert rest / left == pytest.approx(byte_time, rel=1e-6)


def test_a_time_too_short_for_slow_start_is_taken_as_it_is() -> None:
    assert unstalled(1e5, 0.02, 14_480.0, 0.04) == (1e5, 0.02)


RATE, ROUND_TRIP = 8 * 1.046 / 50e6, Seconds(0.04)


def followed(times_with: float | None, *, messages: int = 8) -> CongestionWindow:
    """A window that saw messages of 100 kB, 2 s apart, each as slow as the given window at its start makes it."""
    window = CongestionWindow()
    for index in range(messages):
        began = Seconds(2.0 * index)
        wait = stall(1e5, RATE, UNLIMITED if times_with is None else times_with, ROUND_TRIP)
        seconds = 1e5 * RATE + wait
        window.learn(1e5, seconds, RATE, began_at=began, round_trip=ROUND_TRIP)
        window.sent(1e5, began, Seconds(began + seconds), ROUND_TRIP)
    return window


def test_ten_segments_are_found_where_the_kernel_begins_anew() -> None:
    window = followed(INITIAL_WINDOW)
    assert window.restarts
    assert window.at(Seconds(100.0), ROUND_TRIP) == INITIAL_WINDOW


def test_a_window_that_is_kept_is_found_within_a_few_messages() -> None:
    window = followed(None, messages=3)
    assert not window.restarts
    assert window.at(Seconds(100.0), ROUND_TRIP) >= 1e5


def test_messages_that_tell_nothing_leave_the_standard_in_force() -> None:
    window = CongestionWindow()
    for index in range(20):
        window.learn(1e3, 0.5, RATE, began_at=Seconds(2.0 * index), round_trip=ROUND_TRIP)
    assert window.restarts


def test_the_window_shrinks_while_idle_and_never_below_ten_segments() -> None:
    window = CongestionWindow()
    window.sent(1e6, Seconds(0.0), Seconds(1.0), ROUND_TRIP)
    found = [window.at(Seconds(1.0 + wait), ROUND_TRIP) for wait in (0.0, 0.3, 0.6, 1.0, 60.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 1e6 and found[-1] == INITIAL_WINDOW


def test_a_message_widens_the_window_up_to_twice_itself() -> None:
    window, found = CongestionWindow(), []
    for index in range(3):
        window.sent(3e5, Seconds(index * 0.2), Seconds(index * 0.2 + 0.19), ROUND_TRIP)
        found.append(window.at(Seconds(index * 0.2 + 0.19), ROUND_TRIP))
    assert found == [INITIAL_WINDOW + 3e5, 6e5, 6e5]


def linux_restart(segments: int, idle_ms: int, timeout_ms: int) -> int:
    """The oracle: what `tcp_cwnd_restart` does, in whole segments and ticks."""
    restart, left = min(10, segments), idle_ms
    if idle_ms <= timeout_ms:
        return segments
    left -= timeout_ms
    while left > 0 and segments > restart:
        segments >>= 1
        left -= timeout_ms
    return max(segments, restart)


@given(segments=st.integers(1, 5000), idle=st.integers(0, 20_000), timeout=st.integers(200, 2000))
def test_idling_leaves_what_the_kernel_leaves(segments: int, idle: int, timeout: int) -> None:
    assume(idle % timeout)  # on the tick they may differ by one halving
    found = left_by_idling(segments * 1448.0, INITIAL_WINDOW, idle / 1e3, timeout / 1e3)
    assert linux_restart(segments, idle, timeout) <= found / 1448 < linux_restart(segments, idle, timeout) + 1


def test_the_senders_own_word_replaces_what_was_followed_from_outside() -> None:
    window = CongestionWindow()
    window.sent(3e5, Seconds(0.0), Seconds(0.2), ROUND_TRIP)
    window.seen(Window(size=50_000.0), Seconds(5.0))
    assert window.at(Seconds(5.0), ROUND_TRIP) == 50_000.0
    assert window.bounds(Seconds(5.0), ROUND_TRIP) == (50_000.0, 50_000.0)


def test_what_something_near_by_acknowledges_never_waits_whatever_the_sender_says() -> None:
    window = CongestionWindow()
    for index in range(4):
        began = Seconds(2.0 * index)
        window.seen(Window(size=INITIAL_WINDOW), began)
        window.learn(1e5, 1e5 * RATE, RATE, began_at=began, round_trip=ROUND_TRIP)
        window.sent(1e5, began, Seconds(began + 1e5 * RATE), ROUND_TRIP)
    window.seen(Window(size=INITIAL_WINDOW), Seconds(10.0))
    assert stall(1e5, RATE, window.at(Seconds(10.0), ROUND_TRIP), ROUND_TRIP) == 0


def test_after_a_rest_the_window_is_a_guess_until_messages_have_widened_it() -> None:
    window = CongestionWindow()
    assert window.bounds(Seconds(0.0), ROUND_TRIP) == (INITIAL_WINDOW, INITIAL_WINDOW)
    window.sent(3e5, Seconds(0.0), Seconds(0.2), ROUND_TRIP)
    window.sent(1e3, Seconds(0.5), Seconds(0.54), ROUND_TRIP)  # one timeout later
    assert window.bounds(Seconds(0.6), ROUND_TRIP) == (INITIAL_WINDOW, UNLIMITED)
    for began in (0.6, 0.8):
        window.sent(3e5, Seconds(began), Seconds(began + 0.19), ROUND_TRIP)
    assert window.bounds(Seconds(1.0), ROUND_TRIP) == (6e5, 6e5)


def test_small_messages_do_not_widen_it() -> None:
    window = CongestionWindow()
    for index in range(50):
        window.sent(1e3, Seconds(index * 0.05), Seconds(index * 0.05 + 0.04), ROUND_TRIP)
    assert window.at(Seconds(2.5), ROUND_TRIP) == INITIAL_WINDOW


def test_a_new_connection_begins_with_ten_segments() -> None:
    window = CongestionWindow()
    window.sent(1e6, Seconds(0.0), Seconds(1.0), ROUND_TRIP)
    window.renew()
    assert window.at(Seconds(1.0), ROUND_TRIP) == INITIAL_WINDOW


def told(patience: float = 0.2, *, size: float = 200_000.0, threshold: float = UNLIMITED) -> CongestionWindow:
    """A window of which its sender has said this, at 0 s."""
    window = CongestionWindow()
    window.seen(Window(size=size, threshold=threshold, patience=patience), Seconds(0.0))
    return window


def test_a_message_widens_the_window_no_further_than_the_senders_threshold() -> None:
    window = told(size=20_000.0, threshold=50_000.0)
    window.sent(3e5, Seconds(0.0), Seconds(0.2), ROUND_TRIP)
    assert window.at(Seconds(0.2), ROUND_TRIP) == 50_000.0
    window = told(size=80_000.0, threshold=50_000.0)
    window.sent(3e5, Seconds(0.0), Seconds(0.2), ROUND_TRIP)
    assert window.at(Seconds(0.2), ROUND_TRIP) == 80_000.0


@pytest.mark.parametrize(("patience", "left"), [(0.2, 50_000.0), (0.5, 100_000.0), (math.inf, 200_000.0)])
def test_resting_halves_it_as_often_as_the_senders_patience_ends(patience: float, left: float) -> None:
    assert told(patience).at(Seconds(0.55), ROUND_TRIP) == left


def test_resting_leaves_what_the_sender_says_of_a_way_with_long_packets() -> None:
    window = CongestionWindow()
    window.seen(Window(size=400_000.0, least=89_480.0), Seconds(0.0))
    assert window.at(Seconds(100.0), ROUND_TRIP) == 89_480.0
    assert window.bounds(Seconds(100.0), ROUND_TRIP) == (89_480.0, UNLIMITED)


def test_what_comes_from_the_sender_between_ends_a_rest_and_begins_another() -> None:
    window = told()
    window.heard(Seconds(0.4), ROUND_TRIP)
    window.heard(Seconds(0.4), ROUND_TRIP)
    window.heard(Seconds(0.1), ROUND_TRIP)  # older
    assert window.at(Seconds(0.8), ROUND_TRIP) == 50_000.0  # 0.4 s twice; 0.8 s at once would leave 25,000


def test_where_the_sender_says_nothing_what_comes_between_changes_nothing() -> None:
    window, same = CongestionWindow(), CongestionWindow()
    for each in (window, same):
        each.sent(3e5, Seconds(0.0), Seconds(0.2), ROUND_TRIP)
    window.heard(Seconds(0.9), ROUND_TRIP)
    assert window.at(Seconds(1.0), ROUND_TRIP) == same.at(Seconds(1.0), ROUND_TRIP)


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=5), byte_time=st.floats(1e-7, 2e-6))
def test_bytes_that_queued_lengthen_the_senders_patience(sizes: list[int], byte_time: float) -> None:
    """The oracle: RFC 6298's mean over the round trips, one for each two segments, each longer than the one before."""
    window, smoothed = told(size=1e6), 0.0
    for acknowledgements in sizes:
        for turn in range(1, acknowledgements + 1):
            smoothed += (turn * 2 * SEGMENT_BYTES * byte_time - smoothed) / 8
        size = acknowledgements * 2.0 * SEGMENT_BYTES
        window.sent(size, Seconds(0.0), Seconds(0.0), ROUND_TRIP, byte_time)
    timeout, full = 0.24 + smoothed, window.at(Seconds(0.0), ROUND_TRIP)
    assert window.at(Seconds(timeout * 0.99), ROUND_TRIP) == full
    assert window.at(Seconds(timeout * 1.01), ROUND_TRIP) == full / 2


def test_only_the_last_round_of_a_message_queues() -> None:
    window = told(size=INITIAL_WINDOW)
    window.sent(3 * INITIAL_WINDOW + SEGMENT_BYTES, Seconds(0.0), Seconds(0.2), ROUND_TRIP, 1e-5)
    assert window.at(Seconds(0.2 + 0.25), ROUND_TRIP) < window.at(Seconds(0.2 + 0.23), ROUND_TRIP)


def test_who_is_told_learns_only_whether_the_window_is_in_the_way_at_all() -> None:
    """A window kept while resting would explain these times, but the sender says that it is not."""
    window = told()
    for index in range(8):
        began = Seconds(2.0 * index)
        window.learn(1e5, 1e5 * RATE + stall(1e5, RATE, 6e4, ROUND_TRIP), RATE, began_at=began, round_trip=ROUND_TRIP)
        window.sent(1e5, began, Seconds(began + 0.1), ROUND_TRIP)
    assert window.at(Seconds(100.0), ROUND_TRIP) == INITIAL_WINDOW


def test_what_both_ends_say_of_an_exchange_is_of_the_message_and_of_its_answer() -> None:
    windows = BothWindows()
    windows.begun(Seconds(1.0), ROUND_TRIP, Window(size=50_000.0), Window(size=70_000.0))
    assert windows.beginning(Seconds(1.0), ROUND_TRIP, None) == (50_000.0, 70_000.0)
    windows.renew()
    assert windows.beginning(Seconds(1.0), ROUND_TRIP, None) == (INITIAL_WINDOW, INITIAL_WINDOW)


def test_an_exchange_waits_as_long_as_its_message_and_its_answer() -> None:
    windows, sizes, byte_times = BothWindows(ahead=1_448), (40_000.0, 100_000.0), (1e-7, 2e-7)
    up = stall(sizes[0], byte_times[0], INITIAL_WINDOW, ROUND_TRIP)
    down = stall(sizes[1], byte_times[1], INITIAL_WINDOW, ROUND_TRIP, 1_448)
    assert 0 < up < down
    assert windows.waits(sizes, byte_times, Seconds(0.0), ROUND_TRIP) == pytest.approx(up + down)


def test_how_long_an_exchange_waits_is_a_guess_if_it_is_one_of_either_direction() -> None:
    for direction in ("up", "down"):
        windows = BothWindows()
        getattr(windows, direction).sent(20_000, Seconds(0.0), Seconds(0.1), ROUND_TRIP)
        assert windows.waits((5e4, 5e4), (1e-7, 1e-7), Seconds(9.0), ROUND_TRIP) is None


def test_a_message_whose_bandwidth_nobody_knows_is_all_that_tells_of_it() -> None:
    waiting = CongestionWindow().waited(100_000, 0.2, None, Seconds(0.0), ROUND_TRIP)
    assert (waiting.size, waiting.seconds) == unstalled(100_000, 0.2, INITIAL_WINDOW, ROUND_TRIP)
    assert (waiting.longest, waiting.shortest, waiting.certain) == (0.0, 0.0, False)


def test_how_long_a_message_waited_lies_between_a_little_wider_and_a_little_narrower_a_window() -> None:
    waiting = CongestionWindow().waited(100_000, 0.2, 1e-6, Seconds(0.0), ROUND_TRIP)
    exact = stall(100_000, 1e-6, INITIAL_WINDOW, ROUND_TRIP)
    assert waiting.shortest < exact < waiting.longest
    assert waiting.certain
