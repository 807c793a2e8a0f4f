"""Messages that share the uplink tell its rate; the oracle is a link that carries each byte by itself, in turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from edgent.device.connection.busy_interval import BusyInterval, Carried, UnderWay
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.observations import Observations
from edgent.device.connection.upkeep import Upkeep
from edgent.link.slow_start import Window
from edgent.link.transfer import CALL_BYTES, CALL_TIME, HEADER_FACTOR
from edgent.wire.edge_client import TimedReply

RATE = 4e6
TRIP = 0.06
FRAME = 16_384  # bytes that a stream sends before it is another one's turn


@dataclass
class Message:
    """One request: when it is sent, its bytes, and what is left of them on the way."""

    sent_at: float
    size: int
    left: float = field(init=False)
    ended_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left = (self.size + CALL_BYTES) * HEADER_FACTOR * 8


def carried(messages: list[Message], frame: int, rate=lambda at: RATE) -> None:
    """Carries them by turns, a frame each; a frame that is longer than any message: one after the other."""
    coming, line, at = sorted(messages, key=lambda m: m.sent_at), [], 0.0
    while coming or line:
        if not line:
            at = max(at, coming[0].sent_at)
        while coming and coming[0].sent_at <= at:
            line.append(coming.pop(0))
        first = line.pop(0)
        bits = min(first.left, frame * HEADER_FACTOR * 8)
        at, first.left = at + bits / rate(at), first.left - bits
        if first.left > 1e-6:
            while coming and coming[0].sent_at <= at:
                line.append(coming.pop(0))
            line.append(first)
        else:
            first.ended_at = at


def replies(messages: list[Message], edge: float) -> list[TimedReply]:
    """What the device times, whose edge computes one after the other."""
    free_at, told = 0.0, []
    for one in sorted(messages, key=lambda m: m.ended_at):
        begins = max(free_at, one.ended_at)
        free_at, on_link = begins + edge, one.ended_at - one.sent_at + TRIP + CALL_TIME
        told.append(
            TimedReply(
                body=b"",
                bytes_up=one.size,
                began_at=one.sent_at,
                uplink=on_link,
                queue=begins - one.ended_at,
                middle=edge,
                downlink=0.0,
                on_link=on_link,
                body_at=free_at + TRIP + CALL_TIME,
                behind_headers=0,
                window=Window(size=1e9),  # TCP has long been at full speed
            )
        )
    return told


def observed(messages: list[Message], answers: list[TimedReply], within: float = 60.0) -> Observations:
    """What a device makes of it that gives each one up after a time."""
    seen = Observations(LinkFollower(round_trip=TRIP), Upkeep(measures=True))
    first = TimedReply(
        body=bytes(50_000),
        bytes_up=50_000,
        began_at=-2.0,
        uplink=TRIP + CALL_TIME + 50_120 * HEADER_FACTOR * 8 / RATE,
        queue=0.0,
        middle=0.0,
        downlink=0.1,
        on_link=0.3,
        body_at=-1.0,
        behind_headers=50_000,
    )
    seen.heard(first, -1.0)
    seen.taken()
    asked = {}
    events = [(m.sent_at, 0, number) for number, m in enumerate(messages)]
    of = {(reply.began_at, reply.bytes_up): reply for reply in answers}
    for number, m in enumerate(messages):
        reply = of[m.sent_at, m.size]
        events.append((min(reply.body_at, m.sent_at + within), 1, number))
    for at, ends, number in sorted(events):
        one = messages[number]
        reply = of[one.sent_at, one.size]
        if not ends:
            asked[number] = seen.asked(one.size, at)
        elif reply.body_at > one.sent_at + within:
            seen.ended(asked[number])
            seen.late(one.size, within, at)
        else:
            seen.answered(asked[number], reply, at)
    return seen


def rates(seen: Observations) -> list[float]:
    """Of the messages shown that took long enough to tell one."""
    ups = [t for t in seen.taken() if t.direction == "up" and t.seconds > 0.03 and not t.cut]
    return [(t.size + CALL_BYTES) * HEADER_FACTOR * 8 / t.seconds for t in ups]


ORDERS = {"one after the other": 10**9, "by turns": FRAME}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [2_300, 12_000, 60_000])
def test_fifty_requests_at_once_tell_the_rate_of_all_of_them(order, size):
    messages = [Message(sent_at=1.0 + number * 1e-4, size=size + number) for number in range(50)]
    carried(messages, ORDERS[order])
    told = rates(seen := observed(messages, replies(messages, edge=0.004)))
    assert told == pytest.approx([RATE] * len(told), rel=0.21)  # a fifth may still be under way
    assert told
    assert seen.link.measured == pytest.approx(RATE, rel=0.21)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_whoever_sends_at_random_learns_the_rate_within_a_quarter(order, seed):
    """Sizes of 1 to 80 kB, now and then several at once, 70 % of the link."""
    random, at, messages = Random(seed), 1.0, []
    for _ in range(150):
        size = int(10 ** random.uniform(3, 4.9))
        messages.append(Message(sent_at=at, size=size))
        at += random.expovariate(0.7) * size * 8.4 / RATE
    carried(messages, ORDERS[order])
    told = rates(observed(messages, replies(messages, edge=0.004)))
    assert len(told) > 5
    assert all(RATE / 1.27 < rate < RATE * 1.27 for rate in told)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [12_000, 60_000])
def test_of_fifty_requests_at_once_those_that_are_late_do_not_make_the_link_seem_slow(order, size):
    messages = [Message(sent_at=1.0 + number * 1e-4, size=size + number) for number in range(50)]
    carried(messages, ORDERS[order])
    seen = observed(messages, replies(messages, edge=0.004), within=0.4)
    seen.judge_late(1.5)
    assert seen.link.measured > 0.75 * RATE
    cut = [t for t in seen.taken() if t.cut]
    assert cut
    assert all((t.size + CALL_BYTES) * HEADER_FACTOR * 8 / t.seconds > 0.75 * RATE for t in cut)


@pytest.mark.parametrize("order", ORDERS)
def test_of_a_link_that_is_slower_than_believed_requests_that_are_late_together_tell_so(order):
    messages = [Message(sent_at=1.0 + number * 1e-4, size=12_000 + number) for number in range(3)]
    carried(messages, ORDERS[order], rate=lambda at: RATE / 20)
    seen = observed(messages, replies(messages, edge=0.004), within=0.4)
    seen.judge_late(1.5)
    assert RATE / 20 < seen.link.measured < RATE / 3


def test_what_had_the_link_for_itself_is_told_as_it_came():
    busy = BusyInterval()
    for at in (1.0, 2.0, 3.0):
        assert busy.carried(1000, 0.2, at) == Carried(size=1000, seconds=pytest.approx(0.2), began_at=at)


def test_after_bytes_that_nobody_counted_a_message_has_only_what_came_behind_them():
    busy = BusyInterval()
    busy.interrupted(1.5)
    assert busy.carried(1000, 0.7, 1.0) == Carried(size=1000, seconds=pytest.approx(0.2), began_at=1.5)


def test_a_message_that_waits_at_the_edge_does_not_make_the_free_link_between_others_count():
    """It had crossed long before its answer came: while two others crossed the link was busy with these alone."""
    busy, waiting = BusyInterval(), UnderWay(size=400, began_at=1.0)
    assert busy.carried(1000, 0.1, 1.2, [waiting]) is None
    assert busy.carried(1000, 0.1, 1.9, [waiting]) == Carried(size=2000, seconds=pytest.approx(0.2), began_at=1.2)
