"""A connection and who plans by it: built in one order, and alive whatever a reply throws."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from device.background import spoil
from edgent.codec import encode_image
from edgent.device.connection.connection import Connection
from edgent.device.connection.handshake import EdgeFacts
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.sight import EdgeState, Sight
from edgent.device.drift import AS_PROFILED
from edgent.device.failures import Reason
from edgent.errors import EdgeError, RefusedError
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond, Seconds
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient

EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
WITHIN = 20.0  # seconds of the test's clock


@pytest.fixture(scope="module")
def image():
    return encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


class Listener:
    """Plans nothing, and keeps what it was told."""

    def __init__(self, refusal: RefusedError | None = None) -> None:
        self.refusal = refusal
        self.came: list[tuple[EdgeFacts, Sight]] = []
        self.asked: list[Sight] = []

    def factors(self):
        return AS_PROFILED

    def edge_up(self, facts, sight):
        self.came.append((facts, sight))
        if self.refusal is not None:
            raise self.refusal

    def decisive(self, sight, *, unlikely=False):
        self.asked.append(sight)
        return BitsPerSecond(1e6)

    def trial(self):
        return None

    def tried(self, trial, seconds):
        return True


@pytest.fixture
def connected(model, link, clock):
    """Connections over the link, closed at the end of the test."""
    connections = []

    def connect(plans, **told):
        connection = Connection(EdgeClient(link), model, LinkFollower(**told), clock)
        connections.append(connection)
        connection.start(plans)
        return connection

    yield connect
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("method", "error"),
    [
        (m.SERVER_METADATA, ValueError("what is this")),
        (m.DESCRIBE, AttributeError("no such thing")),
        (m.PROBE, OverflowError("too large")),
        (m.PROBE, KeyError("missing")),
        (m.DESCRIBE, RuntimeError("generator raised StopIteration")),
    ],
)
def test_an_unexpected_error_of_a_first_reply_is_said_and_the_edge_is_found_once_replies_are_in_order(
    made, link, clock, until, image, caplog, method, error
):
    mend = spoil(link, method, error)
    device = made()
    with caplog.at_level(logging.ERROR, "edgent.device"):
        assert not device.wait_ready(WITHIN)
    assert any(type(error).__name__ in line for line in caplog.messages)
    assert device.infer(image).record.why == f"edge failed: {type(error).__name__}: {error}"
    mend()
    assert until(lambda: device.connected)
    assert until(lambda: device.infer(image).record.by == "edge")


@pytest.mark.parametrize("error", [ValueError("what is this"), ZeroDivisionError("of nothing"), TypeError("not so")])
def test_an_unexpected_error_of_a_later_check_loses_the_edge_until_it_answers_again(
    made, link, clock, until, image, error
):
    device = made(bandwidth=1e8, round_trip=0.001)
    assert device.wait_ready(WITHIN)
    mend = spoil(link, m.PROBE, error)
    undone = spoil(link, m.SERVER_METADATA, error)
    assert until(lambda: not device.connected)
    assert device.infer(image).record.why.startswith(f"edge failed: {type(error).__name__}")
    assert "edge failed" in repr(device)
    undone()
    mend()
    assert until(lambda: device.connected)


def test_a_channel_that_cannot_be_renewed_is_tried_again(made, link, until, image, caplog):
    plain = link.renew

    def renew():
        link.renew = plain
        raise OSError("no more files")

    link.renew = renew
    mend = spoil(link, m.SERVER_METADATA, ValueError("odd"))
    device = made()
    assert not device.wait_ready(WITHIN)
    assert any("cannot be made anew: OSError: no more files" in line for line in caplog.messages)
    mend()
    assert until(lambda: device.connected)


def test_a_request_whose_reply_throws_leaves_the_connection_looked_after(connected, link, clock, until):
    connection = connected(Listener(), bandwidth=1e6)
    assert connection.wait_settled(WITHIN)
    mend = spoil(link, m.MODEL_INFER, ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        connection.ask(b"", 1.0)
    mend()
    checks = link.calls.count(m.PROBE)
    assert until(lambda: link.calls.count(m.PROBE) > checks)


def test_an_edge_that_plans_nobody_can_make_for_is_refused(connected):
    connection = connected(Listener(RefusedError("no map for it")), bandwidth=1e6)
    assert not connection.wait_settled(WITHIN)
    assert (connection.sight.state, connection.sight.problem) == (EdgeState.REFUSED, "edge refused: no map for it")
    assert str(connection.sight.refusal) == "no map for it"


def test_who_plans_is_told_of_the_edge_before_a_request_finds_it_up(connected, clock):
    plans = Listener()
    connection = connected(plans, bandwidth=1e6)
    assert connection.wait_settled(WITHIN)
    ((facts, sight),) = plans.came
    assert facts.profile is not None
    assert sight.state is EdgeState.CONNECTING
    assert sight.conditions.uplink.bandwidth == 1e6
    assert connection.sight.state is EdgeState.UP


def test_each_transfer_is_shown_once_to_whoever_looks_at_the_edge_next(connected, link, clock):
    link.bandwidth = 1e7
    plans = Listener()
    connection = connected(plans)
    assert connection.wait_settled(WITHIN)
    ((_, first),) = plans.came
    assert {transfer.direction for transfer in first.transfers} == {"up", "down"}
    assert connection.requested(clock.now(), AS_PROFILED).transfers == ()
    link.bandwidth = 1e6
    with pytest.raises(EdgeError):
        connection.ask(bytes(100_000), 0.2)  # given up after so long, which is word of the link as well
    clock.sleep(0.5)  # until the check behind it is back
    seen = [*plans.asked, connection.requested(clock.now(), AS_PROFILED)]
    given_up = [transfer for sight in seen for transfer in sight.transfers if transfer.cut]
    assert [(transfer.direction, transfer.size) for transfer in given_up] == [("up", 100_000)]
    assert connection.requested(clock.now(), AS_PROFILED).transfers == ()


def test_nobody_looking_for_long_keeps_no_more_than_the_last_transfers(connected, link, clock):
    connection = connected(Listener())
    assert connection.wait_settled(WITHIN)
    for _ in range(100):
        with pytest.raises(EdgeError):
            connection.ask(bytes(10), -1.0)
    assert len(connection.requested(clock.now(), AS_PROFILED).transfers) <= 64


def test_a_request_that_finds_no_edge_is_shown_no_link(connected, link, clock):
    link.cut()
    connection = connected(Listener(), bandwidth=1e6)
    assert not connection.wait_settled(WITHIN)
    seen = connection.requested(clock.now(), AS_PROFILED)
    assert (seen.state, seen.conditions, seen.problem) == (EdgeState.NOT_THERE, None, "edge not there")


def test_every_state_but_that_of_an_edge_and_that_of_none_has_a_reason_of_its_own():
    reasons = {state: state.reason for state in EdgeState}
    assert {state for state, reason in reasons.items() if not reason} == {EdgeState.UP, EdgeState.NO_EDGE}
    others = [reason for reason in reasons.values() if reason]
    assert len(set(others)) == len(others)


def test_what_people_read_has_what_was_said_about_it():
    refused = Sight(at=Seconds(0.0), state=EdgeState.REFUSED, detail="it serves other models")
    assert refused.problem == "edge refused: it serves other models"
    assert Sight(at=Seconds(0.0), state=EdgeState.LOST).problem == Reason.LOST.value == "edge lost"
    assert Sight(at=Seconds(0.0)).problem == ""
