"""A listening socket that lets in only so many connections at once, and fewer of them from one host.

They are counted where they are accepted: a connection holds one of the process's files from then on, long before TLS
has been agreed on or anything has been asked. Without files a device opens neither a camera nor a sink.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Any
from weakref import WeakKeyDictionary

MOST = 128
MOST_OF_HOST = 64  # a page that is open has up to six, and behind one address there may be several people


class Door(socket.socket):
    """Takes over a listening socket.

    Args:
        listening: is detached.
        most: connections at once.
        most_of_host: likewise, from one address; with IPv6 from one network of 64 bits, which is what a host is given.
    """

    def __init__(self, listening: socket.socket, most: int = MOST, most_of_host: int = MOST_OF_HOST) -> None:
        super().__init__(listening.family, listening.type, listening.proto, fileno=listening.detach())
        self._most, self._most_of_host = most, most_of_host
        # Asked for what is open, and told of nothing: however a connection ends, it counts no longer.
        self._guests: WeakKeyDictionary[socket.socket, str] = WeakKeyDictionary()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection.

        Raises:
            ConnectionAbortedError: there is no room for it; it has been closed. A server's loop goes on at that.
        """
        guest, address = super().accept()
        host = _network(address[0])
        inside = [self._guests[each] for each in tuple(self._guests) if each.fileno() >= 0]
        if not has_room(inside, host, self._most, self._most_of_host):
            guest.close()
            raise ConnectionAbortedError("no room for more connections")
        self._guests[guest] = host
        return guest, address


def has_room(inside: Sequence[str], host: str, most: int, most_of_host: int) -> bool:
    """Whether one more from a host may come in, beside those who are inside."""
    return len(inside) < most and inside.count(host) < most_of_host


def _network(host: str) -> str:
    """What stands for a host: its address, and of IPv6's the half that it has not chosen itself."""
    if ":" not in host:
        return host
    return IPv6Address(host.partition("%")[0]).exploded[:19]
