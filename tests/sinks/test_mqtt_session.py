"""A broker that owes acknowledgements, refuses late or acknowledges nothing: no event is taken for delivered by it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from edgent.clock import MonotonicClock
from edgent.errors import EdgentError
from edgent.sinks.addresses import BrokerAddress, parse_sink
from edgent.sinks.broker import Broker
from edgent.sinks.mqtt_session import MqttSession
from ports import listening
from real_time import until
from sinks.telling import lines

CONNECT, PUBLISH, PINGREQ = 1, 3, 12
ACCEPTED, REFUSED = 0x00, 0x87
Verdict = Callable[[str], int | None]


class ScriptedBroker:
    """Speaks MQTT 5 so far as a publisher needs it; how it acknowledges a topic, a test says (None: not at all)."""

    def __init__(self) -> None:
        self.verdict: Verdict = lambda topic: ACCEPTED
        self.published: list[list[str]] = []  # the topics of each connection
        self.address = ""

    def talk(self, peer: socket.socket) -> None:
        self.published.append(topics := [])
        with peer.makefile("rb") as stream:
            while head := stream.read(1):
                kind, body = head[0] >> 4, stream.read(length(stream))
                if kind == CONNECT:
                    peer.sendall(bytes((0x20, 3, 0, 0, 0)))
                elif kind == PINGREQ:
                    peer.sendall(bytes((0xD0, 0)))
                elif kind == PUBLISH and head[0] & 0x06:
                    end = 2 + int.from_bytes(body[:2], "big")
                    topics.append(body[2:end].decode())
                    if (reason := self.verdict(topics[-1])) is not None:
                        peer.sendall(bytes((0x40, 3)) + body[end : end + 2] + bytes((reason,)))


def length(stream) -> int:
    """MQTT's own: seven bits a byte, the lowest first."""
    total, shift = 0, 0
    while (byte := stream.read(1)[0]) & 0x80:
        total, shift = total | (byte & 0x7F) << shift, shift + 7
    return total | byte << shift


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    with listening(scripted.talk) as scripted.address:
        yield scripted


def address_of(broker: ScriptedBroker) -> BrokerAddress:
    address = parse_sink(f"mqtt://{broker.address}/home")
    assert isinstance(address, BrokerAddress)
    return address


@contextlib.contextmanager
def session_at(broker: ScriptedBroker, patience: float) -> Iterator[MqttSession]:
    session = MqttSession(
        address_of(broker), status_topic="home/status", online="online", offline="offline", patience=patience
    )
    try:
        yield session
    finally:
        session.close()


def settle(session: MqttSession) -> None:
    """Acknowledgements come in order: with this one all before it are there."""
    assert list(session.acknowledged([session.publish("home/settled", "")]))


def numbers_begin_anew(session: MqttSession, last: int = 0) -> None:
    """As after 65,535 messages."""
    session._client._last_mid = last


@pytest.mark.parametrize("number", [1, 2, 3])  # the status, and two states
def test_what_nobody_waited_for_acknowledges_no_later_event_of_its_number(broker: ScriptedBroker, number: int) -> None:
    with session_at(broker, patience=30) as session:
        for _ in range(2):
            session.retain("home/door/state", "{}")
        settle(session)
        broker.verdict = lambda topic: None
        numbers_begin_anew(session, number - 1)
        assert session.publish("home/door/events", "{}") == number
        session._patience = 0.1
        with pytest.raises(EdgentError, match="acknowledges nothing"):
            next(session.acknowledged([number]))


def test_a_refusal_of_a_state_fails_no_later_event_of_its_number(broker: ScriptedBroker) -> None:
    broker.verdict = lambda topic: REFUSED if topic.endswith(("state", "status")) else ACCEPTED
    with session_at(broker, patience=30) as session:
        session.retain("home/door/state", "{}")
        settle(session)
        numbers_begin_anew(session)
        events = [session.publish("home/door/events", "{}") for _ in range(3)]
        assert events == [1, 2, 3] and list(session.acknowledged(events)) == events


def test_thousands_of_states_leave_nothing_behind(broker: ScriptedBroker) -> None:
    with session_at(broker, patience=30) as session:
        for _ in range(2000):
            session.retain("home/door/state", "{}")
        settle(session)
        assert not session._acknowledged and not session._unawaited


def test_a_number_that_the_broker_still_owes_is_not_given_to_an_event(broker: ScriptedBroker) -> None:
    broker.verdict = lambda topic: None if topic == "home/status" else ACCEPTED
    with session_at(broker, patience=30) as session:
        settle(session)
        numbers_begin_anew(session)
        with pytest.raises(EdgentError, match="unacknowledged"):
            session.publish("home/door/events", "{}")


@pytest.mark.parametrize(
    "verdict", [lambda topic: None, lambda topic: REFUSED, lambda topic: None if "events" in topic else ACCEPTED]
)
def test_what_was_not_acknowledged_is_published_again_over_another_connection(
    broker: ScriptedBroker, verdict: Verdict
) -> None:
    sink = Broker(address_of(broker), MonotonicClock(), patience=0.2)
    broker.verdict = verdict
    for _ in range(3):
        with pytest.raises(EdgentError):
            list(sink.deliver(lines(*range(10))))
    broker.verdict, sink._patience = lambda topic: ACCEPTED, 30
    assert len(list(sink.deliver(lines(*range(10))))) == 10
    sink.close()
    # At most one of each in a connection, however often it was tried.
    assert until(lambda: len(broker.published) == 4)
    assert all(topics.count("home/door/events") <= 10 for topics in broker.published)
