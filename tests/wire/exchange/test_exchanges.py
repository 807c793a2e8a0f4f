"""Exchanges over real connections: what comes back, what breaks, and what is then called instead."""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent import futures

import grpc
import pytest

from edgent.errors import EdgeError, RefusedError
from edgent.wire import messages as m
from edgent.wire.errors import LateError
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.notes import Notes
from edgent.wire.serving.grpc_server import GrpcServer, ServerLimits
from edgent.wire.transport import Unary
from ports import listening, reserved_port
from real_time import until

MAX = 1 << 20
WITHIN = 60.0  # seconds: only ever waited for when something is broken


class Desk:
    """A method that does as it is told: answers at once, refuses, or waits until it is let go."""

    def __init__(self):
        self.came, self.go, self.given_up = threading.Event(), threading.Event(), threading.Event()
        self.calls = []

    def __call__(self, body, call):
        self.calls.append(call.time_remaining())
        call.note(Notes(queue=0.001, middle=0.002))
        if body == b"refuse":
            raise RefusedError("not this one")
        if body == b"wait":
            self.came.set()
            self.go.wait(WITHIN)
            if call.given_up():
                self.given_up.set()
        return body[::-1]


@pytest.fixture
def desk():
    with contextlib.ExitStack() as stack:
        made = Desk()
        stack.callback(made.go.set)
        yield made


def serving(desk, port=0, limits=None):
    methods = {m.PROBE: Unary(answer=desk), m.MODEL_INFER: Unary(answer=desk)}
    server = GrpcServer(methods, host="127.0.0.1", port=port, max_message=MAX, limits=limits)
    server.start()
    return server


@pytest.fixture
def server(desk):
    with reserved_port() as port:  # it may go, and come back there
        started = serving(desk, port)
        yield started
        desk.go.set()
        started.stop()


@pytest.fixture
def channel(server):
    with contextlib.closing(GrpcChannel(server.address, max_message=MAX)) as made:
        yield made


def ask(channel, body=b"abc", timeout=WITHIN):
    return channel.exchange(m.PROBE, body, timeout).body


def in_thread(work):
    """Its outcome: a future."""
    outcome = futures.Future()

    def run():
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def connection_of(channel):
    return channel._exchanges._connection


@pytest.mark.parametrize("size", [0, 1, 1_350, 1_351, 16_384, 16_385, 300_000, MAX])
def test_an_exchange_gives_what_a_call_gives(channel, size):
    body = bytes(i % 251 for i in range(size))
    exchanged, called = channel.exchange(m.PROBE, body, WITHIN), channel.call(m.PROBE, body, WITHIN)
    assert exchanged.body == called.body == body[::-1]
    assert exchanged.notes == called.notes == Notes(queue=0.001, middle=0.002)
    assert exchanged.sent_at <= exchanged.notes_at <= exchanged.body_at


def test_one_stream_carries_one_request_after_the_other(channel, desk):
    for number in range(20):
        assert ask(channel, b"%d-" % number) == b"-%b" % (b"%d" % number)[::-1]
    assert repr(connection_of(channel)._http2) == "<Http2Client, 1 streams>"
    assert len(desk.calls) == 20


def test_each_request_carries_the_budget_that_is_left(channel, desk):
    ask(channel, timeout=WITHIN)
    ask(channel, bytes(200_000), timeout=3 * WITHIN)
    assert 0 < desk.calls[0] <= WITHIN < desk.calls[1] <= 3 * WITHIN


def test_a_refusal_has_the_edge_s_words_and_the_stream_goes_on(channel):
    with pytest.raises(RefusedError, match="not this one"):
        ask(channel, b"refuse")
    assert ask(channel) == b"cba"
    assert repr(connection_of(channel)._http2) == "<Http2Client, 1 streams>"


def test_of_two_requests_the_second_may_be_answered_first(channel, desk):
    first = in_thread(lambda: ask(channel, b"wait"))
    assert desk.came.wait(WITHIN)
    second = in_thread(lambda: ask(channel, timeout=10 * WITHIN))
    assert second.result(WITHIN) == b"cba"  # told by the first, which waits on the socket for both
    desk.go.set()
    assert first.result(WITHIN) == b"tiaw"


def test_many_callers_at_once_get_each_their_own_answer(channel):
    bodies = [b"%d " % number * (1 + number % 5 * 5_000) for number in range(40)]
    with futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: ask(channel, body), bodies)) == [body[::-1] for body in bodies]


def test_a_request_whose_time_runs_out_is_given_up_at_the_edge_and_its_late_answer_is_nobody_s(channel, desk):
    def comes_and_is_given_up():
        with pytest.raises(LateError):
            ask(channel, b"wait", timeout=0.1)
        return desk.came.is_set()  # on a full machine the time may be over before anybody has looked at it

    assert until(comes_and_is_given_up)
    assert ask(channel) == b"cba"  # behind the reset on the same connection, so the edge knows of that by now
    desk.go.set()
    assert desk.given_up.wait(WITHIN)
    assert ask(channel, b"next") == b"txen"


def test_a_long_message_that_is_given_up_halfway_leaves_the_connection_usable(channel, server):
    with pytest.raises(LateError):
        ask(channel, bytes(MAX), timeout=0.0011)
    assert ask(channel) == b"cba"


