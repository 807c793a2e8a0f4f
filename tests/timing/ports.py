"""Ports of this machine that stay a test's own while nobody listens on them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that the system gives to nobody who wants any; a server that is told this one may listen on it.

    Bound, and nobody listens: who connects is refused. A server shares it by either option of `socket`(7): gRPC's sets
    SO_REUSEPORT, most others SO_REUSEADDR.
    """
    with socket.socket() as held:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            held.setsockopt(socket.SOL_SOCKET, option, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
