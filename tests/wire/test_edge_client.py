from __future__ import annotations

import pytest

from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.transport import PACKET, Reply


class Edge:
    """Answers every call at once with the headers that it was given."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        return Reply(body=b"", headers=self.headers, sent_at=0.0, notes_at=1.0, body_at=2.0, window=None)


def test_an_edge_says_how_long_it_took() -> None:
    found = EdgeClient(Edge({m.TIMES_US: "1000 2000"})).probe(0, 0, 1.0)
    assert (found.queue, found.middle) == pytest.approx((1e-3, 2e-3))


@pytest.mark.parametrize(
    "said", ["", "1000", "1 2 3", "a b", "-1 2", "1.5 2", "\u0663 2", "\u00b2 2", "9" * 5000 + " 1"]
)
def test_what_an_edge_says_that_is_none_counts_as_nothing_said(said: str) -> None:
    found = EdgeClient(Edge({m.TIMES_US: said, m.WINDOW: said})).probe(0, 0, 1.0)
    assert (found.queue, found.middle, found.edge_window) == (0.0, 0.0, None)


class Slow(Edge):
    """Sent at 10.00 s, headers at 10.25 s, the body at 10.75 s."""

    def __init__(self, said: str, body: bytes = b"") -> None:
        super().__init__({m.TIMES_US: said})
        self.body = body

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        return Reply(body=self.body, headers=self.headers, sent_at=10.0, notes_at=10.25, body_at=10.75)


def timed(said: str, body: bytes = b"") -> TimedReply:
    return EdgeClient(Slow(said, body)).send(b"a message", 1.0)


def test_a_reply_says_when_it_began_and_what_it_took() -> None:
    reply = timed("80000 50000")
    assert (reply.began_at, reply.body_at, reply.bytes_up) == (10.0, 10.75, 9)
    assert (reply.queue, reply.middle) == pytest.approx((0.08, 0.05))


def test_the_edge_s_own_time_is_not_the_uplink_s() -> None:
    reply = timed("80000 50000")
    assert (reply.uplink, reply.downlink) == pytest.approx((0.12, 0.5))
    assert reply.on_link == pytest.approx(0.62)


def test_an_edge_that_says_it_took_longer_than_the_device_waited_leaves_no_time_to_the_uplink() -> None:
    reply = timed("3000000 0")
    assert (reply.uplink, reply.on_link, reply.began_at) == (0.0, 0.5, 10.0)


def test_a_short_answer_comes_with_its_headers_and_a_long_one_behind_them() -> None:
    assert timed("0 0", bytes(PACKET)).behind_headers == 0
    assert timed("0 0", bytes(PACKET + 1)).behind_headers == PACKET + 1
