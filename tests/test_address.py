from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.address import Address
from edgent.errors import InputError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8001", "127.0.0.1", 8001),
        ("localhost:1", "localhost", 1),
        ("edge-1.my_lab.local:65535", "edge-1.my_lab.local", 65535),
        ("edge.local.:8001", "edge.local.", 8001),
        ("[::1]:8001", "::1", 8001),
        ("[fe80::1%eth0]:8001", "fe80::1%eth0", 8001),
        ("[::ffff:192.0.2.7]:8001", "::ffff:192.0.2.7", 8001),
    ],
)
def test_an_address_is_a_host_and_a_port_and_reads_back(text: str, host: str, port: int) -> None:
    found = Address.parse(text)
    assert (found.host, found.port, str(found)) == (host, port, text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://localhost:8001", "found a URL"),
        ("https://192.0.2.7:8001/v2", "found a URL"),
        ("dns:///localhost:8001", "found a URL"),
        ("unix:/run/edge", "found a URL"),
        ("unix:80", "found a URL"),
        ("ipv4:127.0.0.1:80", "found a URL"),
        ("::1", "found an IPv6 address without brackets"),
        ("::1:8001", "found an IPv6 address without brackets"),
        ("2001:db8::7", "found an IPv6 address without brackets"),
        ("fe80::1%eth0:8001", "found an IPv6 address without brackets"),
        ("[::1]", "found no port"),
        ("localhost", "found no port"),
        ("", "found no port"),
        (":8001", "found no host"),
        ("[]:8001", "found the host '[]'"),
        ("[::1:8001", "found the host '[::1'"),
        ("[localhost]:8001", "found the host '[localhost]'"),
        ("host name:80", "found the host 'host name'"),
        (" localhost:80", "found the host ' localhost'"),
        ("user@host:80", "found the host 'user@host'"),
        ("-h:80", "found the host '-h'"),
        ("a..b:80", "found the host 'a..b'"),
        ("h\u00e9te:80", "found the host"),
        ("h\x1b[31m:80", "found the host"),
        ("256.0.0.1:80", "found the host '256.0.0.1'"),
        ("1.2.3:80", "found the host '1.2.3'"),
        ("8001:8001", "found the host '8001'"),
        ("h" * 300 + ":80", "found the host"),
        ("localhost:", "found the port ''"),
        ("localhost:0", "found the port '0'"),
        ("localhost:00", "found the port '00'"),
        ("localhost:65536", "expected 0 to 65535"),
        ("localhost:-1", "found the port '-1'"),
        ("localhost:+80", "found the port '+80'"),
        ("localhost:80 ", "found the port '80 '"),
        ("localhost:http", "found the port 'http'"),
        ("localhost:\uff18\uff10", "found the port"),
        ("localhost:" + "9" * 5000, "found the port"),
    ],
)
def test_what_is_no_address_is_refused_in_one_line_that_says_what_was_found(text: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        Address.parse(text, "--edge")
    message = str(caught.value)
    assert message.startswith("--edge ") and found in message and "expected HOST:PORT" in message
    assert len(message.splitlines()) == 1 and len(message) < 300


@pytest.mark.parametrize("host", ["::", "::1", "[::]", "[::1]", "0.0.0.0", "localhost"])
def test_a_host_to_listen_on_may_have_brackets_or_none_and_any_port(host: str) -> None:
    found = Address(host=host, port=0)
    assert found.host == host.strip("[]")
    assert str(found) in (f"{host}:0", f"[{host}]:0")


@pytest.mark.parametrize(
    ("host", "port"),
    [("", 80), ("http://localhost", 80), ("localhost:80", 80), ("unix", 0), ("::1", -1), ("::1", 65536), ("a b", 1)],
)
def test_a_host_or_port_that_cannot_be_is_refused(host: str, port: int) -> None:
    with pytest.raises(InputError):
        Address(host=host, port=port)


@given(address=st.ip_addresses(), port=st.integers(1, 65535))
def test_every_ip_address_reads_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> None:
    text = str(Address(host=str(address), port=port))
    assert Address.parse(text) == Address(host=str(address), port=port)


@given(text=st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = Address.parse(text)
    except InputError:
        return
    host, _, port = text.rpartition(":")
    assert (found.host, found.port) == (host.strip("[]"), int(port))
