"""What a device keeps of a joined edge: its certificate, its key and the authority, a folder per edge.

Reading it needs no cryptography: whether the certificate is good is seen by the edge, and when it ends stands in a
small document beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from edgent import document
from edgent.address import Address
from edgent.errors import InputError
from edgent.identity.credentials import EDGE_NAME, Credentials
from edgent.identity.folder import data_folder, private_folder, read_private, write_private

AUTHORITY, CERTIFICATE, KEY, JOINED = "authority.pem", "device.pem", "device.key", "joined.json"
OWN = "own.json"  # in place of `JOINED`: the certificates are somebody else's, who looks after them


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Where a device joined, and as whom.

    Attributes:
        name: the device's.
        edge: HOST:PORT where the edge answers.
        joins_at: HOST:PORT where it lets devices join and renews certificates.
        renew_at: when to ask for a new certificate, in seconds since 1970.
        ends_at: when the certificate ends, likewise.
    """

    name: str
    edge: str
    joins_at: str
    renew_at: float
    ends_at: float

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads what `keep` wrote.

        Raises:
            InputError: it is missing or damaged.
        """
        path = folder / JOINED
        try:
            found = document.parse(read_private(path).decode("utf-8", "replace"))
            if not isinstance(found, dict) or found.keys() != set(document.keys_of(cls)):
                raise InputError("found other keys")
            if not (all(isinstance(found[key], str) for key in ("name", "edge", "joins_at"))):
                raise InputError("found no names")
            if not all(isinstance(found[key], int | float) for key in ("renew_at", "ends_at")):
                raise InputError("found no times")
        except InputError as error:
            raise InputError(f"{path}: {error}; join the edge again") from None
        return cls(**found)


def joined_folder(edge: str) -> Path:
    """Where a device keeps what it needs to connect to an edge at HOST:PORT."""
    address = Address.parse(edge)
    return data_folder() / "joined" / f"{address.host.replace(':', '_')}_{address.port}"


def keep(folder: Path, joined: Joined, *, authority: bytes, certificate: bytes, key: bytes) -> None:
    """Writes all of it; the document comes last, so that what is unfinished is not taken for joined."""
    _write(folder, authority, certificate, key)
    write_private(folder / JOINED, json.dumps(asdict(joined), indent=1).encode())
    (folder / OWN).unlink(missing_ok=True)


def keep_own(edge: str, given: Path) -> None:
    """Keeps certificates of one's own authority, to be shown to an edge at HOST:PORT from now on.

    Args:
        edge: where it answers; its certificate must have this name or address.
        given: a folder with `authority.pem`, `device.pem` and `device.key`.

    Raises:
        InputError: one is missing or none of its kind, or certificate and key do not belong together.
    """
    from edgent.identity.certificates import check_pair, fingerprint  # which only who joins needs

    authority, certificate, key = (read_private(given / name) for name in (AUTHORITY, CERTIFICATE, KEY))
    try:
        fingerprint(authority)
        check_pair(certificate, key)
    except InputError as error:
        raise InputError(f"{given}: {error}") from None
    folder = joined_folder(edge)
    _write(folder, authority, certificate, key)
    write_private(folder / OWN, json.dumps({"edge": edge}).encode())
    (folder / JOINED).unlink(missing_ok=True)


def _write(folder: Path, authority: bytes, certificate: bytes, key: bytes) -> None:
    private_folder(folder)
    write_private(folder / KEY, key)
    write_private(folder / AUTHORITY, authority)
    write_private(folder / CERTIFICATE, certificate)


def credentials_for(edge: str) -> Credentials | None:
    """What a device shows to an edge at HOST:PORT, where it has joined it; else None."""
    folder = joined_folder(edge)
    if (folder / OWN).exists():
        # One's own authority gives no certificate by the name that is ours: the address is checked.
        return replace(credentials_in(folder), peer_name="")
    return credentials_in(folder) if (folder / JOINED).exists() else None


def credentials_towards(edge: str, *, insecure: bool) -> Credentials | None:
    """What a device shows to an edge at HOST:PORT; None: it speaks plain text.

    Args:
        edge: where it is.
        insecure: whether plain text may leave this machine, where everybody on the way can read and change it.

    Raises:
        InputError: the device has not joined this edge, and the edge is on another machine.
    """
    credentials = credentials_for(edge)
    if credentials is None and not insecure and not Address.parse(edge).is_loopback:
        raise InputError(
            f"this device has not joined the edge {edge}: use `edgent join`, or say --insecure (insecure=True) to "
            "speak plain text, which everybody on the way can read and change"
        )
    return None if insecure else credentials


def credentials_in(folder: Path) -> Credentials:
    """What lies in a device's folder of one edge."""
    return Credentials(
        authority=folder / AUTHORITY, certificate=folder / CERTIFICATE, key=folder / KEY, peer_name=EDGE_NAME
    )
