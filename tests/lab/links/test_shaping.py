from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.lab.links.shaping import CATCH_UP, HEADER_BYTES, SEGMENT_BYTES, Lane, TokenBucket, wire_bytes
from edgent.units import BitsPerSecond, Seconds

PACKET = SEGMENT_BYTES + HEADER_BYTES

rates = st.floats(min_value=1e4, max_value=1e9).map(BitsPerSecond)
bursts = st.integers(min_value=0, max_value=10_000)
sizes = st.integers(min_value=1, max_value=20_000)
gaps = st.floats(min_value=0, max_value=2)


def emptied(lane: Lane[str], now: float = 0.0) -> list[tuple[float, str, bytes]]:
    """All that arrives, with the times, by whoever looks exactly when something does."""
    arrived = []
    while (at := lane.next_at()) < math.inf:
        now = max(now, at)
        arrived += [(now, channel, data) for channel, data in lane.step(Seconds(now))]
    lane.rest()
    return arrived


@given(rate=rates, burst=bursts, wishes=st.lists(st.tuples(gaps, sizes, st.booleans()), max_size=40))
def test_a_bucket_never_gives_more_than_its_rate_and_its_burst_allow(
    rate: BitsPerSecond, burst: int, wishes: list[tuple[float, int, bool]]
) -> None:
    bucket = TokenBucket(rate=rate, burst=burst)
    now, spent = 0.0, [(0.0, 0)]
    for gap, size, idle in wishes:
        now += gap
        if idle:
            bucket.rest(Seconds(now))
        if bucket.ready_at(size) <= now:
            bucket.spend(size)
            spent.append((now, spent[-1][1] + size))
    for at, total in spent:
        assert total * 8 <= rate * at * (1 + 1e-9) + burst * 8 + 1e-6


@given(rate=rates, burst=bursts, idle=gaps, size=sizes)
def test_after_a_rest_only_the_burst_is_there(rate: BitsPerSecond, burst: int, idle: float, size: int) -> None:
    bucket = TokenBucket(rate=rate, burst=burst)
    bucket.rest(Seconds(idle))
    assert bucket.ready_at(size) == pytest.approx(idle + (size - burst) * 8 / rate, rel=1e-9, abs=1e-9)


@given(
    rate=rates,
    delay=st.floats(min_value=0, max_value=0.2),
    messages=st.lists(st.tuples(gaps, sizes, st.sampled_from("ab")), min_size=1, max_size=8),
)
def test_a_lane_that_is_looked_at_in_time_never_gives_more_than_its_rate_in_any_window(
    rate: BitsPerSecond, delay: float, messages: list[tuple[float, int, str]]
) -> None:
    lane: Lane[str] = Lane(rate=rate, delay=Seconds(delay))
    arrived, now = [], 0.0
    for gap, size, channel in messages:
        until = now + gap
        while (at := lane.next_at()) <= until:
            arrived += [(at, len(data)) for _, data in lane.step(at)]
            lane.rest()
        now = until
        lane.offer(channel, bytes(size), Seconds(now))
    arrived += [(at, len(data)) for at, _, data in emptied(lane, now)]
    assert sum(size for _, size in arrived) == sum(size for _, size, _ in messages)
    times = [at for at, _ in arrived]
    assert times == sorted(times)
    totals = [0.0]
    for _, size in arrived:
        totals.append(totals[-1] + wire_bytes(size) * 8)
    for first in range(len(arrived)):
        for last in range(first, len(arrived)):
            window = times[last] - times[first]
            assert totals[last + 1] - totals[first] <= rate * window * (1 + 1e-6) + PACKET * 8 + 1e-3


@given(rate=rates, delay=st.floats(min_value=0, max_value=1), size=sizes)
def test_the_last_byte_arrives_when_a_real_link_delivers_it(rate: BitsPerSecond, delay: float, size: int) -> None:
    lane: Lane[str] = Lane(rate=rate, delay=Seconds(delay), now=Seconds(0.0))
    lane.offer("a", bytes(size), Seconds(5.0))
    segments = -(-size // SEGMENT_BYTES)
    expected = 5.0 + delay + (size + 66 * segments) * 8 / rate
    assert lane.last_at() == pytest.approx(expected)
    assert emptied(lane)[-1][0] == pytest.approx(expected)


@given(looks=st.lists(st.floats(min_value=1e-4, max_value=0.09), min_size=1, max_size=60))
def test_looking_late_delays_bytes_but_loses_no_rate(looks: list[float]) -> None:
    rate = BitsPerSecond(1e6)
    lane: Lane[str] = Lane(rate=rate)
    lane.offer("a", bytes(2_000_000), Seconds(0.0))
    now = out = 0.0
    for gap in looks:
        now += gap
        out += sum(wire_bytes(len(data)) for _, data in lane.step(Seconds(now)))
        assert rate * now - PACKET * 8 - 1e-3 <= out * 8 <= rate * now + 1e-3


def test_catching_up_is_limited() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6))
    lane.offer("a", bytes(2_000_000), Seconds(0.0))
    out = sum(wire_bytes(len(data)) for _, data in lane.step(Seconds(10.0)))
    assert out * 8 <= 1e6 * CATCH_UP + PACKET * 8