def test_all_that_is_under_way_fails_at_once_when_the_edge_goes_and_goes_on_when_it_is_back(desk, server, channel):
    waiting = [in_thread(lambda: ask(channel, b"wait")) for _ in range(3)]
    assert desk.came.wait(WITHIN)
    stopping = in_thread(server.stop)
    for each in waiting:
        with pytest.raises(EdgeError):
            each.result(WITHIN)
    desk.go.set()
    stopping.result(WITHIN)
    with pytest.raises(EdgeError, match="cannot be reached"):
        ask(channel)
    again = serving(Desk(), server.port)
    try:
        channel.renew()
        assert ask(channel) == b"cba"
    finally:
        again.stop()


def test_an_edge_that_was_started_anew_between_two_requests_is_found_by_the_second(desk, server, channel):
    ask(channel)
    server.stop()
    again = serving(desk, server.port)
    try:
        assert ask(channel) == b"cba"
    finally:
        again.stop()


@pytest.mark.parametrize("end", [GrpcChannel.renew, GrpcChannel.close])
def test_giving_the_connection_up_fails_what_waits_on_it(desk, channel, end):
    waiting = in_thread(lambda: ask(channel, b"wait"))
    assert desk.came.wait(WITHIN)
    end(channel)
    with pytest.raises(EdgeError, match="given up"):
        waiting.result(WITHIN)


def test_a_closed_channel_exchanges_no_more(channel):
    ask(channel)
    channel.close()
    with pytest.raises(EdgeError, match="given up"):
        ask(channel)


def test_an_edge_with_streams_enough_is_called_and_nobody_is_turned_away(desk):
    server = serving(desk, limits=ServerLimits(streams=1))
    channels = [GrpcChannel(server.address, max_message=MAX) for _ in range(3)]
    try:
        for channel in channels:
            assert ask(channel) == ask(channel, b"abc") == b"cba"
        assert [connection_of(channel) is not None for channel in channels] == [True, False, False]
    finally:
        for channel in channels:
            channel.close()
        server.stop()


def test_an_older_edge_that_knows_no_exchanges_is_called():
    """As one that took the place of a newer one while a device was connected."""

    class Calls(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == m.PROBE:
                return grpc.unary_unary_rpc_method_handler(lambda body, _: body[::-1])
            return None

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Calls(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    channel = GrpcChannel(f"127.0.0.1:{port}", max_message=MAX)
    try:
        assert ask(channel) == ask(channel) == b"cba"
    finally:
        channel.close()
        server.stop(0).wait()


def silent(peer):
    while peer.recv(65_536):
        pass


def hangs_up(peer):
    peer.recv(64)


def web_server(peer):
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    silent(peer)


def endless(peer):
    while True:
        peer.sendall(b"\0\0\x08\x06\0\0\0\0\0pingping")


@pytest.mark.parametrize("talk", [silent, hangs_up, web_server, endless])
def test_whatever_is_no_edge_is_an_error_of_the_edge_in_one_line_and_in_time(talk):
    with listening(talk) as address, contextlib.closing(GrpcChannel(address, max_message=MAX)) as channel:
        for _ in range(2):
            with pytest.raises(EdgeError) as caught:
                ask(channel, timeout=0.2)
            assert "\n" not in str(caught.value)


def damaging(target, marker):
    """A relay that flips the last bit of a marker wherever it passes."""

    def relay(peer):
        with socket.create_connection(target) as edge:

            def pass_on(source, sink):
                with contextlib.suppress(OSError):
                    while data := source.recv(65_536):
                        sink.sendall(data.replace(marker, marker[:-1] + bytes([marker[-1] ^ 1])))
                    sink.shutdown(socket.SHUT_WR)

            up = threading.Thread(target=pass_on, args=(peer, edge), daemon=True)
            up.start()
            pass_on(edge, peer)
            up.join()

    return relay


@pytest.mark.parametrize("marker", [b"upwards", b"downwards"[::-1]])
@pytest.mark.parametrize("length", [0, 20_000])
def test_a_bit_that_flipped_on_the_way_is_never_an_answer(server, marker, length):
    body = b"upwards downwards" + bytes(length)
    host, _, port = server.address.rpartition(":")
    with (
        listening(damaging((host, int(port)), marker)) as address,
        contextlib.closing(GrpcChannel(address, max_message=MAX)) as channel,
    ):
        with pytest.raises(EdgeError, match="damaged"):
            ask(channel, body)
        assert connection_of(channel) is None  # for what follows on it is not believed either
        assert ask(channel) == b"cba"


def test_a_name_that_nobody_has_is_an_error_of_the_edge():
    with (
        contextlib.closing(GrpcChannel("no-such-host.invalid:8001", max_message=MAX)) as channel,
        pytest.raises(EdgeError, match="cannot be reached"),
    ):
        ask(channel, timeout=1.0)


def test_what_tcp_has_under_way_is_known_of_the_connection_of_exchanges(channel):
    ask(channel)
    channel.call(m.PROBE, b"", WITHIN)  # a second connection to the same edge, which would else hide it
    assert channel.window().size > 10_000
    assert channel.exchange(m.PROBE, b"", WITHIN).window.size > 10_000
