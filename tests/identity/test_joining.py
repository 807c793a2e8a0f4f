"""Devices join a real edge's port: the right one, once per use, and nobody stays there for long."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edgent.errors import EdgeError, RefusedError
from edgent.identity import join as joining
from edgent.identity import join_server
from edgent.identity.certificates import bearer_of, check_pair
from edgent.identity.edge_identity import EdgeIdentity
from edgent.identity.join import join, renew
from edgent.identity.join_server import JoinServer
from edgent.identity.joined import Joined, credentials_for, joined_folder
from edgent.identity.token import Token
from ports import listening, reserved_port

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def identity(tmp_path: Path) -> EdgeIdentity:
    return EdgeIdentity.open(tmp_path / "edge", NOW)


@pytest.fixture
def port(identity: EdgeIdentity, monkeypatch: pytest.MonkeyPatch) -> Iterator[JoinServer]:
    monkeypatch.setattr(join_server, "_ROUND", 0.02)  # for so long its end is waited for
    with JoinServer(identity, serves_at=8001, host="127.0.0.1", port=0, now=lambda: NOW) as server:
        yield server


def token(identity: EdgeIdentity, uses: int = 1, lifetime: timedelta = DAY, now: datetime = NOW) -> Token:
    return identity.create_token(uses=uses, lifetime=lifetime, now=now)


def kept(edge: str = "127.0.0.1:8001") -> tuple[bytes, bytes, bytes]:
    credentials = credentials_for(edge)
    assert credentials is not None
    return credentials.read()


def test_a_device_joins_and_keeps_what_it_needs(identity: EdgeIdentity, port: JoinServer) -> None:
    joined = join(port.address, token(identity), "porch")
    assert (joined.name, joined.edge, joined.joins_at) == ("porch", "127.0.0.1:8001", port.address)
    authority, certificate, key = kept()
    check_pair(certificate, key)
    assert authority == identity.authority.certificate
    assert identity.register.serials() == {bearer_of(certificate).serial: "porch"}


def test_a_device_joins_into_a_folder_of_its_own(identity: EdgeIdentity, port: JoinServer, tmp_path: Path) -> None:
    joined = join(port.address, token(identity), "porch", tmp_path / "out")
    assert Joined.read(tmp_path / "out") == joined
    assert credentials_for("127.0.0.1:8001") is None


def test_an_edge_that_is_not_the_token_s_learns_no_secret(identity: EdgeIdentity, tmp_path: Path) -> None:
    other = EdgeIdentity.open(tmp_path / "other", NOW)
    asked: list[str] = []

    class Listening(JoinServer):
        def answer(self, method: str, path: str, asked_for: dict[str, str], shown: bytes | None) -> dict[str, object]:
            asked.append(path)
            return super().answer(method, path, asked_for, shown)

    with (
        Listening(other, serves_at=8001, host="127.0.0.1", port=0, now=lambda: NOW) as server,
        pytest.raises(RefusedError, match="another edge"),
    ):
        join(server.address, token(identity), "porch")
    assert asked == ["/v1/authority"]


@pytest.mark.parametrize("wrong", ["forged", "ended", "used up"])
def test_a_token_that_is_no_good_lets_nobody_in(identity: EdgeIdentity, port: JoinServer, wrong: str) -> None:
    good = token(identity)
    match wrong:
        case "forged":
            bad = Token.create(good.fingerprint)
        case "ended":
            bad = token(identity, now=NOW - 2 * DAY)
        case _:
            bad = good
            join(port.address, good, "first")
    with pytest.raises(RefusedError, match="edgent token create"):
        join(port.address, bad, "porch")
    assert "porch" not in identity.register.serials().values()
    assert credentials_for("127.0.0.1:8001") is None or wrong == "used up"


def test_a_shelf_of_boards_joins_by_one_token(identity: EdgeIdentity, port: JoinServer, tmp_path: Path) -> None:
    shelf = token(identity, uses=10)
    threads = [
        threading.Thread(target=join, args=(port.address, shelf, f"board-{n}", tmp_path / f"{n}")) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(identity.register.serials().values()) == [f"board-{n}" for n in range(10)]


def test_a_certificate_is_renewed_when_it_is_time_and_not_before(identity: EdgeIdentity, port: JoinServer) -> None:
    joined = join(port.address, token(identity), "porch")
    folder = joined_folder(joined.edge)
    before = kept()
    assert renew(folder, NOW) == joined
    assert kept() == before
    assert renew(folder, NOW + 70 * DAY).name == "porch"
    _, certificate, key = kept()
    check_pair(certificate, key)
    assert set(identity.register.serials()) == {bearer_of(each).serial for each in (before[1], certificate)}
    assert certificate != before[1]


def test_programs_of_one_board_that_renew_at_the_same_moment_leave_what_belongs_together(
    identity: EdgeIdentity, port: JoinServer
) -> None:
    folder = joined_folder(join(port.address, token(identity), "porch").edge)
    before = kept()
    threads = [threading.Thread(target=renew, args=(folder, NOW + 70 * DAY)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        _, certificate, key = kept()
        check_pair(certificate, key)  # for who connects meanwhile, and for who comes back after a power cut
    assert kept()[1] != before[1]


def test_a_removed_device_gets_no_new_certificate(identity: EdgeIdentity, port: JoinServer) -> None:
    joined = join(port.address, token(identity), "porch")
    identity.register.remove("porch")
    before = kept()
    with pytest.raises(RefusedError, match="join again"):
        renew(joined_folder(joined.edge), NOW + 70 * DAY)
    assert kept() == before


def test_a_certificate_of_another_edge_renews_nothing(identity: EdgeIdentity, port: JoinServer, tmp_path: Path) -> None:
    joined = join(port.address, token(identity), "porch")
    other = EdgeIdentity.open(tmp_path / "other", NOW)
    with JoinServer(other, serves_at=8001, host="127.0.0.1", port=0, now=lambda: NOW) as server:
        elsewhere = join(server.address, token(other), "porch", tmp_path / "elsewhere")
        document = tmp_path / "elsewhere" / "joined.json"
        document.write_text(document.read_text().replace(elsewhere.joins_at, joined.joins_at))
        with pytest.raises((RefusedError, EdgeError)):
            renew(tmp_path / "elsewhere", NOW + 70 * DAY)
    assert len(identity.register.serials()) == 1


def test_a_renewal_without_a_certificate_is_refused(identity: EdgeIdentity, port: JoinServer) -> None:
    assert say(identity, port, "POST", "/v1/renew", b'{"request": "x"}')[0] == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", b""),
        ("POST", "/v1/authority", b"{}"),
        ("POST", "/v1/join", b""),
        ("POST", "/v1/join", b"[]"),
        ("POST", "/v1/join", b"{}"),
        ("POST", "/v1/join", b'{"secret": 1, "name": "a", "request": "b"}'),
        ("POST", "/v1/join", b"\xff\xfe" * 100),
        ("POST", "/v1/join", b"x" * 20_000),
        ("POST", "/v1/join", b"x" * 2_000_000),
        ("POST", "/v1/join", b"[" * 16_000),
    ],
)
def test_what_is_not_asked_here_is_refused_in_one_line(
    identity: EdgeIdentity, port: JoinServer, method: str, path: str, body: bytes
) -> None:
    status, answer = say(identity, port, method, path, body)
    assert status == 400
    assert "\n" not in str(answer["error"])
    join(port.address, token(identity), "porch")  # and the next one is served


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/v1/join", 501), ("POST", "/" + "a" * 70_000, 414)])
def test_who_is_refused_before_its_document_is_looked_at_is_told_so_however_much_it_sends(
    identity: EdgeIdentity, port: JoinServer, method: str, path: str, status: int
) -> None:
    assert answer_to(identity, port, method, path, b"x" * 2_000_000)[0] == status


def test_who_sends_without_end_is_hung_up_on(
    identity: EdgeIdentity, port: JoinServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join_server, "_LET_IN", 1 << 20)
    with pytest.raises(OSError):
        answer_to(identity, port, "POST", "/v1/join", b"x" * (1 << 28))


@pytest.mark.parametrize(("name", "request_for"), [("../a", "b"), ("a", "b"), ("a", "x" * 15_000)])
def test_a_stranger_s_request_is_not_read_before_its_token_is_known_to_be_good(
    identity: EdgeIdentity, port: JoinServer, name: str, request_for: str
) -> None:
    def asked(secret: str) -> tuple[int, str]:
        body = json.dumps({"secret": secret, "name": name, "request": request_for}).encode()
        status, answer = say(identity, port, "POST", "/v1/join", body)
        return status, str(answer["error"])

    assert asked("0" * 32) == (
        403,
        "the token is unknown here, used up or has ended; make another one with `edgent token create`",
    )
    good = token(identity)
    status, error = asked(good.secret)
    assert status == 400 and ("device name" in error or "request for a certificate" in error)
    join(port.address, good, "porch")  # which has cost no use


def test_an_edge_that_says_a_byte_now_and_then_keeps_nobody_who_joins(
    identity: EdgeIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes well within the patience for the next one; the whole answer would take a quarter of an hour."""
    monkeypatch.setattr(joining, "_TIMEOUT", 0.5)
    context = identity.tls(NOW)
    hung_up = threading.Event()

    def dribble(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 9000\r\n\r\n")
            while True:
                secured.sendall(b" ")
                hung_up.wait(0.1)
        hung_up.set()

    with listening(dribble) as address:
        with pytest.raises(EdgeError, match="--join-port"):
            join(address, token(identity), "porch")
        assert hung_up.wait(60.0)


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(1000), b"\x16\x03\x01" + bytes(50)])
def test_who_speaks_no_tls_holds_nobody_up(identity: EdgeIdentity, port: JoinServer, noise: bytes) -> None:
    host, _, number = port.address.rpartition(":")
    with socket.create_connection((host, int(number))) as stranger:
        stranger.sendall(noise)
        join(port.address, token(identity), "porch")


