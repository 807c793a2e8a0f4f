"""A socket over TLS that behaves like one without, where nothing is to be read or written yet."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

from edgent.identity.credentials import Credentials

# Bytes that OpenSSL gives at once at most. Whoever asks for less than it has leaves some within OpenSSL, where nobody
# who waits for the socket would be told of them.
_RECORD = 16_384


class _SecuredSocket(ssl.SSLSocket):
    def recv(self, buflen: int = _RECORD, flags: int = 0) -> bytes:
        try:
            return super().recv(max(buflen, _RECORD), flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


# OpenSSL's numbers for what a wrong clock looks like.
_NOT_YET_VALID, _HAS_ENDED = 9, 10


def trouble(address: str, error: ssl.SSLError | None) -> str:
    """What is wrong between two sides of TLS, and what to do about it, in one line.

    Args:
        address: where the other side is.
        error: of the handshake; None: the other side hung up behind it, which is all that a server of gRPC says to
            whose certificate it does not take.
    """
    if error is None:
        return (
            f"{address} does not take this device's certificate: it has ended, or was another edge's, or a clock is "
            "wrong; set both machines' clocks, or join again with a new token"
        )
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"{address} speaks no TLS ({error.reason}); name the edge's own port, or say --insecure on both sides"
    if error.verify_code in (_NOT_YET_VALID, _HAS_ENDED):
        return f"by this machine's clock the certificate of {address} is not good now; set both machines' clocks"
    return f"{address} is not the edge that was joined ({error.verify_message}); join again with a new token"


def not_in_plain_text(address: str) -> str:
    """What may be wrong where the other side hangs up on plain text, and what to do about it, in one line.

    Args:
        address: HOST:PORT of the other side.
    """
    host, _, _ = address.rpartition(":")
    return (
        f"the edge {address} closed the connection at once: does it speak TLS? Join it by the address that you ask "
        f"(edgent join {host}:8002)"
    )


def hang_up(connected: socket.socket) -> None:
    """Ends a connection from another thread: whoever waits for it is woken by its end."""
    with suppress(OSError):  # it may have gone by itself
        connected.shutdown(socket.SHUT_RDWR)


def secured(connected: socket.socket, credentials: Credentials, host: str) -> ssl.SSLSocket:
    """A connected socket after TLS's handshake, in which both sides have shown who they are.

    Args:
        connected: the socket; it is closed where this fails.
        credentials: of this side.
        host: the name by which the other side was reached, where its certificate is to have that.

    Raises:
        InputError: the credentials cannot be used.
        OSError: the other side is somebody else, or does not speak TLS, or the connection broke.
    """
    try:
        context = credentials.client_context()
        context.sslsocket_class = _SecuredSocket
        context.set_alpn_protocols(["h2"])  # a server of gRPC hangs up on who does not say it
        return context.wrap_socket(connected, server_hostname=credentials.peer_name or host)
    except BaseException:
        connected.close()
        raise
