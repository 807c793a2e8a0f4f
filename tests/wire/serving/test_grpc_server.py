"""A server whose callers take what they can, and one that stops, over real sockets; the callers are plain gRPC."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from edgent.errors import EdgeError
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.serving.grpc_server import GrpcServer, ServerLimits
from edgent.wire.transport import Streaming, Unary
from real_time import until

WITHIN = 60.0  # seconds: only ever waited for when something is broken
ENDLESS = "/edgent.test/Endless"
GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class Desk:
    """A method that waits until it may go on, and methods that do not."""

    def __init__(self):
        self.go, self.came = threading.Event(), threading.Event()

    def wait(self, message, call):
        self.came.set()
        assert self.go.wait(WITHIN)
        return message[::-1]

    def endless(self, message, call):
        self.came.set()
        while not call.given_up():
            yield bytes(1 << 16)

    def methods(self):
        at_once = Unary(answer=lambda message, call: b"yes")
        return {
            m.SERVER_LIVE: at_once,
            m.SERVER_READY: at_once,
            m.HEALTH: at_once,
            m.MODEL_INFER: Unary(answer=self.wait),
            m.PROBE: Unary(answer=self.wait),
            ENDLESS: Streaming(answer=self.endless),
        }


@pytest.fixture
def desk():
    desk = Desk()
    yield desk
    desk.go.set()


@contextlib.contextmanager
def serving(desk, **limits):
    server = GrpcServer(desk.methods(), host="127.0.0.1", port=0, max_message=1 << 20, limits=ServerLimits(**limits))
    server.start()
    try:
        yield server
    finally:
        desk.go.set()
        server.stop()


@contextlib.contextmanager
def plain(server):
    with grpc.insecure_channel(server.address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        yield channel


def never(event):
    """A message that does not come, until an event."""
    event.wait(WITHIN)
    yield b""


def code_of(call):
    try:
        call.result(WITHIN)
    except grpc.RpcError:
        return call.code()
    return grpc.StatusCode.OK


def begins(channel):
    answers = channel.unary_stream(ENDLESS)(b"", timeout=WITHIN)
    try:
        return bool(next(answers))
    except grpc.RpcError:
        return False
    finally:
        answers.cancel()


def is_live(channel):
    return channel.unary_unary(m.SERVER_LIVE)(b"", timeout=WITHIN) == b"yes"


def beginnings(channel, method, count, event):
    return [channel.stream_stream(method)(never(event)) for _ in range(count)]


@pytest.mark.parametrize("method", [m.MODEL_INFER, m.EXCHANGE, m.HEALTH, m.PROBE])
def test_whether_it_lives_is_answered_while_all_threads_wait_for_messages_that_do_not_come(desk, method):
    event = threading.Event()
    with serving(desk, calls=2, streams=2, checks=2) as server, plain(server) as channel:
        calls = beginnings(channel, method, 8, event)
        # Six find no place and are told so at once; who waits is not in their way.
        assert until(lambda: sum(call.done() for call in calls) == 6)
        assert {call.code() for call in calls if call.done()} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert is_live(channel)
        event.set()


def test_calls_that_take_all_their_threads_leave_those_of_other_kinds(desk):
    with serving(desk, calls=1) as server, plain(server) as channel:
        busy = channel.unary_unary(m.MODEL_INFER).future(b"abc")
        assert desk.came.wait(WITHIN)
        assert code_of(channel.unary_unary(m.PROBE).future(b"")) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert channel.unary_unary(m.HEALTH)(b"", timeout=WITHIN) == b"yes"
        assert next(channel.unary_stream(ENDLESS)(b""))
        desk.go.set()
        assert busy.result(WITHIN) == b"cba"


def test_an_endless_answer_that_nobody_reads_takes_a_fetch_and_nothing_else(desk):
    with serving(desk, fetches=1) as server, plain(server) as channel, plain(server) as other:
        unread = channel.unary_stream(ENDLESS)(b"")
        next(unread)
        assert not begins(other)
        unread.cancel()
        assert until(lambda: begins(other))


def test_a_file_that_nobody_takes_is_held_out_to_him_for_a_time_and_then_its_place_is_free(desk):
    with serving(desk, fetches=1, piece=0.05) as server, plain(server) as channel, plain(server) as other:
        _unread = channel.unary_stream(ENDLESS)(b"")
        assert desk.came.wait(WITHIN)
        assert until(lambda: begins(other))


def test_a_message_that_does_not_come_in_its_time_is_not_waited_for(desk):
    event = threading.Event()
    with serving(desk, calls=1, upload=0.05) as server, plain(server) as channel:
        (call,) = beginnings(channel, m.MODEL_INFER, 1, event)
        assert until(call.done)
        assert call.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
        desk.go.set()
        assert until(lambda: code_of(channel.unary_unary(m.MODEL_INFER).future(b"")) is grpc.StatusCode.OK)
        event.set()


def test_what_is_in_hand_is_answered_and_what_comes_is_refused_as_stopping(desk):
    with serving(desk) as server, ThreadPoolExecutor(3) as pool:
        channels = [GrpcChannel(server.address, max_message=1 << 20) for _ in range(3)]
        by_call = pool.submit(channels[0].call, m.MODEL_INFER, b"abc", WITHIN)
        by_exchange = pool.submit(channels[1].exchange, m.MODEL_INFER, b"def", WITHIN)
        assert desk.came.wait(WITHIN)
        assert until(lambda: server._in_hand._count == 2)
        stopping = pool.submit(server.stop, WITHIN)
        assert until(lambda: server._in_hand.stops)
        for ask in (channels[2].call, channels[2].exchange):
            with pytest.raises(EdgeError, match=r"stopping|cannot be reached"):
                ask(m.MODEL_INFER, b"ghi", WITHIN)
        assert not stopping.done()
        desk.go.set()
        assert by_call.result(WITHIN).body == b"cba"
        assert by_exchange.result(WITHIN).body == b"fed"
        stopping.result(WITHIN)  # at once, though the stream of the exchange is still open
        for channel in channels:
            channel.close()


def test_a_stop_waits_no_longer_than_it_is_told(desk):
    with serving(desk) as server, plain(server) as channel:
        held = channel.unary_unary(m.MODEL_INFER).future(b"")
        assert desk.came.wait(WITHIN)
        server.stop(0.3)
        assert code_of(held) in GONE
