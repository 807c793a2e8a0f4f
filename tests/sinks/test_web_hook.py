"""A web server as a sink, over real sockets: posted once each, tried again, never in a circle."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edgent.errors import EdgentError
from edgent.sinks.addresses import WebAddress, parse_sink
from edgent.sinks.sink import Receipt
from edgent.sinks.web_hook import WebHook
from ports import listening, reserved_port
from sinks.telling import lines, numbers_of


class Server(ThreadingHTTPServer):
    """Answers with the statuses that it is given, then with 204; keeps what was posted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.closes = False

    def process_request(self, request, client_address) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()
        self.close_connection = self.server.closes  # without a word, as a server that was started anew

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def web_hook(url: str, patience: float = 60.0) -> WebHook:
    address = parse_sink(url)
    assert isinstance(address, WebAddress)
    return WebHook(address, patience)


def hook_at(port: int, login: str = "", path: str = "/hook?key=1") -> WebHook:
    return web_hook(f"http://{login}127.0.0.1:{port}{path}")


def taken(hook: WebHook, *numbers: int) -> list[tuple[int, str]]:
    return [(numbers_of([one.event])[0], one.refusal) for one in hook.deliver(lines(*numbers))]


def test_each_event_is_posted_as_json_with_its_id_over_one_connection(server: Server) -> None:
    hook = hook_at(server.server_port)
    assert taken(hook, 0, 1, 2) == [(0, ""), (1, ""), (2, "")]
    hook.close()
    assert server.connections == 1
    path, headers, body = server.posted[1]
    assert path == "/hook?key=1" and headers["Content-Type"] == "application/json"
    assert json.loads(body)["id"] == headers["Idempotency-Key"] == "run-door-1"


def test_user_and_password_go_as_http_wants_them_and_not_in_the_path(server: Server) -> None:
    hook = hook_at(server.server_port, "ann:p%40ss@")
    taken(hook, 0)
    hook.close()
    _, headers, _ = server.posted[0]
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"ann:p@ss"
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503, 301, 302])
def test_trouble_that_may_pass_is_an_error_and_the_event_is_not_taken(server: Server, status: int) -> None:
    server.statuses = [204, status]
    hook, done = hook_at(server.server_port), []
    with pytest.raises(EdgentError, match=str(status)):
        done.extend(hook.deliver(lines(0, 1, 2)))
    assert len(server.posted) == 2  # a redirection is not followed, and the third is not tried
    assert taken(hook, 1) == [(1, "")]
    hook.close()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_the_server_will_never_take_is_given_up(server: Server, status: int) -> None:
    server.statuses = [status]
    hook = hook_at(server.server_port)
    assert taken(hook, 0, 1) == [(0, f"the server answers {status}"), (1, "")]
    hook.close()


def test_a_connection_that_the_server_closed_meanwhile_costs_no_event(server: Server) -> None:
    server.closes = True
    hook = hook_at(server.server_port)
    assert taken(hook, 0) == [(0, "")]
    assert taken(hook, 1) == [(1, "")]
    hook.close()
    assert [json.loads(body)["number"] for _, _, body in server.posted] == [0, 1]


def test_nobody_there_is_one_line_that_does_not_show_the_path() -> None:
    with reserved_port() as port:
        hook = hook_at(port, "ann:geheim@", "/services/token")
        with pytest.raises(EdgentError, match="cannot be reached") as failure:
            taken(hook, 0)
    assert not {"token", "geheim", "\n"} & set(str(failure.value).split("/"))
    assert "geheim" not in str(failure.value) and "token" not in hook.name


def test_a_stranger_in_place_of_a_server_is_one_line() -> None:
    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"\x16\x03\x01 no http at all\r\n\r\n")

    with listening(answer) as address, pytest.raises(EdgentError, match="cannot be reached"):
        list(web_hook(f"http://{address}/").deliver(lines(0)))


class Dripping:
    """Takes what is posted, and answers byte by byte, without end: each comes long before a socket's time-out."""

    def __init__(self, beginning: bytes, drop: bytes) -> None:
        self._beginning, self._drop, self.connections = beginning, drop, 0

    def drip(self, peer: socket.socket) -> None:
        self.connections += 1
        peer.sendall(self._beginning)
        while True:
            time.sleep(0.02)
            peer.sendall(self._drop)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 204 No Content\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"\x16\x03\x03\x20\x00", b"\x02"),  # a record of TLS that never ends
    ],
)
def test_a_server_that_drips_is_trouble_in_time(scheme: str, beginning: bytes, drop: bytes) -> None:
    taken_ones: list[Receipt] = []
    with listening(Dripping(beginning, drop).drip) as address:
        hook = web_hook(f"{scheme}://{address}/hook", patience=0.3)
        with pytest.raises(EdgentError, match="cannot be reached"):
            taken_ones.extend(hook.deliver(lines(0, 1)))
        hook.close()
    assert not taken_ones


def test_a_server_that_drips_is_said_to_be_late() -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"a")
    with listening(server.drip) as address, pytest.raises(EdgentError, match=r"no whole answer within 0\.2 s"):
        list(web_hook(f"http://{address}/hook", patience=0.2).deliver(lines(0)))
    assert server.connections == 1
