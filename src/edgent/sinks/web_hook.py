"""A web server as a sink: each event is posted as one JSON document, over a connection that is kept open.

2xx: the server has it. 400, 413 and 422: it will never take this event, which is given up, or it would hold up all
others. Everything else, and no answer, is trouble that may pass. A redirection is not followed: who asks for one gets
the user's secrets at another place.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple

from edgent.errors import EdgentError
from edgent.sinks.addresses import WebAddress
from edgent.sinks.lines import EventLine
from edgent.sinks.sink import Receipt
from edgent.text import brief
from edgent.version import __version__

PATIENCE = 10.0
"""Seconds for a connection, and again for a request with its whole answer, however many parts it comes in."""

_REFUSED = (400, 413, 422)
_MOST_READ = 1 << 16  # bytes of an answer, of which nothing is used


class WebHook:
    """Posts events.

    Args:
        address: where; its authority is one that this machine trusts (OpenSSL's SSL_CERT_FILE names others).
        patience: seconds for a connection, and for an answer.
    """

    with_pictures = False

    def __init__(self, address: WebAddress, patience: float = PATIENCE) -> None:
        self._address, self._patience, self.name = address, patience, address.name
        self._line: _Line | None = None
        self._headers = {"Content-Type": "application/json", "User-Agent": f"edgent/{__version__}"}
        if address.login.user or address.login.password:
            pair = f"{address.login.user}:{address.login.password}".encode()
            self._headers["Authorization"] = f"Basic {b64encode(pair).decode('ascii')}"

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        """See `Sink.deliver`."""
        for event in events:
            status = self._post(event)
            if not 200 <= status < 300 and status not in _REFUSED:
                raise EdgentError(f"the server answers {status}{_HINTS.get(status, '')}")
            yield Receipt(event=event, refusal=f"the server answers {status}" if status in _REFUSED else "")

    def close(self) -> None:
        """See `Sink.close`."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _post(self, event: EventLine) -> int:
        """The status that came back."""
        # A connection that was idle may have been closed by the server, which only the next request finds out.
        was_open = self._line is not None
        try:
            return self._ask(event)
        except EdgentError:
            if not was_open:
                raise
            return self._ask(event)

    def _ask(self, event: EventLine) -> int:
        try:
            line = self._line = self._line or _dialled(self._address, self._patience)
            # An id for who keeps the last ones: an event that comes twice is the same one.
            headers = self._headers | {"Idempotency-Key": event.id}
            with _ended_after(self._patience, line.plain):
                line.connection.request("POST", self._address.target, event.line.encode("ascii"), headers)
                answer = line.connection.getresponse()
                is_over = len(answer.read(_MOST_READ)) == _MOST_READ or answer.will_close
            if is_over:
                self.close()
            return answer.status
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EdgentError(f"cannot be reached ({brief(reason, 80)})") from None


class _Line(NamedTuple):
    """A connection, and the socket below it, which another thread can shut, also while TLS has its own."""

    connection: HTTPConnection
    plain: socket.socket

    def close(self) -> None:
        self.connection.close()
        self.plain.close()


def _dialled(address: WebAddress, patience: float) -> _Line:
    host, port = address.at.host, address.at.port
    context = ssl.create_default_context() if address.is_secured else None
    plain = socket.create_connection((host, port), patience)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = HTTPConnection(host, port) if context is None else HTTPSConnection(host, port, context=context)
    line = _Line(connection, plain.dup())
    connection.auto_open = 0  # it would dial by itself, and nothing could shut that line
    connection.sock = plain
    try:
        if context is not None:
            with _ended_after(patience, line.plain):
                connection.sock = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        line.close()
        raise
    return line


@contextlib.contextmanager
def _ended_after(seconds: float, line: socket.socket) -> Iterator[None]:
    """Shuts a connection under what takes longer: the time-out of a socket begins anew with each byte that comes."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException):
        if not is_late.is_set():
            raise
    finally:
        timer.cancel()
    if is_late.is_set():  # also where what came looks whole: so slow a server is in trouble, which is to be said
        raise TimeoutError(f"no whole answer within {seconds:g} s")


_HINTS = {401: ": are user and password right?", 403: ": are user and password right?", 404: ": is the path right?"}
