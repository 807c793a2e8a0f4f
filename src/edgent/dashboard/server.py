"""The page's port: an HTTP server in a thread of its own, that nothing of the device or the edge waits for.

What strangers can take of it is bounded: connections, how long one may be here without having asked, and how long one
may take to take what it is sent.
"""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgent.address import Address
from edgent.errors import EdgeError

_CONNECTIONS = 128
_PATIENCE = 10.0  # seconds for a connection to say what it wants, and between two things that it wants
_STARTING = 10.0  # seconds


class PageServer:
    """Serves an application; a context manager.

    Args:
        application: what answers.
        address: where to listen; port 0 picks a free one.
        tls: this side of it; None: plain text.

    Raises:
        EdgentError: the port is taken, or the address is not this machine's.
    """

    def __init__(self, application: ASGIApp, address: Address, tls: ssl.SSLContext | None = None) -> None:
        self._socket = _listening(address)
        self.address = replace(address, port=self._socket.getsockname()[1])
        self.url = f"{'http' if tls is None else 'https'}://{self.address}/"
        config = uvicorn.Config(
            application,
            http=_PageProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what strangers send is no way to fill a log; what fails here, the application says
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=int(_PATIENCE),
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = tls
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="edgent-page", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Viewers look for as long as they like: whoever ends does not wait for them.
        self._server.should_exit = True
        self._thread.join(_STARTING)
        self._socket.close()

    def __repr__(self) -> str:
        return f"<PageServer on {self.url}>"


class _PageProtocol(H11Protocol):
    """One connection: hung up on where it says nothing, and known by the certificate that it shows."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object")
        certificate = None if shown is None else shown.getpeercert(binary_form=True)
        pem = None if not certificate else ssl.DER_cert_to_PEM_cert(certificate).encode()
        self.app_state = {**self.app_state, "certificate": pem}
        self._asks_by = self.loop.call_later(_PATIENCE, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asks_by.cancel()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        # One byte at a time it could stay for days. Who has asked once is uvicorn's: it counts from each answer.
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, reuse_port=False)
    except (OSError, OverflowError):
        raise EdgeError(f"cannot listen on {address} for the page: choose another address for --dashboard") from None
