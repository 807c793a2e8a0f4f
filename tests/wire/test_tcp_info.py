"""The kernel's word on a connection of this process, over loopback."""

from __future__ import annotations

import contextlib
import math
import socket
import sys

import pytest

from edgent.edge.edge import Edge
from edgent.wire import tcp_info as sendwindow
from edgent.wire.edge_client import EdgeClient
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.serving import grpc_call as wire
from edgent.wire.tcp_info import SendWindow
from real_time import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says so")


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def found(host: str, port: int) -> SendWindow:
    window = SendWindow(host, port)
    window.look()
    return window


def initial(connection: socket.socket) -> float:
    return 10.0 * connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_fresh_connection_may_send_ten_segments(listener, host):
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert found(host, port).read().size == initial(connection)


def test_over_ipv6_too():
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("::1", port)) as connection:
            assert found("[::1]", port).read().size == initial(connection)


def test_a_window_that_was_used_is_wider(listener):
    with socket.create_connection(listener.getsockname()) as connection:
        before = found(*listener.getsockname()).read()
        peer, _ = listener.accept()
        with peer:

            def is_wider() -> bool:
                for _ in range(40):
                    connection.sendall(bytes(1 << 16))
                    assert peer.recv(1 << 16, socket.MSG_WAITALL)
                return found(*listener.getsockname()).read().size > before.size

            assert until(is_wider)  # but where a full machine let it rest in between


def test_without_a_connection_nothing_is_known(listener):
    assert found(*listener.getsockname()).read() is None
    assert found("no-such-host.invalid", 1).read() is None


def test_of_two_connections_to_one_peer_nobody_can_tell_which_is_meant(listener):
    with socket.create_connection(listener.getsockname()):
        with socket.create_connection(listener.getsockname()):
            window = found(*listener.getsockname())
            assert window.read() is None
        assert window.read() is None  # nor which of them has ended
        window.look()
        assert window.read() is not None


def test_a_connection_that_ended_tells_nothing_and_the_next_one_is_found(listener):
    with socket.create_connection(listener.getsockname()):
        window = found(*listener.getsockname())
        assert window.read() is not None
    assert window.read() is None
    with socket.create_connection(listener.getsockname()):
        assert window.read() is None
        window.look()
        assert window.read() is not None


def files_searched(monkeypatch) -> list[int]:
    """A list that grows with each search through the open files."""
    searched, files = [], sendwindow._open_files
    monkeypatch.setattr(sendwindow, "_open_files", lambda: searched.append(1) or files())
    return searched


@pytest.mark.parametrize("connections", [0, 1, 2])
def test_the_open_files_are_searched_once_whatever_is_found(listener, monkeypatch, connections):
    searched = files_searched(monkeypatch)
    with contextlib.ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        window = SendWindow(*listener.getsockname())
        for _ in range(10):
            window.look()
            window.read()
        assert len(searched) == 1
        window.forget()
        window.look()
        assert len(searched) == 2


def test_where_the_platform_tells_nothing_nothing_is_searched(listener, monkeypatch):
    searched = files_searched(monkeypatch)
    monkeypatch.setattr(sys, "platform", "darwin")
    with socket.create_connection(listener.getsockname()):
        assert found(*listener.getsockname()).read() is None
    assert not searched


def test_looking_neither_closes_a_file_nor_makes_it_non_blocking(listener):
    with socket.create_connection(listener.getsockname()) as connection:
        window = found(*listener.getsockname())
        socket.setdefaulttimeout(5.0)
        try:
            assert window.read() is None
        finally:
            socket.setdefaulttimeout(None)
        assert window.read() is not None
        assert connection.getblocking() and connection.send(b"still there") == 11


def test_the_connection_that_grpc_made_is_found(model, fast):
    with Edge(model, port=0, profiles=[fast]) as edge:
        channel = GrpcChannel(edge.address, max_message=1 << 20)
        try:
            assert channel.window() is None  # it connects at the first call
            EdgeClient(channel).probe(0, 0, 60.0)
            assert channel.window().size > 10_000
            assert EdgeClient(channel).probe(10, 0, 60.0).window.size > 10_000
        finally:
            channel.close()


def test_an_edge_says_its_window_with_an_answer_of_more_than_a_packet(edge, channel):
    remote = EdgeClient(channel)
    assert remote.probe(0, 100, 60.0).edge_window is None
    told = remote.probe(0, 100_000, 60.0).edge_window
    assert told.size >= told.least > 10_000
    assert told.patience >= 0.2 and told.silence == math.inf


def test_of_two_callers_each_is_told_of_its_own_connection(edge, channel):
    def is_wider_where_it_was_used() -> bool:
        with contextlib.closing(GrpcChannel(edge.address, max_message=edge.service.max_message)) as other:
            for _ in range(20):
                EdgeClient(channel).probe(0, 400_000, 60.0)
            used, fresh = (EdgeClient(each).probe(0, 100_000, 60.0).edge_window for each in (channel, other))
            return used.size > fresh.size

    assert until(is_wider_where_it_was_used)  # but where a full machine let it rest in between


def test_a_caller_of_no_known_kind_is_told_nothing():
    assert wire._send_window("unix:/run/edge.sock").read() is None
    assert repr(wire._send_window("ipv6:%5B::1%5D:40312")) == "<SendWindow to ::1:40312>"


def test_a_connection_that_another_thread_gives_up_meanwhile_tells_nothing_and_raises_nothing(listener, monkeypatch):
    window = SendWindow(*listener.getsockname())
    with contextlib.closing(socket.create_connection(listener.getsockname())):
        window.look()
        monkeypatch.setattr(sendwindow, "_may_look", lambda: window.forget() or True)
        window.read()
    assert not window.found


class _Saying:
    """A connection whose kernel says only so many bytes of itself."""

    def __init__(self, said: int) -> None:
        self.said = said

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        return bytes(min(self.said, size))


@pytest.mark.parametrize("said", [0, 1, 60, 83])
def test_a_kernel_that_says_less_than_is_asked_says_nothing_of_the_window(said):
    assert sendwindow.window_of(_Saying(said), keeps=True) is None
