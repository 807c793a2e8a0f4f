"""The kernel's word on a connection of this process, over loopback."""

from __future__ import annotations

import socket
import sys

import pytest

from edgent.runtime.edge import Edge
from edgent.runtime.remote import RemoteEdge
from edgent.runtime.sendwindow import SendWindow
from edgent.runtime.wire import GrpcChannel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says so")


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def initial(connection: socket.socket) -> float:
    return 10.0 * connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_fresh_connection_may_send_ten_segments(listener, host):
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert SendWindow(host, port).read() == initial(connection)


def test_over_ipv6_too():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("::1", port)) as connection:
            assert SendWindow("[::1]", port).read() == initial(connection)


def test_a_window_that_was_used_is_wider(listener):
    with socket.create_connection(listener.getsockname()) as connection:
        before = SendWindow(*listener.getsockname()).read()
        peer, _ = listener.accept()
        with peer:
            for _ in range(40):
                connection.sendall(bytes(1 << 16))
                assert peer.recv(1 << 16, socket.MSG_WAITALL)
            assert SendWindow(*listener.getsockname()).read() > before


def test_without_a_connection_nothing_is_known(listener):
    assert SendWindow(*listener.getsockname()).read() is None
    assert SendWindow("no-such-host.invalid", 1).read() is None


def test_of_two_connections_to_one_peer_nobody_can_tell_which_is_meant(listener):
    window = SendWindow(*listener.getsockname())
    with socket.create_connection(listener.getsockname()):
        with socket.create_connection(listener.getsockname()):
            assert window.read() is None
        assert window.read() is not None


def test_a_connection_that_ended_tells_nothing_and_the_next_one_is_found(listener):
    window = SendWindow(*listener.getsockname())
    with socket.create_connection(listener.getsockname()):
        assert window.read() is not None
    assert window.read() is None
    with socket.create_connection(listener.getsockname()):
        assert window.read() is not None


def test_looking_neither_closes_a_file_nor_makes_it_non_blocking(listener):
    window = SendWindow(*listener.getsockname())
    with socket.create_connection(listener.getsockname()) as connection:
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
            RemoteEdge(channel).probe(0, 0, 10.0)
            assert channel.window() > 10_000
            assert RemoteEdge(channel).probe(10, 0, 10.0).window > 10_000
        finally:
            channel.close()
