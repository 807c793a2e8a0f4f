"""How much TCP may have under way now, read from the kernel for a connection whose socket a library keeps to itself.

The socket is an open file of this process all the same: it tells its peer, and what TCP has learned (Linux' TCP_INFO:
window, timeout, when it last sent). No right is needed for that. Where there is no such thing, or where several
connections lead to the same peer, nothing is known.
"""

from __future__ import annotations

import math
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from edgent.link.slow_start import UNLIMITED, Window, left_by_idling

_FILES = Path("/proc/self/fd")
_RESTARTS = Path("/proc/sys/net/ipv4/tcp_slow_start_after_idle")
# From `struct tcp_info` of linux/tcp.h: tcpi_state, _rto (us), _snd_mss, _last_data_sent (ms), _last_data_recv (ms),
# _rtt (us), _snd_ssthresh and _snd_cwnd (segments).
# By place, which is safe: the kernel only ever appends to this structure.
_INFO = struct.Struct("=B7xI4xI24xI4xI12xI4xII")
_ESTABLISHED = 1
_INITIAL_SEGMENTS = 10  # RFC 6928
_NO_THRESHOLD = 0x7FFFFFFF  # TCP_INFINITE_SSTHRESH
_OWN_MODEL = b"bbr"  # paces by its own idea of the bandwidth, and keeps its window while idle


class SendWindow:
    """The window of this process's one connection to a peer, on the sending side.

    Args:
        host: Of the peer, a name or an address.
        port: Of the peer.

    Attributes:
        found: Whether it was looked for since the connection was made.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host.strip("[]"), port
        self._addresses: frozenset[str] = frozenset()
        self._files: tuple[int, ...] | None = None
        self.found = False

    def look(self) -> None:
        """There is a connection now: finds it among the open files, if that was not done before."""
        # The search takes time in proportion to the process's open files, so it is done once for a connection.
        if self._files is None and _may_look():
            self._files = tuple(file for file in _open_files() if self._of(file))
            self.found = True

    def forget(self) -> None:
        """The connection is given up: the next one has to be found."""
        self._files, self.found = None, False

    def read(self) -> Window | None:
        """What a message that begins now may have under way; None: unknown, or not found yet. Never searches."""
        files = self._files  # once: another thread may give the connection up meanwhile
        if not files or not _may_look():
            return None
        windows = [self._of(file) for file in files]
        # The number of a closed file is used again for the next one, so what was found may have become something else.
        if None in windows:
            self.forget()
        # With several connections to the peer, by somebody else in this process, nobody can say which one carries the
        # message.
        return windows[0] if len(windows) == 1 else None

    def __repr__(self) -> str:
        return f"<SendWindow to {self._host}:{self._port}>"

    def _of(self, file: int) -> Window | None:
        """The window of an open file; None if it is no connection to the peer."""
        with suppress(OSError):  # closed meanwhile, or no socket
            connection = socket.socket(fileno=file)
            try:
                return window_of(connection, keeps=None) if self._leads_there(connection) else None
            finally:
                connection.detach()  # it is not ours to close
        return None

    def _leads_there(self, connection: socket.socket) -> bool:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
            return False
        # An IPv6 socket that speaks to an IPv4 peer names it in mapped form (RFC 4291, 2.5.5.2).
        address, port = connection.getpeername()[:2]
        return bool(port == self._port and address.removeprefix("::ffff:") in self._resolved())

    def _resolved(self) -> frozenset[str]:
        if not self._addresses:
            # Once: a name is resolved by asking a server, and this lies on a request's way.
            answers = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses = frozenset(str(address[0]) for *_, address in answers)
        return self._addresses


def _may_look() -> bool:
    """Whether this platform tells; with a default timeout even a look at somebody's blocking socket would change it."""
    return sys.platform == "linux" and socket.getdefaulttimeout() is None


def _open_files() -> Iterator[int]:
    with suppress(OSError):
        yield from [int(entry.name) for entry in _FILES.iterdir()]


def window_of(connection: socket.socket, *, keeps: bool | None) -> Window | None:
    """What a message that begins now may have under way on a connection.

    Args:
        connection: of TCP.
        keeps: whether idling leaves its window as it is, by `keeps_window`; None: to be found out.

    Raises:
        OSError: it is closed.
    """
    if sys.platform != "linux":
        return None
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    if len(info) < _INFO.size:  # a kernel of long ago, or one that a program plays
        return None
    state, timeout, segment, idle, silence, round_trip, threshold, segments = _INFO.unpack(info)
    if state != _ESTABLISHED:
        return None
    # TCP shrinks the window only when it next sends, so what the kernel states after a pause is still that of before.
    keeps = keeps_window(connection) if keeps is None else keeps
    window, least = float(segments * segment), float(_INITIAL_SEGMENTS * segment)
    return Window(
        size=window if keeps else left_by_idling(window, least, idle / 1e3, timeout / 1e6),
        threshold=UNLIMITED if threshold >= _NO_THRESHOLD else float(threshold * segment),
        patience=math.inf if keeps else (timeout - round_trip) / 1e6,
        least=least,
        silence=silence / 1e3,
    )


def keeps_window(connection: socket.socket) -> bool:
    """Whether idling leaves the window of a connection as it is; on Linux."""
    control = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
    if control.startswith(_OWN_MODEL):
        return True
    with _RESTARTS.open("rb", buffering=0) as setting:  # half the time of read_text, on each answer's way
        return setting.read(1) == b"0"
