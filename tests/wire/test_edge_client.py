from __future__ import annotations

import pytest

from edgent.errors import EdgeError
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.transport import PACKET, Reply


class Slow:
    """Sent at 10.00 s, the notes at 10.25 s, the body at 10.75 s."""

    def __init__(self, notes: Notes, body: bytes = b"") -> None:
        self.notes, self.body = notes, body

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        return Reply(body=self.body, notes=self.notes, sent_at=10.0, notes_at=10.25, body_at=10.75)


def timed(queue: float, middle: float, body: bytes = b"") -> TimedReply:
    return EdgeClient(Slow(Notes(queue=queue, middle=middle), body)).send(b"a message", 1.0)


class Listing:
    """An edge that lists what it can do, and answers everything alike."""

    def __init__(self, *extensions: str) -> None:
        self.metadata = m.ServerMetadataResponse(extensions=extensions).SerializeToString()
        self.called: list[str] = []
        self.exchanged: list[str] = []

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        self.called.append(method)
        body = self.metadata if method == m.SERVER_METADATA else b""
        return Reply(body=body, notes=NOTHING, sent_at=0.0, notes_at=0.0, body_at=0.0)

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        self.exchanged.append(method)
        return Reply(body=b"", notes=NOTHING, sent_at=0.0, notes_at=0.0, body_at=0.0)


def test_an_edge_that_says_that_it_exchanges_is_called_no_more_for_inferences_and_probes() -> None:
    edge = Listing(m.EXTENSION, m.EXCHANGES)
    client = EdgeClient(edge)
    client.probe(0, 0, 1.0)
    client.extensions(1.0)
    client.probe(0, 0, 1.0)
    client.send(b"", 1.0)
    assert edge.called == [m.PROBE, m.SERVER_METADATA]
    assert edge.exchanged == [m.PROBE, m.MODEL_INFER]


@pytest.mark.parametrize("extensions", [(), (m.EXTENSION,), ("binary_tensor_data", "sequence")])
def test_an_older_edge_or_another_maker_s_server_is_called(extensions: tuple[str, ...]) -> None:
    edge = Listing(*extensions)
    client = EdgeClient(edge)
    assert client.extensions(1.0) == set(extensions)
    client.send(b"", 1.0)
    assert (edge.called, edge.exchanged) == ([m.SERVER_METADATA, m.MODEL_INFER], [])


def test_an_edge_that_became_an_older_one_is_called_again() -> None:
    edge = Listing(m.EXTENSION, m.EXCHANGES)
    client = EdgeClient(edge)
    client.extensions(1.0)
    edge.metadata = Listing(m.EXTENSION).metadata
    client.extensions(1.0)
    client.send(b"", 1.0)
    assert edge.called[-1] == m.MODEL_INFER and not edge.exchanged


def test_a_reply_says_when_it_began_and_what_it_took() -> None:
    reply = timed(0.08, 0.05)
    assert (reply.began_at, reply.body_at, reply.bytes_up) == (10.0, 10.75, 9)
    assert (reply.queue, reply.middle) == pytest.approx((0.08, 0.05))


def test_the_edge_s_own_time_is_not_the_uplink_s() -> None:
    reply = timed(0.08, 0.05)
    assert (reply.uplink, reply.downlink) == pytest.approx((0.12, 0.5))
    assert reply.on_link == pytest.approx(0.62)


def test_an_edge_that_says_it_took_longer_than_the_device_waited_leaves_no_time_to_the_uplink() -> None:
    reply = timed(3.0, 0.0)
    assert (reply.uplink, reply.on_link, reply.began_at) == (0.0, 0.5, 10.0)


def test_a_short_answer_comes_with_its_notes_and_a_long_one_behind_them() -> None:
    assert timed(0.0, 0.0, bytes(PACKET)).behind_headers == 0
    assert timed(0.0, 0.0, bytes(PACKET + 1)).behind_headers == PACKET + 1


class Broken(Slow):
    """Takes a message, and answers nothing."""

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        raise EdgeError("lost")


def test_the_traffic_is_that_of_requests_and_of_their_answers() -> None:
    client = EdgeClient(Slow(NOTHING, b"answer"))
    client.send(b"a message", 1.0)
    client.send(b"another one", 1.0)
    client.probe(100, 100, 1.0)
    assert client.traffic == (len(b"a message" + b"another one"), 2 * len(b"answer"))


def test_what_was_sent_in_vain_was_sent() -> None:
    client = EdgeClient(Broken(NOTHING))
    with pytest.raises(EdgeError):
        client.send(b"a message", 1.0)
    assert client.traffic == (9, 0)
