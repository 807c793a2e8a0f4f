from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

import real_time
from edgent.errors import EdgentError, InputError
from edgent.lab.links.link import ShapedLink
from edgent.lab.links.shaping import wire_bytes
from edgent.units import BitsPerSecond, Seconds

FAST = BitsPerSecond(1e9)
LONG = 30.0  # seconds: only ever waited for when something is broken


class Echo:
    """An edge that sends everything back, and remembers how its connections ended."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.ended: list[str] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
                self.ended.append("end")
            except ConnectionError:
                self.ended.append("reset")

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(LONG)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def link(echo: Echo) -> Iterator[ShapedLink]:
    with ShapedLink(echo.address, uplink=FAST) as link:
        yield link


def connect(link: ShapedLink) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), LONG)


def received(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


def answered(sock: socket.socket, message: bytes) -> float:
    """Seconds until the message has come back."""
    started_at = time.monotonic()
    sender = threading.Thread(target=sock.sendall, args=(message,))
    sender.start()
    assert received(sock, len(message)) == message
    sender.join()
    return time.monotonic() - started_at


def silent(sock: socket.socket, seconds: float = 0.2) -> bool:
    sock.settimeout(seconds)
    try:
        return not sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(LONG)


def test_bytes_come_through_unchanged_both_ways(link: ShapedLink) -> None:
    with connect(link) as sock:
        answered(sock, bytes(range(256)) * 4000)


def test_where_it_corrupts_every_segment_as_many_bytes_come_through_and_not_the_same(link: ShapedLink) -> None:
    data, came = bytes(range(256)) * 40, bytearray()
    link.set(corrupted=1.0)
    with connect(link) as sock:
        sock.sendall(data)
        while len(came) < len(data):
            came += sock.recv(1 << 16)
    assert len(came) == len(data)
    assert came != data
    link.set(corrupted=0.0)
    with connect(link) as sock:
        answered(sock, data)
    with pytest.raises(InputError, match="is not a share of segments"):
        link.set(corrupted=1.5)


def test_where_it_drops_segments_what_follows_them_comes_through(link: ShapedLink) -> None:
    data, came = bytes(range(256)) * 400, bytearray()
    link.set(dropped=0.2)
    with connect(link) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while part := sock.recv(1 << 16):
            came += part
    assert 0 < len(came) < len(data)
    link.set(dropped=0.0)
    with connect(link) as sock:
        answered(sock, data)
    with pytest.raises(InputError, match=r"^dropped -0.1 is not a share of segments"):
        link.set(dropped=-0.1)


def test_no_byte_is_faster_than_the_link(echo: Echo) -> None:
    message = bytes(20_000)
    with ShapedLink(echo.address, uplink=BitsPerSecond(2e6), downlink=FAST, round_trip=Seconds(0.05)) as link:
        with connect(link) as sock:
            assert answered(sock, message) >= wire_bytes(20_000) * 8 / 2e6 + 0.05
        link.set(downlink=BitsPerSecond(1e6), uplink=FAST, round_trip=Seconds(0.0))
        with connect(link) as sock:
            assert answered(sock, message) >= wire_bytes(20_000) * 8 / 1e6


def test_a_long_way_does_not_lower_the_rate(echo: Echo) -> None:
    with (
        ShapedLink(echo.address, uplink=BitsPerSecond(4e6), downlink=FAST, round_trip=Seconds(0.4)) as link,
        connect(link) as sock,
    ):
        ideal = wire_bytes(200_000) * 8 / 4e6 + 0.4
        took = [answered(sock, bytes(200_000))]
        while took[-1] >= 3 * ideal and len(took) < 9:  # one window for each trip would take 9 of it, however often
            took.append(answered(sock, bytes(200_000)))
        assert ideal <= took[-1] < 3 * ideal


def test_two_connections_share_one_rate(echo: Echo) -> None:
    with (
        ShapedLink(echo.address, uplink=BitsPerSecond(2e6), downlink=FAST) as link,
        connect(link) as one,
        connect(link) as two,
    ):
        started_at = time.monotonic()
        for sock in (one, two):
            sock.sendall(bytes(20_000))
        for sock in (one, two):
            received(sock, 20_000)
        assert time.monotonic() - started_at >= 2 * wire_bytes(20_000) * 8 / 2e6


def test_a_change_works_on_bytes_that_are_under_way(echo: Echo) -> None:
    with ShapedLink(echo.address, uplink=BitsPerSecond(1e3)) as link, connect(link) as sock:
        sock.sendall(bytes(4000))  # half a minute
        assert silent(sock)
        link.set(uplink=FAST, downlink=FAST)
        assert received(sock, 4000) == bytes(4000)


def test_a_sender_feels_the_rate(echo: Echo) -> None:
    with ShapedLink(echo.address, uplink=BitsPerSecond(1e3)) as link, connect(link) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.sendall(bytes(4_000_000))


def test_a_cut_stops_every_byte_and_what_was_under_way_goes_on_afterwards(echo: Echo) -> None:
    with ShapedLink(echo.address, uplink=FAST) as link, connect(link) as sock:
        answered(sock, b"ready")
        link.set(uplink=BitsPerSecond(1e3))
        sock.sendall(bytes(10_000))  # more than a minute: whenever it is cut, they are under way
        link.cut()
        link.set(uplink=FAST)
        before = link.counts().up_wire_bytes
        assert silent(sock)
        assert link.counts().up_wire_bytes == before
        link.restore()
        assert received(sock, 10_000) == bytes(10_000)


def test_in_a_cut_new_connections_hang_until_it_ends(link: ShapedLink) -> None:
    link.cut()
    with connect(link) as sock:
        sock.sendall(b"hello")
        assert silent(sock)
        link.restore()
        assert received(sock, 5) == b"hello"


def test_a_refusing_cut_resets_connections_and_refuses_new_ones_on_a_port_it_keeps(
    echo: Echo, link: ShapedLink
) -> None:
    with connect(link) as sock:
        answered(sock, b"ready")
        link.cut(refuse=True)
        with pytest.raises(ConnectionError):
            sock.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connect(link)
    link.restore()
    with connect(link) as sock:
        answered(sock, b"again")
    assert real_time.until(lambda: "reset" in echo.ended)


def test_a_cut_may_turn_into_a_refusing_one_and_both_end_at_once(link: ShapedLink) -> None:
    link.cut()
    link.cut(refuse=True)
    link.restore()
    link.restore()
    with connect(link) as sock:
        answered(sock, b"again")


def test_the_end_of_one_direction_arrives_after_its_bytes_and_the_other_stays_open(link: ShapedLink) -> None:
    with connect(link) as sock:
        sock.sendall(bytes(50_000))
        sock.shutdown(socket.SHUT_WR)
        assert len(received(sock, 60_000)) == 50_000  # then the echo's own end


def test_a_target_that_is_not_there_resets_the_connection() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with ShapedLink(address, uplink=FAST) as link, pytest.raises(ConnectionError), connect(link) as sock:
            sock.recv(1)


def test_it_counts_payload_and_packet_headers(link: ShapedLink) -> None:
    with connect(link) as sock:
        answered(sock, bytes(1000))
        answered(sock, bytes(1000))
        counts = link.counts()
    assert (counts.up_bytes, counts.down_bytes, counts.connections) == (2000, 2000, 1)
    assert counts.up_wire_bytes >= 2000 + 2 * 66


def test_after_the_stop_nobody_listens_and_orders_fail(echo: Echo) -> None:
    with ShapedLink(echo.address, uplink=FAST) as link:
        pass
    with pytest.raises(ConnectionRefusedError):
        connect(link)
    with pytest.raises(EdgentError, match="not running"):
        link.cut()
    link.stop()


def test_a_port_that_is_taken_is_said_in_one_line(echo: Echo) -> None:
    port = int(echo.address.rpartition(":")[2])
    with pytest.raises(EdgentError, match="in use"):
        ShapedLink(echo.address, uplink=FAST, port=port).start()


@pytest.mark.parametrize("target", ["", "somewhere", "host:", "host:x", ":80"])
def test_a_target_that_cannot_be_is_refused(target: str) -> None:
    with pytest.raises(InputError, match="host:port"):
        ShapedLink(target, uplink=FAST)


def test_rates_and_delays_that_cannot_be_are_refused_before_and_while_running(link: ShapedLink) -> None:
    with pytest.raises(InputError, match="rate"):
        ShapedLink("127.0.0.1:1", uplink=BitsPerSecond(0.0))
    with pytest.raises(InputError, match="rate"):
        link.set(downlink=BitsPerSecond(float("nan")))
    with pytest.raises(InputError, match="delay"):
        link.set(round_trip=Seconds(-1.0))
    with connect(link) as sock:
        answered(sock, b"unharmed")
