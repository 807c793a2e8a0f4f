"""What an edge is known by: its authority, its own certificate and its list of devices, in one folder."""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from edgent.errors import InputError
from edgent.identity.certificates import Authority, bearer_of, check_pair, fingerprint, new_key
from edgent.identity.credentials import Credentials
from edgent.identity.folder import private_folder, read_private, write_private
from edgent.identity.register import Register
from edgent.identity.token import Token

AUTHORITY, CERTIFICATE, KEY, REGISTER = "authority.pem", "edge.pem", "edge.key", "devices.sqlite"
_NOWHERE = "192.0.2.1"  # an address for documentation (RFC 5737): asking for the way there sends nothing


class EdgeIdentity:
    """An edge's folder of keys.

    Attributes:
        folder: where they lie.
        authority: signs this edge's certificate and its devices'.
        register: the tokens and devices.
    """

    def __init__(self, folder: Path, authority: Authority, names: Callable[[], Collection[str]]) -> None:
        self.folder = folder
        self.authority = authority
        self._names = names
        self.register = Register(folder / REGISTER)
        self._guard = threading.Lock()
        self._renew_at: datetime | None = None

    @classmethod
    def open(cls, folder: Path, now: datetime, names: Callable[[], Collection[str]] | None = None) -> Self:
        """The identity in a folder; where there is none, one is made.

        Args:
            folder: where it lies.
            now: the time.
            names: tells by which host names and addresses stock clients reach the edge; None: by those that the machine
                itself knows of.

        Raises:
            InputError: the folder cannot be written, or what lies there is damaged.
        """
        certificate, key = private_folder(folder) / AUTHORITY, folder / "authority.key"
        with _locked(folder):  # two edges that are started at once must not make two authorities
            if not certificate.exists():
                created = Authority.create(now)
                write_private(key, created.key)
                write_private(certificate, created.certificate)
        authority = Authority(certificate=read_private(certificate), key=read_private(key))
        bearer_of(authority.certificate)
        return cls(folder, authority, names or names_of_this_machine)

    def credentials(self, now: datetime) -> Credentials:
        """What this edge shows, and whom it accepts.

        The certificate is made anew at the first call, for the machine's addresses may have changed since the last
        start, and from then on when a third of its time is left. Its key stays: two edges that share this folder would
        else pair one's key with the other's certificate.
        """
        shown = Credentials(
            authority=self.folder / AUTHORITY, certificate=self.folder / CERTIFICATE, key=self.folder / KEY
        )
        with self._guard:
            if self._renew_at is None or now >= self._renew_at:
                with _locked(self.folder):
                    key, certificate = self._certified(shown.key, now)
                    write_private(shown.key, key)
                    write_private(shown.certificate, certificate)
                self._renew_at = bearer_of(certificate).renew_at
        return shown

    def _certified(self, path: Path, now: datetime) -> tuple[bytes, bytes]:
        """The key that lies there, or a new one where none does that is any good, and a new certificate for it."""
        names = self._names()
        with suppress(InputError):
            return (key := read_private(path)), self.authority.edge_certificate(key, names, now)
        key = new_key()
        return key, self.authority.edge_certificate(key, names, now)

    def tls(self, now: datetime) -> ssl.SSLContext:
        """The edge's side of TLS towards anybody: a caller need not show a certificate, but who does is checked."""
        shown = self.credentials(now)  # a certificate that is about to end is made anew
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(shown.certificate, shown.key)
        context.load_verify_locations(cadata=self.authority.certificate.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def create_token(self, *, uses: int, lifetime: timedelta, now: datetime) -> Token:
        """A token with which so many devices may join, for a time."""
        token = Token.create(self.authority.fingerprint)
        self.register.add_token(token.secret, uses=uses, lifetime=lifetime, now=now)
        return token

    def __repr__(self) -> str:
        return f"<EdgeIdentity in {self.folder}>"


def own_credentials(folder: Path) -> Credentials:
    """Certificates that somebody else made: `authority.pem`, `edge.pem` and `edge.key` in a folder.

    Raises:
        InputError: one is missing or none of its kind, or certificate and key do not belong together.
    """
    shown = Credentials(authority=folder / AUTHORITY, certificate=folder / CERTIFICATE, key=folder / KEY)
    authority, certificate, key = shown.read()
    try:
        fingerprint(authority)
        check_pair(certificate, key)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    return shown


def names_of_this_machine() -> tuple[str, ...]:
    """The names and addresses by which stock clients may reach it, as far as the machine itself knows them."""
    name = socket.gethostname()
    known = ["localhost", "127.0.0.1", "::1"]
    if name.isascii() and name:
        known.append(name)
        with suppress(OSError):
            known += [str(found[4][0]) for found in socket.getaddrinfo(name, None)]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((_NOWHERE, 9))
        known.append(probe.getsockname()[0])
    return tuple(dict.fromkeys(known))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
