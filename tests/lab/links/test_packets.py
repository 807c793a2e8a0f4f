from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.lab.links.packets import ETHERNET_BYTES, PacketLane, PacketPath
from edgent.units import BitsPerSecond, Seconds

rates = st.floats(min_value=1e4, max_value=1e9).map(BitsPerSecond)
delays = st.floats(min_value=0, max_value=0.2).map(Seconds)
packets = st.lists(
    st.tuples(st.floats(min_value=0, max_value=0.1), st.integers(min_value=20, max_value=1500)), min_size=1, max_size=50
)


def numbered(sent: list[tuple[float, int]]) -> list[tuple[float, bytes]]:
    """(time, packet) of each wish (gap, size); a packet begins with its number."""
    now, made = 0.0, []
    for number, (gap, size) in enumerate(sent):
        now += gap
        made.append((now, number.to_bytes(2, "big") + bytes(size - 2)))
    return made


def carried(lane: PacketLane, offered: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """What arrives and when, by whoever looks exactly when something does."""
    arrived, rest = [], list(offered)
    while rest or lane.next_at() < math.inf:
        at = lane.next_at()
        if rest and rest[0][0] <= at:
            now, packet = rest.pop(0)
            arrived += [(now, other) for other in lane.step(Seconds(now))]
            lane.offer(packet, Seconds(now))
        else:
            arrived += [(at, packet) for packet in lane.step(at)]
    return arrived


@given(rate=rates, delay=delays, sent=packets)
def test_packets_arrive_when_an_ideal_link_would_bring_them(
    rate: BitsPerSecond, delay: Seconds, sent: list[tuple[float, int]]
) -> None:
    offered = numbered(sent)
    free_at, expected = 0.0, []
    for now, packet in offered:
        free_at = max(free_at, now) + (len(packet) + ETHERNET_BYTES) * 8 / rate
        expected.append((pytest.approx(free_at + delay, rel=1e-6, abs=1e-6), packet))
    assert carried(PacketLane(PacketPath(rate=rate, delay=delay), Random(0)), offered) == expected


@given(rate=rates, jitter=delays, sent=packets, seed=st.integers())
def test_jitter_delays_but_nothing_overtakes(
    rate: BitsPerSecond, jitter: Seconds, sent: list[tuple[float, int]], seed: int
) -> None:
    offered = numbered(sent)
    steady = carried(PacketLane(PacketPath(rate=rate), Random(seed)), offered)
    shaken = carried(PacketLane(PacketPath(rate=rate, jitter=jitter), Random(seed)), offered)
    assert [packet for _, packet in shaken] == [packet for _, packet in offered]
    for (without, _), (with_it, _) in zip(steady, shaken, strict=True):
        assert without - 1e-9 <= with_it <= without + jitter + 1e-9


def test_the_stated_share_is_lost_and_the_same_seed_loses_the_same() -> None:
    path = PacketPath(rate=BitsPerSecond(1e9), loss=0.1)
    offered = numbered([(0.001, 100)] * 5000)
    first, again = (carried(PacketLane(path, Random("seed")), offered) for _ in range(2))
    assert first == again
    assert 1 - len(first) / 5000 == pytest.approx(0.1, abs=0.02)


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    lane = PacketLane(PacketPath(rate=BitsPerSecond(1e6), queue=3000), Random(0))
    arrived = carried(lane, numbered([(0.0, 1000)] * 5))
    assert (len(arrived), lane.dropped) == (2, 3)


def test_a_cut_loses_everything_under_way_until_it_is_restored() -> None:
    lane = PacketLane(PacketPath(rate=BitsPerSecond(1e6), delay=Seconds(0.1)), Random(0))
    for _ in range(3):
        lane.offer(bytes(1000), Seconds(0.0))
    lane.step(Seconds(0.01))
    lane.cut()
    lane.offer(bytes(1000), Seconds(0.02))
    assert (lane.next_at(), lane.dropped) == (math.inf, 4)
    lane.restore()
    assert len(carried(lane, [(1.0, bytes(1000))])) == 1


def test_a_change_of_rate_holds_for_what_waits() -> None:
    lane = PacketLane(PacketPath(rate=BitsPerSecond(8_112)), Random(0))  # a second for a packet of 1000 bytes
    lane.offer(bytes(1000), Seconds(0.0))
    lane.change(PacketPath(rate=BitsPerSecond(81_120)), Seconds(0.5))
    assert lane.next_at() == pytest.approx(0.55)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0.0},
        {"rate": math.nan},
        {"delay": -1.0},
        {"jitter": math.inf},
        {"loss": 1.0},
        {"loss": -0.1},
        {"queue": 0},
    ],
)
def test_a_path_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        PacketPath(**{"rate": 1e6, **wrong})  # type: ignore[arg-type]
