"""What is not an edge, and an edge that goes and comes back, over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.errors import EdgeError, RefusedError
from edgent.planning.plan import Configuration
from edgent.wire import messages as m
from edgent.wire.errors import BrokenError, BusyError, LateError, NotServedError, RejectedError
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.serving.grpc_server import GrpcServer
from edgent.wire.transport import Unary
from ports import listening, reserved_port
from real_time import until

MAX = 1 << 20
WITHIN = 60.0  # seconds: only ever waited for when something is broken
EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")


def talk_http(peer):
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def talk_banner(peer):
    peer.sendall(b"220 mail.example.org ESMTP\r\n")
    peer.recv(4096)


@pytest.mark.parametrize(("talk", "words"), [(talk_http, "HTTP/1.1 400"), (talk_banner, "220 mail")])
def test_a_server_of_another_protocol_is_refused_in_one_line_with_its_own_words(model, slow, talk, words):
    with listening(talk) as address, Device(model, edge=address, deadline=0.3, device_profile=slow) as device:
        with pytest.raises(RefusedError, match=f"another protocol.*{words}") as caught:
            until(lambda: device.wait_ready(WITHIN))
        assert "\n" not in str(caught.value)


def test_an_edge_is_no_stranger(channel):
    assert channel.first_words(WITHIN) is None


def talk_nothing(peer):
    peer.recv(4096)


def talk_alert(peer):
    peer.recv(4096)
    peer.sendall(bytes([21, 3, 1, 0, 2, 2, 22]))  # RFC 8446, section 6: fatal, record_overflow


def talk_reset(peer):
    # Closed with words unread, which TCP answers with a reset (RFC 2525, section 2.17).
    peer.recv(1)


@pytest.mark.parametrize("talk", [talk_nothing, talk_alert, talk_reset])
def test_who_hangs_up_on_plain_text_may_speak_tls(talk):
    with listening(talk) as address:
        channel = GrpcChannel(address, max_message=MAX)
        with pytest.raises(BrokenError, match="does it speak TLS") as caught:
            channel.first_words(WITHIN)
        channel.close()
    assert "\n" not in str(caught.value)


@pytest.fixture
def port() -> Iterator[int]:
    """One where nobody listens, until the test does."""
    with reserved_port() as port:
        yield port


def test_nobody_there_is_no_refusal(port):
    channel = GrpcChannel(f"127.0.0.1:{port}", max_message=MAX)
    with pytest.raises(EdgeError, match="cannot be reached"):
        channel.call(m.SERVER_LIVE, b"", WITHIN)
    assert channel.first_words(1.0) is None
    channel.close()
    with pytest.raises(EdgeError):
        channel.call(m.SERVER_LIVE, b"", WITHIN)


def test_a_device_without_its_edge_answers_and_finds_it_when_it_starts_and_starts_again(model, slow, fast, port):
    """Told what to run, so that nothing hangs on how fast this machine is."""
    image = encode_image("png", np.zeros((32, 32, 3), np.uint8))
    with Device(model, edge=f"127.0.0.1:{port}", deadline=WITHIN, device_profile=slow, bandwidth=1e8) as device:

        def asked():
            return device.infer(image, configuration=EDGE_ONLY).record

        assert not device.wait_ready(WITHIN)
        assert (asked().by, asked().why) == ("device", "edge not there")
        for _ in range(2):  # found, gone, found again
            with Edge(model, port=port, profiles=[fast]):
                assert until(lambda: asked().by == "edge")
            assert (asked().by, asked().why) == ("device", "edge lost")


def test_a_message_larger_than_agreed_is_refused_and_not_taken_for_a_dead_edge(channel):
    with pytest.raises(RejectedError, match=r"more than the [\d,]+ of a message"):
        channel.call(m.PROBE, m.ProbeRequest(load=bytes(channel.max_message)).SerializeToString(), WITHIN)
    channel.call(m.SERVER_LIVE, b"", WITHIN)


def test_closing_a_channel_ends_the_call_that_waits_on_it():
    called = threading.Event()

    def silent(peer):
        peer.recv(4096)
        called.set()
        peer.recv(4096)

    with listening(silent) as address:
        channel = GrpcChannel(address, max_message=MAX)
        failed = []

        def call():
            try:
                channel.call(m.SERVER_LIVE, b"", WITHIN)
            except EdgeError as error:
                failed.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert called.wait(WITHIN)
        channel.close()
        thread.join(WITHIN)
        assert failed
        assert not thread.is_alive()


def test_a_renewed_channel_does_not_wait_for_what_the_old_one_waits_for(edge):
    talking = threading.Event()

    def silent(peer):
        talking.set()
        peer.recv(4096)
        peer.recv(4096)

    with listening(silent) as address:
        channel = GrpcChannel(address, max_message=MAX)

        def waits_in_vain():
            with pytest.raises(EdgeError):
                channel.call(m.SERVER_LIVE, b"", 0.2)
            return talking.is_set()  # on a full machine the time may be over before gRPC has connected

        assert until(waits_in_vain)
        channel.target = edge.address
        channel.renew()
        assert channel.call(m.SERVER_LIVE, b"", WITHIN).body
        channel.close()


def answer_in_time(channel, method, timeout):
    try:
        return channel.call(method, b"", timeout).body
    except LateError:  # on a busy machine
        return None


def test_grpc_is_asked_to_end_a_call_before_its_time_is_over_since_it_ends_late():
    method = "/edgent.test/Remaining"
    answers = {method: Unary(answer=lambda message, call: repr(float(call.time_remaining())).encode())}
    served = GrpcServer(answers, host="127.0.0.1", port=0, max_message=MAX)
    served.start()
    channel = GrpcChannel(served.address, max_message=MAX)
    try:
        # From a second on gRPC tells the time that is left no nearer than in steps of 10 ms.
        told = []
        assert until(lambda: told.append(answer_in_time(channel, method, 0.9)) or told[-1])
        assert 0 < float(told[-1]) < 0.899
    finally:
        channel.close()
        served.stop()


@pytest.mark.parametrize("kind", [NotServedError, RejectedError, RefusedError, LateError, BusyError])
def test_what_an_edge_says_arrives_as_the_kind_that_it_was(kind):
    """A request that was rejected, taken for a refusal of the whole edge, would cost the device its connection."""
    method = "/edgent.test/Failing"

    def fail(message, call):
        raise kind("said there")

    served = GrpcServer({method: Unary(answer=fail)}, host="127.0.0.1", port=0, max_message=MAX)
    served.start()
    channel = GrpcChannel(served.address, max_message=MAX)
    try:
        with pytest.raises(kind, match="said there") as caught:
            channel.call(method, b"", WITHIN)
        assert type(caught.value) is kind
    finally:
        channel.close()
        served.stop()


@pytest.mark.parametrize("load", [None, 0.25])
def test_a_busy_edge_says_how_long_a_request_would_wait(load):
    method = "/edgent.test/Busy"

    def refuse(message, call):
        raise BusyError("said there", load=load)

    served = GrpcServer({method: Unary(answer=refuse)}, host="127.0.0.1", port=0, max_message=MAX)
    served.start()
    channel = GrpcChannel(served.address, max_message=MAX)
    try:
        with pytest.raises(BusyError, match="said there") as caught:
            channel.call(method, b"", WITHIN)
        assert caught.value.load == load
    finally:
        channel.close()
        served.stop()
