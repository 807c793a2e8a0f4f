"""The page's port: taken, secured, and not to be held by those who say nothing."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import time
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dashboard.playing import PlayedDevice, event
from edgent.address import Address
from edgent.dashboard import access, door, server
from edgent.dashboard.access import access_to
from edgent.dashboard.opened import DevicePage
from edgent.errors import EdgeError, InputError
from edgent.identity.certificates import bearer_of, new_key, request_for
from edgent.identity.edge_identity import EdgeIdentity

_HOUR = timedelta(hours=1)
HERE = Address(host="127.0.0.1", port=0)


def page(access=None) -> DevicePage:
    return DevicePage(PlayedDevice(), HERE, access or access_to(HERE, None))


def port(opened: DevicePage) -> int:
    return int(opened.url.rstrip("/").rpartition(":")[2])


def get(opened: DevicePage, path: str, headers=None, context: ssl.SSLContext | None = None, posted: bytes = b""):
    kind = http.client.HTTPConnection if context is None else http.client.HTTPSConnection
    extra = {} if context is None else {"context": context}
    connection = kind("127.0.0.1", port(opened), timeout=30, **extra)
    try:
        connection.request("POST" if posted else "GET", path, posted or None, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_page_is_served_until_it_is_closed():
    with page() as opened:
        opened.tell(event(1, picture=b"a picture"))
        assert get(opened, "/picture?source=door") == (200, b"a picture")
        assert get(opened, "/metrics")[0] == 200
        status, said = get(opened, "/", {"Host": "evil.example"})
        assert status == 421 and b"localhost" in said
    with pytest.raises(OSError):
        get(opened, "/")


def test_a_page_with_a_viewer_closes_all_the_same():
    with page() as opened, socket.create_connection(("127.0.0.1", port(opened)), timeout=30) as viewer:
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in viewer.recv(100)


def test_a_port_that_is_taken_is_told_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address(host="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(EdgeError, match=r"cannot listen on 127\.0\.0\.1:\d+ for the page"):
            DevicePage(PlayedDevice(), address, access_to(address, None))


def test_who_connects_and_asks_nothing_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    with page() as opened:
        for said in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: local"):
            assert answered(opened, said) == b""


def answered(opened: DevicePage, said: bytes) -> bytes:
    """What comes back till the page hangs up, which it may have done before it was spoken to: this side may be slow."""
    heard = b""
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port(opened)), timeout=30) as stranger:
        stranger.sendall(said)
        while part := stranger.recv(1 << 20):
            heard += part
    return heard


def hung_up_on(opened: DevicePage, *parts: bytes, context: ssl.SSLContext | None = None) -> None:
    """Says one part, waits for an answer, says the next; returns when the page has hung up."""
    with socket.create_connection(("127.0.0.1", port(opened)), timeout=30) as plain:
        stranger = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        with stranger, suppress(ConnectionError):
            read = b"nothing yet"
            for part in parts:
                stranger.sendall(part)
                read = stranger.recv(1 << 20)
            while read:
                read = stranger.recv(1 << 20)


OK = b"GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
WRONG_HOST = b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"
POSTED = b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000000\r\n\r\nx"


@pytest.mark.parametrize(
    "said",
    [
        (OK,),
        (OK, b"GET / HT"),
        (OK, OK, b"G"),
        (OK + OK, b"G"),
        (POSTED % (b"/", b"localhost"), b"x"),
        (POSTED % (b"/nothing", b"localhost"), b"x"),
    ],
)
def test_who_has_asked_and_asks_nothing_more_is_hung_up_on_whatever_it_sends(monkeypatch, said):
    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 0.1)
    with page() as opened:
        hung_up_on(opened, *said)


@pytest.mark.parametrize("said", [WRONG_HOST, POSTED % (b"/predict", b"evil.example")])
def test_who_is_refused_is_hung_up_on_at_once(monkeypatch, said):
    monkeypatch.setattr(server, "_PATIENCE", 1e6)
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 0.1)
    with page() as opened:
        hung_up_on(opened, said)


@pytest.mark.parametrize("over_tls", [False, True])
@pytest.mark.parametrize(("path", "status"), [("/predict", 413), ("/nothing", 404), ("/metrics", 405)])
def test_who_sends_more_than_is_taken_and_then_closes_is_told_why(
    monkeypatch, identity, open_access, path, status, over_tls
):
    """Whoever is hung up on as it sends loses what it was answered; urllib asks for the connection to be closed."""
    monkeypatch.setattr("edgent.dashboard.predict.MOST_BYTES", 1000)
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 60.0)
    headers = {"Connection": "close", **(basic(open_access.password_file.read_text().strip()) if over_tls else {})}
    context = trusting(identity) if over_tls else None
    with page(open_access if over_tls else None) as opened:
        got, said = get(opened, path, headers, context, posted=bytes(8 << 20))
    assert (got, "error" in said.decode() or status == 404) == (status, True)


def unhindered(monkeypatch, attempt):
    """The outcome of an attempt in which this machine let nobody wait for half of the page's patience."""
    for patience in (0.2 * 2**number for number in range(8)):
        monkeypatch.setattr(server, "_PATIENCE", patience)
        outcome, longest = attempt(patience)
        if longest < patience / 2:
            return outcome
    return f"this machine let somebody wait for {longest:g} s, expected less than {patience / 2:g} s"


