"""Where an edge can listen, and by what addresses it is reached, over real sockets."""

from __future__ import annotations

import socket

import pytest

from edgent.address import Address
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.errors import InputError
from edgent.wire import messages as m
from edgent.wire.fetch_model import fetch_model
from edgent.wire.grpc_channel import GrpcChannel

NO_EDGES = ("http://127.0.0.1:8001", "dns:///localhost:8001", "unix:/run/edge", "::1:8001", "host name:80", "localhost")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("host", ["::", "::1", "[::1]", "localhost", "127.0.0.1"])
def test_an_edge_listens_on_any_spelling_and_its_address_reaches_it(model, host):
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Edge(model, host=host, port=0) as edge:
        assert Address.parse(edge.address).host == host.strip("[]")
        channel = GrpcChannel(edge.address, max_message=1 << 20)
        try:
            assert channel.call(m.SERVER_LIVE, b"", 20.0).body
        finally:
            channel.close()


@pytest.mark.parametrize("host", ["", "http://localhost", "localhost:8001", "a b", "unix", "256.0.0.1"])
def test_a_host_that_cannot_be_is_refused_when_the_edge_is_made(model, host):
    with pytest.raises(InputError, match="found "):
        Edge(model, host=host)


def test_an_address_of_another_machine_cannot_be_listened_on(model):
    for host in ("192.0.2.7", "nohost.invalid"):
        with pytest.raises(InputError, match=rf"cannot listen on {host}:0: found no address of this machine"):
            Edge(model, host=host, port=0).start()


@pytest.mark.parametrize("edge", NO_EDGES)
def test_everything_that_takes_an_edge_refuses_what_is_no_address(model, slow, edge):
    with pytest.raises(InputError, match="expected HOST:PORT"):
        Device(model, edge=edge, deadline=0.3, device_profile=slow)
    with pytest.raises(InputError, match="expected HOST:PORT"):
        fetch_model(edge, "b-alexnet")
