"""The edge's port for joining: HTTPS with three requests, apart from the port that answers inferences.

It is the only port that speaks to strangers, so everything about it is bounded: how many it listens to at once, for how
long, and how much each may say. Nothing that they send is computed with before the token has been found good, but for
reading a document of at most 16 kB.

    GET  /v1/authority                                  the authority's certificate
    POST /v1/join   {"secret", "name", "request"}       a certificate, by a token
    POST /v1/renew  {"request"}                         a certificate, by the one that the caller shows
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from edgent import document
from edgent.address import Address
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.identity.certificates import bearer_of
from edgent.identity.edge_identity import EdgeIdentity
from edgent.identity.secured_socket import hang_up
from edgent.text import one_line

_LISTENERS = 8  # strangers that are listened to at once
_WAITING = 64  # and that wait; the next one is hung up on
_PATIENCE = 10.0  # seconds for a stranger to be done, whatever it does meanwhile
_MOST = 16 << 10  # bytes of a document
_PARTING = 2.0  # seconds without a word, after which nothing more of a stranger is let in
_LET_IN = 4 << 20  # bytes behind an answer
# No browser has business here: it is shown nothing that could do anything, and keeps nothing.
_FOR_BROWSERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ROUND = 0.5  # seconds between looks at who has been here for too long


class JoinServer:
    """Lets devices join an edge, and renews their certificates; a context manager.

    Args:
        identity: the edge's.
        serves_at: the port where it answers inferences, for devices to be told.
        host: name or IP address to listen on.
        port: 0 picks a free one.
        now: tells the time by which tokens and certificates end.

    Raises:
        EdgeError: the port is taken, or the address is not this machine's.
    """

    def __init__(
        self, identity: EdgeIdentity, *, serves_at: int, host: str, port: int, now: Callable[[], datetime]
    ) -> None:
        self._identity, self._serves_at, self._now = identity, serves_at, now
        listens = Address(host=host, port=port)
        try:
            self._server = _Listener(self, listens)
        except (OSError, OverflowError):
            raise EdgeError(f"cannot listen on {listens} for devices that join: choose another --join-port") from None
        self.address = str(replace(listens, port=self._server.server_address[1]))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_ROUND,), name="edgent-join", daemon=True
        )

    def __enter__(self) -> JoinServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, asked: dict[str, str], shown: bytes | None) -> dict[str, object]:
        """Answers one request.

        Args:
            method: of HTTP.
            path: of HTTP.
            asked: the document that was sent.
            shown: the certificate that the caller showed, as PEM; TLS has found it good.

        Raises:
            InputError: something that is not asked here, or not like that.
            RefusedError: the caller may not.
        """
        match method, path:
            case "GET", "/v1/authority":
                return {"authority": self._identity.authority.certificate.decode()}
            case "POST", "/v1/join":
                return self._join(asked)
            case "POST", "/v1/renew":
                return self._renew(asked, shown)
        raise InputError("nothing is here but /v1/authority, /v1/join and /v1/renew; use `edgent join`")

    def _join(self, asked: dict[str, str]) -> dict[str, object]:
        secret, name, request = (_text(asked, key) for key in ("secret", "name", "request"))
        self._identity.register.check_token(secret, self._now())
        certificate = self._identity.authority.device_certificate(name, request.encode(), self._now())
        self._identity.register.join(secret, bearer_of(certificate), self._now())
        return self._handed_out(certificate)

    def _renew(self, asked: dict[str, str], shown: bytes | None) -> dict[str, object]:
        if shown is None:
            raise RefusedError("who wants a new certificate shows the one it has; join the edge first")
        before = bearer_of(shown)
        request = _text(asked, "request").encode()
        certificate = self._identity.authority.device_certificate(before.name, request, self._now())
        self._identity.register.renew(before.serial, bearer_of(certificate), self._now())
        return self._handed_out(certificate)

    def _handed_out(self, certificate: bytes) -> dict[str, object]:
        return {"certificate": certificate.decode(), "port": self._serves_at}

    def __repr__(self) -> str:
        return f"<JoinServer on {self.address}>"

    def tls(self) -> ssl.SSLContext:
        """See `EdgeIdentity.tls`."""
        return self._identity.tls(self._now())


class _Listener(HTTPServer):
    """Takes strangers in: a few at a time, each for a bounded time."""

    allow_reuse_address = True
    request_queue_size = _WAITING

    def __init__(self, join: JoinServer, listens: Address) -> None:
        self.join = join
        self.address_family = socket.AF_INET6 if ":" in listens.host else socket.AF_INET
        self._pool = ThreadPoolExecutor(_LISTENERS, thread_name_prefix="edgent-join")
        self._since: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        super().__init__((listens.host, listens.port), _Stranger)  # which closes what it has where it fails

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            if len(self._since) >= _LISTENERS + _WAITING:
                self.shutdown_request(request)
                return
            self._since[request] = time.monotonic()
        self._pool.submit(self._listen, request, client_address)

    def service_actions(self) -> None:
        """Hangs up on those who have been here for too long: one byte at a time they could stay for days."""
        now = time.monotonic()
        with self._guard:
            for request in [request for request, since in self._since.items() if now - since > _PATIENCE]:
                # The thread that listens to it is woken by the end of the stream, and closes it.
                hang_up(request)

    def server_close(self) -> None:
        super().server_close()
        with self._guard:
            for request in self._since:
                hang_up(request)
        self._pool.shutdown(wait=True)

    def _listen(self, request: socket.socket, client_address: Any) -> None:
        try:
            request.settimeout(_PATIENCE)
            with self.join.tls().wrap_socket(request.dup(), server_side=True) as secured:
                self.finish_request(secured, client_address)
            _hear_out(request)
        except (OSError, ValueError):  # who speaks no TLS, hangs up, or says nothing for too long
            pass
        finally:
            with self._guard:
                self._since.pop(request, None)
            self.shutdown_request(request)


class _Stranger(BaseHTTPRequestHandler):
    """One request of somebody who may be anybody."""

    server: _Listener
    connection: ssl.SSLSocket
    server_version, sys_version = "edgent", ""

    def do_GET(self) -> None:
        self._handle({})

    def do_POST(self) -> None:
        try:
            asked = self._document()
        except InputError as error:
            self._say(400, {"error": str(error)})
        else:
            self._handle(asked)

    def log_message(self, *_: object) -> None:
        """Says nothing: a port that strangers reach is no way to fill a log."""

    def _handle(self, asked: dict[str, str]) -> None:
        shown = self.connection.getpeercert(binary_form=True)
        try:
            pem = ssl.DER_cert_to_PEM_cert(shown).encode() if shown else None
            self._say(200, self.server.join.answer(self.command, self.path, asked, pem))
        except RefusedError as error:
            self._say(403, {"error": one_line(str(error))})
        except InputError as error:
            self._say(400, {"error": one_line(str(error))})
        except EdgentError as error:
            self._say(500, {"error": one_line(str(error))})

    def _document(self) -> dict[str, str]:
        size = self.headers.get("Content-Length", "")
        if not size.isascii() or not size.isdigit() or len(size) > 6 or int(size) > _MOST:
            raise InputError(f"expected a document of at most {_MOST} bytes")
        found = document.parse(self.rfile.read(int(size)).decode("utf-8", "replace"))
        if not isinstance(found, dict):
            raise InputError("expected a JSON object")
        return found

    def _say(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in _FOR_BROWSERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _hear_out(request: socket.socket) -> None:
    """Lets in what still comes behind an answer: who is hung up on as it sends may lose it (RFC 9112, section 9.6)."""
    request.shutdown(socket.SHUT_WR)
    request.settimeout(_PARTING)
    let_in = 0
    while let_in < _LET_IN and (part := request.recv(_MOST)):
        let_in += len(part)


def _text(asked: dict[str, str], key: str) -> str:
    value = asked.get(key)
    if not isinstance(value, str):
        raise InputError(f"expected {key!r} as text")
    return value