def test_who_goes_on_asking_is_answered_on_one_connection_however_long(monkeypatch):
    def go_on_asking(patience):
        connection, moments, is_one = http.client.HTTPConnection("127.0.0.1", port(opened)), [time.monotonic()], False
        with suppress(ConnectionError), closing(connection):
            connection.connect()
            first = connection.sock
            while moments[-1] < moments[0] + 2 * patience:
                connection.request("GET", "/page.css")
                assert connection.getresponse().read()
                moments.append(time.monotonic())
            is_one = connection.sock is first
        moments.append(time.monotonic())
        return is_one, max(after - before for before, after in pairwise(moments))

    with page() as opened:
        assert unhindered(monkeypatch, go_on_asking) is True


def test_a_viewer_is_not_hung_up_on_for_it_has_asked(monkeypatch):
    def look(patience):
        began_at, seen = time.monotonic(), b""
        with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port(opened))) as viewer:
            # The second request comes while the first is answered: putting that away must not end this.
            viewer.sendall(OK + b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while b"event: " not in seen and (part := viewer.recv(1 << 20)):
                seen += part
            longest, until = time.monotonic() - began_at, time.monotonic() + 2 * patience
            while time.monotonic() < until and (part := viewer.recv(1 << 20)):
                pass
            return bool(part), longest
        return False, time.monotonic() - began_at

    with page() as opened:
        assert unhindered(monkeypatch, look) is True


def test_who_takes_nothing_of_what_it_is_sent_is_hung_up_on_in_the_end(monkeypatch):
    """A transport that is closed waits for what it holds to be taken; whoever is no longer here has its place back."""
    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    monkeypatch.setattr("edgent.dashboard.application._SLOWEST", 0.2)
    with page() as opened, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(30)
        deaf.connect(("127.0.0.1", port(opened)))
        with pytest.raises(ConnectionError):
            for _ in range(100_000):
                deaf.sendall(b"GET /uPlot.iife.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_with_tls_who_says_nothing_is_hung_up_on_before_and_after_it_is_agreed_on(monkeypatch, identity, open_access):
    monkeypatch.setattr(server, "_PATIENCE", 0.3)
    with page(open_access) as opened:
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            assert answered(opened, said) == b""
    monkeypatch.setattr(server, "_PATIENCE", 1e6)  # to agree on it takes time of its own
    with page(open_access) as opened:
        monkeypatch.setattr(server, "_PATIENCE", 0.2)
        hung_up_on(opened, context=trusting(identity))


@pytest.mark.parametrize("over_tls", [False, True])
def test_beyond_so_many_connections_more_are_closed_and_cost_no_files(monkeypatch, identity, open_access, over_tls):
    monkeypatch.setattr(server, "_PATIENCE", 1e6)
    files, context = Path("/proc/self/fd"), trusting(identity) if over_tls else None
    evil = {"Host": "evil.example"}
    with page(open_access if over_tls else None) as opened, ExitStack() as crowd:
        assert get(opened, "/", evil, context)[0] == 421  # its thread has opened by now what it needs
        before = len(list(files.iterdir()))
        strangers = [
            crowd.enter_context(socket.create_connection(("127.0.0.1", port(opened)), timeout=30)) for _ in range(300)
        ]
        # The door closes those who came last; when the last is closed, all have been looked at.
        assert strangers[-1].recv(1) == b""
        assert len(list(files.iterdir())) - before - len(strangers) <= door.MOST_OF_HOST
        strangers[0].close()
        assert eventually(lambda: get(opened, "/", evil, context)[0]) == 421


def eventually(ask):
    """What is asked for, once the page has seen that somebody left."""
    while True:
        with suppress(OSError, http.client.HTTPException):
            return ask()


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 5000]
)
def test_what_is_no_request_harms_nobody(said, caplog, capfd):
    with page() as opened:
        answered(opened, said)
        assert get(opened, "/")[0] == 200
    assert (caplog.records, capfd.readouterr().err) == ([], "")


