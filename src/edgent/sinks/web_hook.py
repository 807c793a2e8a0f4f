"""A web server as a sink: each event is posted as one JSON document, over a connection that is kept open.

2xx: the server has it. 400, 413 and 422: it will never take this event, which is given up, or it would hold up all
others. Everything else, and no answer, is trouble that may pass. A redirection is not followed: who asks for one gets
the user's secrets at another place.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from edgent.errors import EdgentError
from edgent.sinks.addresses import WebAddress
from edgent.sinks.lines import EventLine
from edgent.sinks.sink import Receipt
from edgent.text import brief
from edgent.version import __version__

_TIMEOUT = 10.0  # seconds
_REFUSED = (400, 413, 422)
_MOST_READ = 1 << 16  # bytes of an answer, of which nothing is used


class WebHook:
    """Posts events.

    Args:
        address: where; its authority is one that this machine trusts (OpenSSL's SSL_CERT_FILE names others).
    """

    with_pictures = False

    def __init__(self, address: WebAddress) -> None:
        self._address, self.name = address, address.name
        self._connection: HTTPConnection | None = None
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
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, event: EventLine) -> int:
        """The status that came back."""
        # A connection that was idle may have been closed by the server, which only the next request finds out.
        was_open = self._connection is not None
        try:
            return self._ask(event)
        except EdgentError:
            if not was_open:
                raise
            return self._ask(event)

    def _ask(self, event: EventLine) -> int:
        try:
            connection = self._connected()
            # An id for who keeps the last ones: an event that comes twice is the same one.
            headers = self._headers | {"Idempotency-Key": event.id}
            connection.request("POST", self._address.target, event.line.encode("ascii"), headers)
            answer = connection.getresponse()
            if len(answer.read(_MOST_READ)) == _MOST_READ or answer.will_close:
                self.close()
            return answer.status
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EdgentError(f"cannot be reached ({brief(reason, 80)})") from None

    def _connected(self) -> HTTPConnection:
        if self._connection is None:
            at = self._address.at
            self._connection = (
                HTTPSConnection(at.host, at.port, timeout=_TIMEOUT, context=ssl.create_default_context())
                if self._address.is_secured
                else HTTPConnection(at.host, at.port, timeout=_TIMEOUT)
            )
        return self._connection


_HINTS = {401: ": are user and password right?", 403: ": are user and password right?", 404: ": is the path right?"}
