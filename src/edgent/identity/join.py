"""A device joins an edge, and renews its certificate: the callers of `join_server`."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from edgent import document
from edgent.address import Address
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.identity.certificates import bearer_of, check_name, fingerprint, new_key, request_for
from edgent.identity.credentials import EDGE_NAME
from edgent.identity.joined import Joined, credentials_in, joined_folder, keep
from edgent.identity.secured_socket import hang_up, trouble
from edgent.identity.token import Token

_TIMEOUT = 10.0  # seconds for each of the two exchanges
_MOST = 64 << 10  # bytes of an answer; three certificates have some three thousand


def join(address: str, token: Token, name: str, folder: Path | None = None) -> Joined:
    """Joins an edge by a token.

    Args:
        address: HOST:PORT where it lets devices join.
        token: its owner's.
        name: of this device.
        folder: where to keep what is needed to connect; None: where this user's devices look for it.

    Returns:
        Where the device has joined; it can connect from now on.

    Raises:
        InputError: an address or name that is none; the folder cannot be written.
        RefusedError: the edge is another one than the token's, or does not let the device in.
        EdgeError: the edge is not there.
    """
    joins_at, key = Address.parse(address), new_key()
    request = request_for(check_name(name), key)
    authority = _authority(joins_at, token.fingerprint)
    asked = {"secret": token.secret, "name": name, "request": request.decode()}
    answer = _ask(joins_at, "/v1/join", _trusting(authority), asked)
    return _keep(joins_at, answer, authority, key, folder)


def renew(folder: Path, now: datetime) -> Joined:
    """Replaces a certificate that is about to end, where it is time for that.

    The key stays. Two files cannot be replaced at once: where the power fails between them, or two programs of a board
    renew at the same moment, one's key would lie beside the other's certificate, and the board would be locked out.

    Args:
        folder: what `join` wrote.
        now: the time.

    Raises:
        InputError: the folder is damaged.
        RefusedError: the device was removed, or its certificate has ended.
        EdgeError: the edge is not there; the old certificate stays.
    """
    joined = Joined.read(folder)
    if now.timestamp() < joined.renew_at:
        return joined
    before, joins_at = credentials_in(folder), Address.parse(joined.joins_at)
    context, (authority, _, key) = before.client_context(), before.read()
    answer = _ask(joins_at, "/v1/renew", context, {"request": request_for(joined.name, key).decode()})
    return _keep(joins_at, answer, authority, key, folder)


def _authority(joins_at: Address, expected: str) -> bytes:
    """The authority's certificate, from an edge that nobody has vouched for yet; the token's fingerprint does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # TLS has nothing to verify it by yet. What it sends is believed only if the token's fingerprint, below, fits it.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    authority = _text(_ask(joins_at, "/v1/authority", context), "authority", joins_at).encode()
    if fingerprint(authority) != expected:
        raise RefusedError(
            f"{joins_at} is another edge than the one that made this token; ask its owner for a token of this edge"
        )
    return authority


def _trusting(authority: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority.decode())
    return context


def _keep(joins_at: Address, answer: dict[str, object], authority: bytes, key: bytes, folder: Path | None) -> Joined:
    certificate = _text(answer, "certificate", joins_at).encode()
    port = answer.get("port")
    if not isinstance(port, int) or isinstance(port, bool):
        raise EdgentError(f"{joins_at} did not say where it serves; is it an edge of this version?")
    bearer, edge = bearer_of(certificate), str(Address(host=joins_at.host, port=port))
    joined = Joined(
        name=bearer.name,
        edge=edge,
        joins_at=str(joins_at),
        renew_at=bearer.renew_at.timestamp(),
        ends_at=bearer.ends_at.timestamp(),
    )
    keep(folder or joined_folder(edge), joined, authority=authority, certificate=certificate, key=key)
    return joined


def _ask(
    joins_at: Address, path: str, context: ssl.SSLContext, asked: dict[str, str] | None = None
) -> dict[str, object]:
    """One exchange; an edge's refusal is raised as such."""
    try:
        with (
            socket.create_connection((joins_at.host, joins_at.port), _TIMEOUT) as plain,
            _ended_after(_TIMEOUT, plain),
            context.wrap_socket(plain, server_hostname=EDGE_NAME) as secured,
        ):
            status, body = _exchange(secured, path, asked)
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(trouble(str(joins_at), error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise EdgeError(f"{joins_at} lets no device join ({_reason(error)}); is this the edge's --join-port?") from None
    return read_answer(joins_at, status, body)


@contextmanager
def _ended_after(seconds: float, plain: socket.socket) -> Iterator[None]:
    """Ends a connection whatever the other side does: its own timeout begins anew with each byte that comes."""
    # A duplicate, for TLS takes the socket over: shutting it down ends the connection for both.
    with plain.dup() as line:
        timer = threading.Timer(seconds, lambda: hang_up(line))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _exchange(secured: ssl.SSLSocket, path: str, asked: dict[str, str] | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(EDGE_NAME)
    connection.sock = secured
    if asked is None:
        connection.request("GET", path)
    else:
        connection.request("POST", path, json.dumps(asked), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read(_MOST)


def read_answer(joins_at: Address, status: int, body: bytes) -> dict[str, object]:
    """What an edge's port for joining has answered.

    Raises:
        EdgeError: it is no such port.
        RefusedError: it says no.
    """
    try:
        answer = document.parse(body.decode("utf-8", "replace"))
    except InputError:
        answer = None
    if not isinstance(answer, dict):
        raise EdgeError(f"{joins_at} is no edge's --join-port: its answer was none of ours")
    if status != 200:
        raise RefusedError(str(answer.get("error", f"the edge refused (HTTP {status})"))[:500])
    return answer


def _text(answer: dict[str, object], key: str, joins_at: Address) -> str:
    value = answer.get(key)
    if not isinstance(value, str):
        raise EdgeError(f"{joins_at} is no edge's --join-port: it sent no {key}")
    return value


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
