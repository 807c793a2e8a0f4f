"""Whether a port is free: looked at by whoever then shares it with itself, so that the system refuses nobody else."""

from __future__ import annotations

import errno
import socket

from edgent.address import Address
from edgent.errors import EdgeError


def check_free(address: Address) -> None:
    """Checks that nobody listens at an address; port 0 is always free.

    Raises:
        EdgeError: somebody does: a second edge on one port is a mistake, and the system would halve the callers.
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
    return EdgeError(f"cannot listen on {address}: it is taken, or no address of this machine")
