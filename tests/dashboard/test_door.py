"""Connections are counted where they are accepted, whatever they say afterwards."""

from __future__ import annotations

import gc
import socket
from contextlib import ExitStack

import pytest

from edgent.dashboard.door import Door, _network, has_room


@pytest.fixture
def stack():
    with ExitStack() as held:
        yield held


def connected(door: Door, stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(door.getsockname()[:2], timeout=30))


def door(stack: ExitStack, **bounds) -> Door:
    return stack.enter_context(Door(socket.create_server(("127.0.0.1", 0)), **bounds))


@pytest.mark.parametrize("bounds", [{"most": 3, "most_of_host": 9}, {"most": 9, "most_of_host": 3}])
def test_who_comes_beyond_the_bound_is_closed_at_once_and_who_leaves_makes_room(stack, bounds):
    opened, guests = door(stack, **bounds), []
    for _ in range(3):
        connected(opened, stack)
        guests.append(stack.enter_context(opened.accept()[0]))
    for _ in range(5):
        refused = connected(opened, stack)
        with pytest.raises(ConnectionAbortedError):
            opened.accept()
        assert refused.recv(1) == b""
    guests[1].close()
    inside = connected(opened, stack)
    stack.enter_context(opened.accept()[0]).sendall(b"in")
    assert inside.recv(2) == b"in"


def test_a_connection_that_is_forgotten_counts_no_longer(stack):
    opened = door(stack, most=1)
    connected(opened, stack)
    number = opened.accept()[0].detach()
    gc.collect()
    socket.socket(fileno=number).close()
    connected(opened, stack)
    stack.enter_context(opened.accept()[0])


def test_one_host_cannot_take_what_is_there_for_all():
    assert has_room(["a"] * 63, "a", 128, 64)
    assert not has_room(["a"] * 64, "a", 128, 64)
    assert has_room(["a"] * 64, "b", 128, 64)
    assert not has_room(["a"] * 64 + ["b"] * 64, "c", 128, 64)


def test_a_network_of_ipv6_is_one_host():
    assert _network("2001:db8::1") == _network("2001:db8::ffff:0:0:2") != _network("2001:db8:0:1::1")
    assert _network("fe80::1%eth0") == _network("fe80::2")
    assert _network("192.0.2.1") != _network("192.0.2.2")