@pytest.fixture
def identity(tmp_path) -> EdgeIdentity:
    return EdgeIdentity.open(tmp_path / "identity", datetime.now(UTC), lambda: ("127.0.0.1", "localhost"))


@pytest.fixture
def open_access(identity):
    """As beyond this machine, at an address of it."""
    return access_to(Address(host="0.0.0.0", port=0), identity)


def trusting(identity: EdgeIdentity) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=identity.authority.certificate.decode())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"edgent:{password}".encode()).decode()}


def test_beyond_this_machine_it_takes_tls_and_the_password(identity, open_access):
    password = open_access.password_file.read_text().strip()
    assert len(password) >= 20
    assert open_access.password_file.stat().st_mode & 0o777 == 0o600
    with page(open_access) as opened:
        assert opened.url.startswith("https://")
        context = trusting(identity)
        assert get(opened, "/metrics", context=context)[0] == 401
        assert get(opened, "/metrics", basic("guessed"), context)[0] == 401
        assert get(opened, "/metrics", basic(password), context)[0] == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            get(opened, "/metrics", basic(password))  # in plain text


def test_the_password_stays_the_same_at_the_next_start(identity, open_access):
    again = access_to(Address(host="0.0.0.0", port=0), identity)
    assert again.guard.password == open_access.guard.password


@pytest.mark.parametrize("said", ["", "\n", "   \n\n", "\t", "short", "eleven char"])
def test_a_password_that_is_none_or_is_guessed_soon_opens_no_page(identity, open_access, said):
    open_access.password_file.write_text(said)
    with pytest.raises(InputError, match=r"dashboard\.password: the password has \d+ characters, expected 12 or more"):
        access_to(Address(host="0.0.0.0", port=0), identity)


def test_a_password_of_ones_own_counts(identity, open_access):
    open_access.password_file.write_text("  twelve chars\n")
    assert access_to(Address(host="0.0.0.0", port=0), identity).guard.password == "twelve chars"


def test_a_device_that_has_joined_may_look_until_it_is_removed(identity, open_access, tmp_path):
    now, key = datetime.now(UTC), new_key()
    certificate = identity.authority.device_certificate("board-7", request_for("board-7", key), now)
    identity.register.join(identity.create_token(uses=1, lifetime=_HOUR, now=now).secret, bearer_of(certificate), now)
    (tmp_path / "device.pem").write_bytes(certificate)
    (tmp_path / "device.key").write_bytes(key)
    context = trusting(identity)
    context.load_cert_chain(tmp_path / "device.pem", tmp_path / "device.key")
    with page(open_access) as opened:
        assert get(opened, "/", context=context)[0] == 200
        identity.register.remove("board-7")
        status, said = get(opened, "/", context=context)
        assert (status, "password" in json.loads(said)["error"]) == (401, True)


def test_who_connects_is_shown_the_certificate_that_is_good_then(identity, open_access):
    with page(open_access) as opened:
        first = ssl.get_server_certificate(("127.0.0.1", port(opened)), timeout=30)
        assert ssl.get_server_certificate(("127.0.0.1", port(opened)), timeout=30) == first
        identity.credentials(datetime.now(UTC) + timedelta(days=300))  # when its third part is left, it is made anew
        assert ssl.get_server_certificate(("127.0.0.1", port(opened)), timeout=30) != first


def test_a_machine_is_asked_for_by_its_names(monkeypatch, identity):
    monkeypatch.setattr(access, "names_of_this_machine", lambda: ("localhost", "Board", "192.0.2.7", "2001:db8::7"))
    hosts = access_to(Address(host="porch.lan", port=0), identity).guard.hosts
    assert {"board", "board.local", "porch.lan", "192.0.2.7", "2001:db8::7"} <= set(hosts)
    assert "porch.lan.local" not in hosts


def test_a_certificate_of_another_authority_is_refused_by_tls(identity, open_access, tmp_path):
    other, now, key = EdgeIdentity.open(tmp_path / "other", datetime.now(UTC), tuple), datetime.now(UTC), new_key()
    (tmp_path / "d.pem").write_bytes(other.authority.device_certificate("board-7", request_for("board-7", key), now))
    (tmp_path / "d.key").write_bytes(key)
    context = trusting(identity)
    context.load_cert_chain(tmp_path / "d.pem", tmp_path / "d.key")
    with page(open_access) as opened, pytest.raises((OSError, http.client.HTTPException)):
        get(opened, "/", context=context)
