"""The shaped link's inside: a TCP proxy that passes bytes when its lanes say so.

One process, one thread, one selector. Each accepted connection gets one of its own to the target, and two pipes: up
and down. A pipe reads from its source while its lane has room for it, so that a sender feels the rate; what the lane
hands out goes to its sink at once. The owner's orders (`set`, `cut`, `restore`, `counts`, `stop`) come as JSON lines
over a socket pair and are answered when they are in force; when the owner is gone, so is the proxy.

Where segments follow each other faster than `QUANTUM` they are passed in groups, but the last one known of in time.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import socket
import struct
import sys
import termios
from dataclasses import asdict, dataclass, field
from random import Random

from edgent.lab.links.punctual import EVENT_READ, EVENT_WRITE, PunctualSelector, now
from edgent.lab.links.shaping import SEGMENT_BYTES, Lane
from edgent.lab.processes.orders import Does, Orders, answer
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

# A wake-up for every segment would take the host's time at high rates: at 100 Mbit/s they follow each other in 0.1 ms.
QUANTUM = 500e-6
ROOM = 0.02  # a pipe's share of its lane, in seconds of the lane's rate: covers late wake-ups
# Small, so that bytes wait in the lane, where they are counted, and not in the kernel, where the sender thinks them
# sent.
BUFFER_BYTES = 64 * 1024  # of the kernel, for each side of a connection


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """What the proxy connects, and the link that it plays."""

    target: tuple[str, int]
    uplink: BitsPerSecond
    downlink: BitsPerSecond
    round_trip: Seconds
    burst: int
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCounts:
    """What has passed through the link so far.

    Attributes:
        up_bytes: Payload towards the target.
        up_wire_bytes: The same with packet headers.
        down_bytes: Payload from the target.
        down_wire_bytes: The same with packet headers.
        connections: Accepted so far.
        worst_lateness: The latest wake-up of the proxy since the last count, in seconds: what the host did to it.
    """

    up_bytes: int
    up_wire_bytes: int
    down_bytes: int
    down_wire_bytes: int
    connections: int
    worst_lateness: float


@dataclass(eq=False)
class _End:
    """One of the two sockets of a connection."""

    sock: socket.socket
    connected: bool
    watched: int = 0


@dataclass(eq=False)
class _Pipe:
    """One direction of a connection."""

    source: _End
    sink: _End
    lane: Lane[_Pipe]
    waiting: int = 0  # bytes in the lane, those that fly too
    more: bool = False  # the kernel holds more than there was room for
    ended: bool = False  # the source will send no more
    outbox: bytearray = field(default_factory=bytearray)  # arrived, but the sink takes no more
    finished: bool = False  # all has arrived, the end too
    other: _Pipe = field(init=False)


class Proxy:
    """See the module. `run` returns when there are no more orders."""

    def __init__(self, settings: LinkSettings) -> None:
        start, delay = now(), Seconds(settings.round_trip / 2)
        self._target = settings.target
        self._up: Lane[_Pipe] = Lane(rate=settings.uplink, delay=delay, burst=settings.burst, now=start)
        self._down: Lane[_Pipe] = Lane(rate=settings.downlink, delay=delay, burst=settings.burst, now=start)
        self._pipes: dict[_Pipe, None] = {}  # in order of their making
        self._selector = PunctualSelector()
        does: Does = {"set": self._set, "cut": self._cut, "restore": self._restore, "counts": self._counts}
        self._orders = Orders(does)
        self._cut_at: Seconds | None = None
        self._refusing = False
        self._corrupted, self._dropped, self._random = 0.0, 0.0, Random(0)
        self._connections = 0
        self._bound = _bound((settings.host, settings.port))  # keeps the port while connections are refused
        self._listener = self._listening()
        self._selector.register(self._orders.file, EVENT_READ, self._orders.obey)
        self._selector.register(self._listener, EVENT_READ, self._accept)

    def run(self) -> None:
        """Serves until there are no more orders."""
        try:
            answer({"port": self._bound.getsockname()[1]})
            while not self._orders.ended:
                self._turn()
        finally:
            for pipe in list(self._pipes):
                self._abort(pipe)
            self._selector.close()
            self._listener.close()
            self._bound.close()

    # One turn of the loop.

    def _turn(self) -> None:
        for ready, mask in self._selector.wait(self._wake_at()):
            ready(mask)
        # While the link is cut only orders are followed: bytes neither enter nor leave the lanes.
        if self._cut_at is not None:
            return
        for lane in (self._up, self._down):
            for pipe, data in lane.step(now()):
                self._arrive(pipe, data)
            # A lane may rest only if nothing more stands in the kernel's buffers: otherwise a busy link would lose its
            # credit while the proxy fetches the next bytes.
            if not any(pipe.more and not pipe.outbox for pipe in self._pipes if pipe.lane is lane):
                lane.rest()

    def _wake_at(self) -> float:
        if self._cut_at is not None:
            return float("inf")
        # Not before the next event, and in groups of a quantum; but if everything ends earlier, exactly at its end: a
        # latency is measured by the last byte of a message, which must not wait for a group.
        soon = now() + QUANTUM
        return min(max(lane.next_at(), min(soon, lane.last_at())) for lane in (self._up, self._down))

    # Connections.

    def _listening(self) -> socket.socket:
        listener = _bound(self._bound.getsockname())
        listener.listen()
        return listener

    def _accept(self, _mask: int) -> None:
        if self._cut_at is not None:
            return
        try:
            near, _ = self._listener.accept()
        except OSError:  # it gave up while it stood in the queue
            return
        self._connections += 1
        far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        near_end, far_end = _End(_prepared(near), connected=True), _End(_prepared(far), connected=False)
        up, down = _Pipe(near_end, far_end, self._up), _Pipe(far_end, near_end, self._down)
        up.other, down.other = down, up
        self._pipes |= {up: None, down: None}
        # Without blocking: the connection is there when the socket can be written to (`_ready`).
        if far.connect_ex(self._target) in (0, errno.EINPROGRESS):
            self._watch(up)
        else:
            self._abort(up)

    def _watch(self, pipe: _Pipe) -> None:
        """Asks the selector for what the two ends of a connection can do now."""
        for reading, writing in ((pipe, pipe.other), (pipe.other, pipe)):
            end = reading.source
            wanted = 0
            # No reading without room: the kernel's buffer fills, TCP's window closes, and the sender slows down as on a
            # real link.
            if end.connected and self._room(reading) > 0:
                wanted |= EVENT_READ
            if not end.connected or writing.outbox:
                wanted |= EVENT_WRITE
            self._ask(reading, wanted)

    def _ask(self, reading: _Pipe, wanted: int) -> None:
        end = reading.source
        if wanted == end.watched:
            return
        if not end.watched:
            self._selector.register(end.sock, wanted, functools.partial(self._ready, reading))
        elif wanted:
            self._selector.modify(end.sock, wanted, functools.partial(self._ready, reading))
        else:
            self._selector.unregister(end.sock)
        end.watched = wanted

    def _ready(self, pipe: _Pipe, mask: int) -> None:
        """The source of `pipe`, which is the sink of the other, is ready."""
        end = pipe.source
        if pipe not in self._pipes or self._cut_at is not None:
            return  # another event of the same turn ended or stopped it
        if mask & EVENT_WRITE and not end.connected:
            # The outcome of a connection made without blocking stands in SO_ERROR, not in an exception.
            end.connected = not end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not end.connected:
                self._abort(pipe)
                return
        if mask & EVENT_READ:
            self._read(pipe)
        if mask & EVENT_WRITE:
            self._flush(pipe.other)
        else:
            self._watch(pipe)

    def _room(self, pipe: _Pipe) -> int:
        if pipe.ended:
            return 0
        # What flies counts too, so the room is the lane's rate times its delay and a little more; otherwise a long
        # delay would limit the rate.
        kept_busy = int(pipe.lane.rate * (ROOM + pipe.lane.delay) / BITS_PER_BYTE)
        return max(4 * SEGMENT_BYTES, kept_busy) - pipe.waiting - len(pipe.outbox)

    def _read(self, pipe: _Pipe) -> None:
        room = self._room(pipe)
        if room <= 0:
            return
        try:
            data = pipe.source.sock.recv(room)
        except BlockingIOError:
            return
        except OSError:  # broken off: what came before it still arrives, then the end
            data = b""
        pipe.ended = not data
        pipe.more = len(data) == room and _unread(pipe.source.sock)
        pipe.waiting += len(data)
        pipe.lane.offer(pipe, data, now())

    def _arrive(self, pipe: _Pipe, data: bytes) -> None:
        if pipe not in self._pipes:
            return
        pipe.waiting -= len(data)
        pipe.outbox += self._spoilt(data)
        # No bytes are the end of the stream: it travels through the lane as everything else, after all that came before
        # it.
        pipe.finished |= not data
        self._flush(pipe)

    def _spoilt(self, data: bytes) -> bytes:
        """A segment as it arrives: now and then not, or with a byte changed, as where a box on the way is broken."""
        # TCP's checksum was right on the way here and will be right on the way on, so nobody but the reader can notice.
        if data and self._random.random() < self._dropped:
            return b""
        if not data or self._random.random() >= self._corrupted:
            return data
        place = self._random.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]

    def _flush(self, pipe: _Pipe) -> None:
        if not pipe.sink.connected:
            return
        try:
            if pipe.outbox:
                del pipe.outbox[: pipe.sink.sock.send(pipe.outbox)]
            if pipe.finished and not pipe.outbox:
                pipe.sink.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._abort(pipe)
            return
        # Both directions have ended in order: now the sockets may be closed without a reset.
        if all(one.finished and not one.outbox for one in (pipe, pipe.other)):
            self._abort(pipe, reset=False)
        else:
            self._watch(pipe)

    def _abort(self, pipe: _Pipe, *, reset: bool = True) -> None:
        """Closes a connection on both sides."""
        if pipe not in self._pipes:
            return
        for one in (pipe, pipe.other):
            del self._pipes[one]
            one.lane.drop(one)
            self._ask(one, 0)
            if reset:
                with contextlib.suppress(OSError):
                    # Linger of 0 makes close send a reset, so that the peers notice a broken connection at once.
                    one.source.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.source.sock.close()

    # The owner's orders.

    def _set(
        self,
        uplink: float | None,
        downlink: float | None,
        round_trip: float | None,
        corrupted: float | None,
        dropped: float | None,
    ) -> None:
        self._corrupted = self._corrupted if corrupted is None else corrupted
        self._dropped = self._dropped if dropped is None else dropped
        # During a cut time stands still for the lanes; a change counts from the instant of the cut.
        at = now() if self._cut_at is None else self._cut_at
        delay = None if round_trip is None else Seconds(round_trip / 2)
        self._up.change(rate=None if uplink is None else BitsPerSecond(uplink), delay=delay, now=at)
        self._down.change(rate=None if downlink is None else BitsPerSecond(downlink), delay=delay, now=at)
        for pipe in self._pipes:
            if self._cut_at is None:
                self._watch(pipe)

    def _cut(self, refuse: bool) -> None:
        if self._cut_at is None:
            self._cut_at = now()
            self._selector.unregister(self._listener)
            for pipe in self._pipes:
                self._ask(pipe, 0)
        if refuse and not self._refusing:
            self._refusing = True
            self._listener.close()
            for pipe in list(self._pipes):
                self._abort(pipe)

    def _restore(self) -> None:
        if self._cut_at is not None:
            for lane in (self._up, self._down):
                # What was under way when the link was cut arrives later by the length of the cut.
                lane.shift(now() - self._cut_at)
            if self._refusing:
                self._listener = self._listening()
            self._cut_at, self._refusing = None, False
            self._selector.register(self._listener, EVENT_READ, self._accept)
            for pipe in self._pipes:
                self._watch(pipe)

    def _counts(self) -> dict[str, object]:
        counts = LinkCounts(
            up_bytes=self._up.payload_bytes,
            up_wire_bytes=self._up.wire_bytes,
            down_bytes=self._down.payload_bytes,
            down_wire_bytes=self._down.wire_bytes,
            connections=self._connections,
            worst_lateness=self._selector.worst_lateness(),
        )
        return asdict(counts)


def _bound(address: tuple[str, int]) -> socket.socket:
    sock = _prepared(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # A port whose last connections still linger in TIME_WAIT may be bound again: a restored link keeps its address.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _prepared(sock: socket.socket) -> socket.socket:
    """Never blocks, no waiting for company, small buffers, and nobody else's pacing (a host's default may be BBR)."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Small, so that bytes wait in the lane, where they are counted, and not in the kernel, where the sender thinks them
    # sent.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    return sock


def _unread(sock: socket.socket) -> bool:
    return fcntl.ioctl(sock, termios.FIONREAD, bytes(4)) != bytes(4)


def main(arguments: list[str]) -> int:
    """`python -m edgent.lab.links.proxy SETTINGS`, which are JSON."""
    settings = json.loads(arguments[0])
    settings["target"] = tuple(settings["target"])
    try:
        proxy = Proxy(LinkSettings(**settings))
    except OSError as error:
        answer({"failed": str(error)})
        return 1
    proxy.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
