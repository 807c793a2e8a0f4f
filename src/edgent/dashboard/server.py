"""The page's port: an HTTP server in a thread of its own, that nothing of the device or the edge waits for.

What strangers can take of it is bounded: connections, how long one may be here without asking for something, and how
long one may take to take what it is sent.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from dataclasses import replace
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgent.address import Address
from edgent.dashboard.door import Door
from edgent.errors import EdgeError

_PATIENCE = 10.0  # seconds to agree on TLS, then to say what is wanted, and between two things that are wanted
_PARTING = 2.0  # seconds for TLS to be ended from the other side
_BACKLOG = 128
_NEVER = 1 << 20  # seconds; uvicorn's own patience ends for good at the first byte, whatever comes after it
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
            timeout_keep_alive=_NEVER,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
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


class _Server(uvicorn.Server):
    """Listens with bounds for TLS that uvicorn has no words for: asyncio's own are a minute and half a minute."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        config, over_tls = self.config, self.config.ssl is not None
        listening = await asyncio.get_running_loop().create_server(
            lambda: _PageProtocol(config=config, server_state=self.server_state, app_state=self.lifespan.state),
            sock=(sockets or [])[0],
            ssl=config.ssl,
            backlog=_BACKLOG,
            ssl_handshake_timeout=_PATIENCE if over_tls else None,
            ssl_shutdown_timeout=_PARTING if over_tls else None,
        )
        self.servers, self.started = [listening], True


class _PageProtocol(H11Protocol):
    """One connection: hung up on while it asks for nothing, and known by the certificate that it shows.

    Bytes are no request, for one at a time they may come for days: only a request that is whole enough to be answered
    ends the wait, and the end of its answer begins it anew.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object")
        certificate = None if shown is None else shown.getpeercert(binary_form=True)
        pem = None if not certificate else ssl.DER_cert_to_PEM_cert(certificate).encode()
        self.app_state = {**self.app_state, "certificate": pem}
        self._answering = 0
        self.app, self._inner = self._answer, self.app
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._asks_by.cancel()
        super().connection_lost(exc)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._asks_by.cancel()
        self._answering += 1
        try:
            await self._inner(scope, receive, send)
        finally:
            self._answering -= 1
            # The next request's answer may have begun while this one's was put away, and the connection may be gone.
            if self._answering == 0 and self in self.connections:
                self._wait()

    def _wait(self) -> None:
        self._asks_by = self.loop.call_later(_PATIENCE, self._hang_up)

    def _hang_up(self) -> None:
        # A transport that is closed goes on until what it holds has been taken, which may be never.
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()
            self._wait()


def _listening(address: Address) -> Door:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return Door(socket.create_server((address.host, address.port), family=family, reuse_port=False))
    except (OSError, OverflowError):
        raise EdgeError(f"cannot listen on {address} for the page: choose another address for --dashboard") from None