def test_who_stays_for_too_long_is_hung_up_on(
    identity: EdgeIdentity, port: JoinServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, number = port.address.rpartition(":")
    monkeypatch.setattr(join_server, "_PATIENCE", 0.0)
    silent = [socket.create_connection((host, int(number))) for _ in range(16)]  # twice as many as are listened to
    for stranger in silent:
        stranger.settimeout(60)
        assert stranger.recv(1) == b""
        stranger.close()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(identity.folder))
    join(port.address, token(identity), "porch")


def test_a_port_where_nobody_joins_is_told(identity: EdgeIdentity) -> None:
    with reserved_port() as nobodys, pytest.raises(EdgeError, match="--join-port"):
        join(f"127.0.0.1:{nobodys}", token(identity), "porch")


def test_a_port_that_is_taken_is_told(identity: EdgeIdentity, port: JoinServer) -> None:
    taken = int(port.address.rpartition(":")[2])
    with pytest.raises(EdgeError, match="--join-port"):
        JoinServer(identity, serves_at=8001, host="127.0.0.1", port=taken, now=lambda: NOW)


def test_old_versions_of_tls_are_refused(port: JoinServer) -> None:
    assert port.tls().minimum_version is ssl.TLSVersion.TLSv1_2


def say(identity: EdgeIdentity, port: JoinServer, method: str, path: str, body: bytes) -> tuple[int, dict[str, object]]:
    status, answer = answer_to(identity, port, method, path, body)
    return status, json.loads(answer)


def answer_to(identity: EdgeIdentity, port: JoinServer, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    context = ssl.create_default_context(cadata=identity.authority.certificate.decode())
    host, _, number = port.address.rpartition(":")
    with closing(http.client.HTTPSConnection(host, int(number), context=context, timeout=60)) as connection:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
