"""How much TCP may have under way now, read from the kernel for a connection whose socket a library keeps to itself.

The socket is an open file of this process all the same: it tells its peer, and what TCP has learned (Linux' TCP_INFO:
window, timeout, when it last sent). No right is needed for that. Where there is no such thing, or where several
connections lead to the same peer, nothing is known.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgent.link.slow_start import left_by_idling

_FILES = Path("/proc/self/fd")
_RESTARTS = Path("/proc/sys/net/ipv4/tcp_slow_start_after_idle")
# From `struct tcp_info` of linux/tcp.h: tcpi_state, _rto (us), _snd_mss, _last_data_sent (ms), _snd_cwnd (segments).
_INFO = struct.Struct("=B7xI4xI24xI32xI")
_ESTABLISHED = 1
_INITIAL_SEGMENTS = 10  # RFC 6928
_OWN_MODEL = b"bbr"  # paces by its own idea of the bandwidth, and keeps its window while idle


class SendWindow:
    """The window of this process's one connection to a peer, on the sending side.

    Args:
        host: Of the peer, a name or an address.
        port: Of the peer.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host.strip("[]"), port
        self._addresses: frozenset[str] = frozenset()
        self._file: int | None = None

    def read(self) -> float | None:
        """Bytes that a message which begins now may have under way at once; None: unknown."""
        if socket.getdefaulttimeout() is not None:
            return None  # then even a look at somebody's blocking socket would change it
        with suppress(OSError):
            if self._file is not None and (window := self._of(self._file)) is not None:
                return window
        with suppress(OSError):
            found = list(self._windows())
            self._file, window = found[0] if len(found) == 1 else (None, None)
            return window
        return None

    def __repr__(self) -> str:
        return f"<SendWindow to {self._host}:{self._port}>"

    def _windows(self) -> Iterator[tuple[int, float]]:
        for entry in _FILES.iterdir():
            with suppress(OSError):  # closed meanwhile, or no socket
                if (window := self._of(file := int(entry.name))) is not None:
                    yield file, window

    def _of(self, file: int) -> float | None:
        """The window of an open file; None if it is no connection to the peer."""
        connection = socket.socket(fileno=file)
        try:
            return _window(connection) if self._leads_there(connection) else None
        finally:
            connection.detach()  # it is not ours to close

    def _leads_there(self, connection: socket.socket) -> bool:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
            return False
        address, port = connection.getpeername()[:2]
        return bool(port == self._port and address.removeprefix("::ffff:") in self._resolved())

    def _resolved(self) -> frozenset[str]:
        if not self._addresses:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses = frozenset(str(address[0]) for *_, address in found)
        return self._addresses


def _window(connection: socket.socket) -> float | None:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    state, timeout, segment, idle, segments = _INFO.unpack(info)
    if state != _ESTABLISHED:
        return None
    window = float(segments * segment)
    if _keeps(connection):
        return window
    return left_by_idling(window, _INITIAL_SEGMENTS * segment, idle / 1e3, timeout / 1e6)


def _keeps(connection: socket.socket) -> bool:
    """Whether idling leaves the window as it is."""
    control = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    return control.startswith(_OWN_MODEL) or _RESTARTS.read_text().strip() == "0"