@given(data=st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=5000)), max_size=12))
def test_every_channel_gets_its_bytes_unchanged_and_its_end_last(data: list[tuple[str, bytes]]) -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6), delay=Seconds(0.01))
    sent = {channel: b"".join(part for name, part in data if name == channel) for channel in "abc"}
    for channel, part in data:
        if part:
            lane.offer(channel, part, Seconds(0.0))
    for channel in "abc":
        lane.offer(channel, b"", Seconds(0.0))
    arrived = emptied(lane)
    for channel in "abc":
        parts = [part for _, name, part in arrived if name == channel]
        assert b"".join(parts) == sent[channel]
        assert parts[-1] == b"" and all(parts[:-1])
    assert lane.payload_bytes == sum(map(len, sent.values()))


def test_channels_share_the_rate_in_the_order_of_arrival() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6))
    lane.offer("a", bytes(3000), Seconds(0.0))
    lane.offer("b", bytes(100), Seconds(0.0))
    arrived = emptied(lane)
    assert [channel for _, channel, _ in arrived] == ["a", "a", "a", "b"]
    assert arrived[-1][0] == pytest.approx((wire_bytes(3000) + wire_bytes(100)) * 8 / 1e6)


def test_bytes_that_wait_are_joined_to_full_segments_but_not_to_the_one_on_the_wire() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6))
    for _ in range(5):
        lane.offer("a", bytes(500), Seconds(0.0))
    assert [len(data) for _, _, data in emptied(lane)] == [500, 1448, 552]


@given(first=rates, second=rates, share=st.floats(min_value=0.01, max_value=0.99))
def test_a_change_of_rate_holds_for_the_rest_of_the_segment_on_the_wire(
    first: BitsPerSecond, second: BitsPerSecond, share: float
) -> None:
    lane: Lane[str] = Lane(rate=first)
    lane.offer("a", bytes(SEGMENT_BYTES), Seconds(0.0))
    at = Seconds(share * PACKET * 8 / first)
    lane.change(rate=second, now=at)
    assert lane.next_at() == pytest.approx(at + (1 - share) * PACKET * 8 / second, rel=1e-6)


def test_a_shift_moves_all_that_is_under_way() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6), delay=Seconds(0.05))
    lane.offer("a", bytes(4000), Seconds(0.0))
    lane.step(Seconds(0.02))  # one segment flies, the others wait
    before = lane.next_at(), lane.last_at()
    lane.shift(10.0)
    assert (lane.next_at(), lane.last_at()) == pytest.approx((before[0] + 10, before[1] + 10))


def test_a_dropped_channel_leaves_the_others() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6), delay=Seconds(1.0))
    for channel in "aba":
        lane.offer(channel, bytes(1000), Seconds(0.0))
    lane.step(Seconds(0.01))
    lane.drop("a")
    assert {channel for _, channel, _ in emptied(lane)} == {"b"}


def test_arrivals_keep_their_order_when_the_delay_shrinks() -> None:
    lane: Lane[str] = Lane(rate=BitsPerSecond(1e6), delay=Seconds(1.0))
    lane.offer("a", b"1", Seconds(0.0))
    lane.step(Seconds(0.1))
    lane.change(delay=Seconds(0.0), now=Seconds(0.1))
    lane.offer("a", b"2", Seconds(0.1))
    arrived = emptied(lane)
    assert [data for _, _, data in arrived] == [b"1", b"2"]
    assert all(before[0] <= after[0] for before, after in pairwise(arrived))


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="rate"):
        Lane(rate=BitsPerSecond(rate))


@pytest.mark.parametrize("delay", [-1.0, math.nan, math.inf])
def test_a_delay_that_cannot_be_is_refused(delay: float) -> None:
    with pytest.raises(InputError, match="delay"):
        Lane(rate=BitsPerSecond(1e6), delay=Seconds(delay))
