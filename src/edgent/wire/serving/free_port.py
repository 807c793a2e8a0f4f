"""Whether one can listen at an address, looked at beforehand: what the system says later tells too little."""

from __future__ import annotations

import errno
import socket
from typing import Any

from edgent.address import Address
from edgent.errors import EdgeError, InputError


def check_ours(address: Address) -> None:
    """Checks that this machine has the address, whatever the port.

    Raises:
        InputError: no machine is called so, or another one is.
    """
    try:
        found = socket.getaddrinfo(address.host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        found = []
    # Of a name's addresses one is enough: the system may have no IPv6.
    if not any(_is_ours(family, place) for family, *_, place in found):
        raise InputError(
            f"cannot listen on {address}: found no address of this machine by the name {address.host!r}; name one, as "
            "127.0.0.1, or 0.0.0.0 for all"
        )


def _is_ours(family: int, place: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(place)
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def check_free(address: Address) -> None:
    """Checks that nobody listens at an address; port 0 is always free.

    Raises:
        EdgeError: somebody does. A second edge on one port is a mistake, and the system would halve the callers.
    """
    if not address.port:
        return
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return  # who listens says so in its own words
    for family, kind, protocol, _, place in found:
        with socket.socket(family, kind, protocol) as probe:
            # Connections that an edge before this one has ended are no reason to wait.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(place)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise taken(address) from None


def taken(address: Address) -> EdgeError:
    """The error of who cannot listen there."""
    return EdgeError(f"cannot listen on {address}: it is taken, or not for this user; name another port")
