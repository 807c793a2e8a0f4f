"""Who may look at a page: this machine by itself; beyond it, over TLS, who has the password or has joined."""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgent.address import Address
from edgent.dashboard.guard import PageGuard
from edgent.errors import InputError
from edgent.identity.certificates import bearer_of
from edgent.identity.edge_identity import EdgeIdentity, names_of_this_machine
from edgent.identity.folder import data_folder, read_private, write_private

PASSWORD = "dashboard.password"
_LETTERS = 18  # bytes of chance in a password: nobody tries as many
_SHORTEST = 12  # characters of one that somebody chose; an empty file would let in whoever says nothing

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a page is reached.

    Attributes:
        guard: judges requests.
        tls: this side of it; None: plain text.
        password_file: where the password lies; None: there is none.
    """

    guard: PageGuard
    tls: ssl.SSLContext | None = None
    password_file: Path | None = None


def access_to(address: Address, identity: EdgeIdentity | None) -> Access:
    """Who may look at what listens there.

    Args:
        address: where the page listens.
        identity: the edge's, whose devices may look as well; None: this machine makes a certificate of its own for the
            page.

    Raises:
        InputError: the folder of the certificate or of the password cannot be written, or the password that lies there
            is too short.
    """
    if address.is_loopback:
        return Access(guard=PageGuard(hosts=_LOOPBACK | {address.host.lower()}))
    identity = identity or EdgeIdentity.open(data_folder() / "dashboard", datetime.now(UTC))
    password_file = identity.folder / PASSWORD
    guard = PageGuard(
        hosts=_hosts(address), password=_password(password_file), has_joined=lambda pem: _has_joined(identity, pem)
    )
    return Access(guard=guard, tls=_tls(identity), password_file=password_file)


def _hosts(address: Address) -> frozenset[str]:
    """By what this machine is asked for: its names and addresses, and its names as mDNS has them (RFC 6762)."""
    names = {name.lower() for name in (address.host, *names_of_this_machine())}
    return frozenset(names | {f"{name}.local" for name in names if not {".", ":"} & set(name)})


def _tls(identity: EdgeIdentity) -> ssl.SSLContext:
    """This side of TLS, with the certificate that is good when somebody connects: a page may be open for years."""

    def renewed(connection: ssl.SSLObject, _name: str | None, _before: ssl.SSLContext) -> None:
        connection.context = identity.tls(datetime.now(UTC))

    context = identity.tls(datetime.now(UTC))
    context.sni_callback = renewed
    return context


def _password(path: Path) -> str:
    """The password that lies there; where there is none, one is made."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(_LETTERS).encode() + b"\n")
    password = read_private(path).decode("utf-8", "replace").strip()
    if len(password) < _SHORTEST:
        raise InputError(
            f"{path}: the password has {len(password)} characters, expected {_SHORTEST} or more; "
            "remove the file and one is made"
        )
    return password


def _has_joined(identity: EdgeIdentity, certificate: bytes) -> bool:
    # By the serial number, as at the edge's door: who was removed since has a good certificate still.
    return bearer_of(certificate).serial in identity.register.serials()
