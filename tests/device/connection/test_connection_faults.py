"""A connection and what goes wrong on it: what one request meets, what loses the edge, and what is no edge at all."""

from __future__ import annotations

import pytest

from device.background import spoil
from edgent.device.connection.connection import Connection
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.sight import EdgeState
from edgent.device.drift import AS_PROFILED
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.testing import FakeEngine
from edgent.units import BitsPerSecond
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import BrokenError, BusyError, LateError, NotServedError, RejectedError
from edgent.wire.tensors import raw_parcel, write_request
from edgent.wire.transport import Unary

WITHIN = 20.0  # seconds of the test's clock
TOLD = {"bandwidth": BitsPerSecond(1e6)}


class Planless:
    """Plans nothing, and keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def factors(self):
        return AS_PROFILED

    def edge_up(self, facts, sight):
        pass

    def decisive(self, sight, *, unlikely=False):
        self.shown += sight.transfers

    def trial(self):
        return None

    def tried(self, trial, seconds):
        return True


@pytest.fixture
def connected(model, link, clock):
    connections = []

    def connect(plans=None, **told):
        connection = Connection(EdgeClient(link), model, LinkFollower(**told), clock)
        connections.append(connection)
        connection.start(plans or Planless())
        connection.wait_settled(WITHIN)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def request_of(model, picture) -> bytes:
    """A request that the edge can answer: 12 kB."""
    return write_request(f"{model.name}.x4.u0.d22", model.version, [raw_parcel(model.inputs[0], picture)], [])


def foreign(methods):
    """The same edge as a server that knows nothing of our extension."""

    def metadata(message, call):
        return m.ServerMetadataResponse(name="triton").SerializeToString()

    standard = {path: method for path, method in methods.items() if not path.startswith("/edgent.")}
    return standard | {m.SERVER_METADATA: Unary(answer=metadata)}


@pytest.mark.parametrize("kind", [LateError, BusyError, BrokenError, RejectedError])
def test_what_one_request_meets_leaves_the_edge_up(connected, link, kind):
    connection = connected(**TOLD)
    spoil(link, m.MODEL_INFER, kind("of this one"))
    with pytest.raises(kind, match="of this one"):
        connection.ask(b"", 1.0)
    assert connection.sight.state is EdgeState.UP


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (EdgeError("gone"), EdgeState.LOST, "edge lost"),
        (RefusedError("another version"), EdgeState.REFUSED, "edge refused: another version"),
        (NotServedError("not here"), EdgeState.REFUSED, "edge refused: not here"),
    ],
)
@pytest.mark.parametrize("call", ["ask", "prepare"])
def test_what_any_other_request_would_meet_as_well_loses_it_at_once(connected, link, call, error, state, words):
    connection = connected(**TOLD)
    spoil(link, m.MODEL_INFER if call == "ask" else m.PREPARE, error)
    with pytest.raises(type(error)):
        connection.ask(b"", 1.0) if call == "ask" else connection.prepare("net.x0.u0.d1")
    sight = connection.sight
    assert (sight.state, sight.problem, sight.conditions, sight.refusal) == (state, words, None, None)


def test_an_edge_that_was_never_the_right_one_is_a_refusal_to_raise(connected, link, clock):
    link.mend(Edge(load("b-alexnet-narrow"), engine=FakeEngine(), clock=clock).service.methods())
    sight = connected(**TOLD).sight
    assert sight.state is EdgeState.REFUSED and isinstance(sight.refusal, NotServedError)


def test_one_that_was_right_and_comes_back_as_another_is_a_state_until_it_is_right_again(connected, link, clock, until):
    connection, right = connected(**TOLD), link.methods
    link.cut()
    assert until(lambda: connection.sight.state is EdgeState.LOST)
    link.mend(Edge(load("b-alexnet-narrow"), engine=FakeEngine(), clock=clock).service.methods())
    assert until(lambda: connection.sight.state is EdgeState.REFUSED)
    assert connection.sight.refusal is None
    link.mend(right)
    assert until(lambda: connection.sight.state is EdgeState.UP)


def test_the_first_reply_behind_a_late_request_tells_nothing_of_the_link(connected, link, clock, request_of):
    link.bandwidth = BitsPerSecond(1e6)
    connection = connected(plans := Planless())
    connection.requested(clock.now(), AS_PROFILED)
    link.bandwidth = BitsPerSecond(3e5)
    link.hold(m.PROBE)  # or the check that follows would be the first reply
    with pytest.raises(LateError):
        connection.ask(request_of, 0.17)  # half of it is still on its way when nobody waits any more
    connection.ask(request_of, 5.0)
    assert (plans.shown, connection.requested(clock.now(), AS_PROFILED).transfers) == ([], ())
    connection.ask(request_of, 5.0)
    told = [*plans.shown, *connection.requested(clock.now(), AS_PROFILED).transfers]
    assert [transfer.cut for transfer in told if transfer.direction == "up"] == [True, False]


def test_a_late_request_has_the_edge_checked_at_once(connected, link, clock, request_of):
    connection = connected(**TOLD)
    connection.ask(request_of, 5.0)
    link.calls.clear()
    clock.sleep(0.1)
    assert link.calls == []
    link.hold(m.MODEL_INFER)
    with pytest.raises(LateError):
        connection.ask(request_of, 0.01)
    clock.sleep(0.1)
    assert m.PROBE in link.calls


def test_a_foreign_server_is_taken_where_the_bandwidth_is_known_and_only_there(connected, link):
    link.mend(foreign(link.methods))
    connection = connected(**TOLD)
    assert connection.foreign and connection.sight.state is EdgeState.UP
    refused = connected()
    assert refused.sight.state is EdgeState.REFUSED
    assert "cannot measure the link: state its bandwidth" in refused.sight.problem


def test_what_was_known_of_a_lost_edge_is_not_said_of_the_next(connected, link, until):
    ours = link.methods
    link.mend(foreign(ours))
    connection = connected(**TOLD)
    assert connection.foreign
    link.cut()
    assert until(lambda: connection.sight.state is EdgeState.LOST)
    assert not connection.foreign and not connection.sight.foreign
    link.mend(ours)
    assert until(lambda: connection.sight.state is EdgeState.UP)
    assert not connection.foreign


def test_whoever_answers_in_another_protocol_is_quoted(connected, link):
    link.first_words = lambda timeout: "SSH-2.0"
    link.cut()
    sight = connected(**TOLD).sight
    assert sight.state is EdgeState.REFUSED and "speaks another protocol: 'SSH-2.0'" in sight.problem


def test_an_edge_that_was_there_before_is_not_taken_for_a_stranger(connected, link, until):
    asked = []
    link.first_words = asked.append
    connection = connected(**TOLD)
    link.cut()
    assert until(lambda: connection.sight.state is EdgeState.LOST)
    link.calls.clear()
    assert until(lambda: m.SERVER_METADATA in link.calls)  # it is tried again
    assert asked == []


def test_closing_ends_an_attempt_under_way_and_begins_no_other(model, link, clock):
    renewed = []
    link.renew = lambda: renewed.append(clock.now())
    link.hold(m.SERVER_METADATA)
    connection = Connection(EdgeClient(link), model, LinkFollower(**TOLD), clock)
    connection.start(Planless())
    clock.sleep(0.1)
    connection.close()
    assert renewed == [] and connection.sight.state is EdgeState.CONNECTING


def test_a_channel_that_was_renewed_while_it_was_closed_is_closed_as_well(model, link, clock):
    connection = Connection(EdgeClient(link), model, LinkFollower(**TOLD), clock)
    connection.start(Planless())
    connection.wait_settled(WITHIN)
    close = link.close

    def close_and_find_it_renewed():
        link.close = close
        close()
        link.mend()

    link.close = close_and_find_it_renewed
    connection.close()
    assert "cut" in repr(link)


def test_who_waits_for_the_edge_is_told_when_the_connection_is_closed(model, link, clock):
    link.hold(m.SERVER_METADATA)
    connection = Connection(EdgeClient(link), model, LinkFollower(**TOLD), clock)
    connection.start(Planless())
    outcome = []
    waiting = clock.thread(lambda: outcome.append((connection.wait_settled(60.0), clock.now())), "test")
    began_at = clock.now()
    waiting.start()
    clock.sleep(0.2)
    connection.close()
    waiting.join()
    ((up, at),) = outcome
    assert not up and at - began_at < 1.0


def test_a_connection_that_was_never_started_can_be_closed(model, link, clock):
    connection = Connection(EdgeClient(link), model, LinkFollower(**TOLD), clock)
    connection.close()
    with pytest.raises(EdgentError):
        connection.ask(b"", 1.0)
