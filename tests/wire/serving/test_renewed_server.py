"""A server that shows another certificate while it is asked, over real sockets."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from edgent.address import Address
from edgent.errors import EdgeError
from edgent.identity.certificates import Authority, new_key, request_for
from edgent.identity.credentials import EDGE_NAME, Credentials
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.serving.grpc_server import GrpcServer, ServerLimits
from edgent.wire.transport import Unary
from ports import reserved_port
from real_time import until

WITHIN = 60.0  # seconds: only ever waited for when something is broken
NOW = datetime.now(UTC)
MAX = 1 << 20
RENEWALS, CALLERS = 12, 3


class Sides:
    """An authority, a device of it, and as many certificates for its edge as are asked for."""

    def __init__(self, folder):
        self.folder, self.authority = folder, Authority.create(NOW)
        key = new_key()
        certificate = self.authority.device_certificate("porch", request_for("porch", key), NOW)
        self.device = self._kept("device", certificate, key, EDGE_NAME)

    def edge(self, number):
        key = new_key()
        return self._kept(f"edge{number}", self.authority.edge_certificate(key, ["localhost"], NOW), key, "")

    def _kept(self, name, certificate, key, peer_name):
        files = {"authority": self.authority.certificate, "certificate": certificate, "key": key}
        for what, content in files.items():
            (self.folder / f"{name}.{what}").write_bytes(content)
        return Credentials(**{what: self.folder / f"{name}.{what}" for what in files}, peer_name=peer_name)


@pytest.fixture
def sides(tmp_path):
    return Sides(tmp_path)


@contextlib.contextmanager
def serving(credentials, answer=lambda body, call: body[::-1], port=0, **limits):
    methods = {m.PROBE: Unary(answer=answer), m.MODEL_INFER: Unary(answer=answer)}
    server = GrpcServer(
        methods, host="127.0.0.1", port=port, max_message=MAX, credentials=credentials, limits=ServerLimits(**limits)
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def shown_at(server, device):
    """The fingerprint of the certificate that a new connection meets."""
    context = device.client_context()
    address = Address.parse(server.address)

    def shown():
        # Who connects while the server of before goes may have been given to that one, and tries once more.
        with (
            contextlib.suppress(ConnectionError, ssl.SSLError),
            socket.create_connection((address.host, address.port), WITHIN) as plain,
            context.wrap_socket(plain, server_hostname=EDGE_NAME) as secured,
        ):
            return hashlib.sha256(secured.getpeercert(binary_form=True)).hexdigest()
        return None

    seen = []
    assert until(lambda: seen.append(shown()) or seen[-1]), f"all connections to {server.address} were ended"
    return seen[-1]


def fingerprint(credentials):
    pem = credentials.certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def test_whoever_connects_meets_the_new_one_and_nobody_who_asks_meanwhile_notices(sides):
    with serving(sides.edge(0)) as server, ThreadPoolExecutor(CALLERS) as pool:
        ends, answered = threading.Event(), dict.fromkeys(range(CALLERS), 0)

        def asks(caller, by):
            with contextlib.closing(GrpcChannel(server.address, max_message=MAX, credentials=sides.device)) as channel:
                while not ends.is_set():
                    try:
                        assert getattr(channel, by)(m.PROBE, b"abc" * 1000, WITHIN).body == b"cba" * 1000
                        answered[caller] += 1
                    except EdgeError as error:  # it was just connecting to the server that went
                        assert "cannot be reached" in str(error) or "broke" in str(error)

        asking = [pool.submit(asks, *each) for each in enumerate(("exchange", "exchange", "call"))]

        def all_are_answered():
            before = dict(answered)
            return until(lambda: all(count > before[caller] for caller, count in answered.items()))

        try:
            for number in range(1, RENEWALS + 1):
                assert all_are_answered()
                renewed = sides.edge(number)
                server.renew(renewed)
                assert shown_at(server, sides.device) == fingerprint(renewed)
            assert all_are_answered()
        finally:  # whatever went wrong: else the callers would ask for ever, beside all other tests
            ends.set()
        for asked in asking:
            asked.result(WITHIN)


def test_what_is_in_hand_is_answered(sides):
    came, go = threading.Event(), threading.Event()

    def waits(body, call):
        came.set()
        assert go.wait(WITHIN)
        return body[::-1]

    with (
        serving(sides.edge(0), waits) as server,
        ThreadPoolExecutor(1) as pool,
        contextlib.closing(GrpcChannel(server.address, max_message=MAX, credentials=sides.device)) as channel,
    ):
        asked = pool.submit(channel.exchange, m.PROBE, b"abc", WITHIN)
        assert came.wait(WITHIN)
        server.renew(sides.edge(1))
        go.set()
        assert asked.result(WITHIN).body == b"cba"


def test_a_second_edge_on_the_port_is_refused_though_the_port_is_shared(sides):
    with reserved_port() as port:
        with serving(sides.edge(0), port=port):
            for credentials in (sides.edge(1), None):
                with pytest.raises(EdgeError, match="it is taken"), serving(credentials, port=port):
                    pass
        with serving(sides.edge(2), port=port):
            pass
