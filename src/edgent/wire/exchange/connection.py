"""One connection of exchanges, at the device: a socket, and the callers that wait on it.

No thread of its own: of those that wait, one *leads*. It waits on the socket, takes in what comes for everybody and
writes what is still unsent; when its own reply is there another one takes its place. So a single caller waits in its
own thread, and no other has to wake it. Between exchanges nobody reads: what comes then stays with the kernel, whose
buffer and HTTP/2's windows bound it, and is taken in before the next request.

All that waits fails at once, with the reason, when the connection breaks. A request whose time runs out resets its
stream, so that nothing more of it is sent, at the edge nobody computes for it, and a late reply finds no stream.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

from edgent.clock import Clock
from edgent.errors import EdgeError
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire.errors import LateError
from edgent.wire.exchange.http2 import Http2Client, Message
from edgent.wire.tcp_info import keeps_window, window_of

_PIECE = 262_144  # bytes read at once
# Bytes that the kernel takes before they can be sent: what it has can no longer be overtaken by a shorter message.
_UNSENT = 16_384
# The system waits in whole milliseconds, rounded up; whoever waits for that hands over a late answer.
_ENDS_LATE = 0.001


class StreamEnded(Exception):  # noqa: N818 - a signal inside the wire, which no program meets
    """The edge ended the stream instead of answering: it knows no exchanges, or takes no more. Then it is called."""


@dataclass(slots=True)
class Pending:
    """A request that waits: how it was sent, the messages of its reply, and when each came."""

    stream: int
    window: Window | None
    sent_at: Seconds
    arrived: list[tuple[bytes, Seconds]] = field(default_factory=list)
    ended: bool = False


class ExchangeConnection:
    """See the module; thread-safe.

    Args:
        connected: a socket that is connected; from now on ours.
        http2: of a connection that has just begun.
        clock: takes the times of messages.
    """

    def __init__(self, connected: socket.socket, http2: Http2Client, clock: Clock) -> None:
        self._socket, self._http2, self._clock = connected, http2, clock
        # Nobody may block in it: who holds the lock would keep all others from giving up in time.
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        # Asked once: on each request's way two further system calls would be a tenth of its cost.
        self._keeps_window = sys.platform == "linux" and keeps_window(connected)
        # A thread in `poll` is woken by a file alone, so what changes without the edge's word rings one.
        self._bell, self._ringer = socket.socketpair()  # wakes who leads
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self._poll = select.poll()
        for file in (self._socket, self._bell):
            self._poll.register(file, select.POLLIN)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: dict[int, Pending] = {}
        self._idle: list[int] = []
        self._unsent = b""
        self._is_led = False
        self._error: EdgeError | None = None

    @property
    def takes_requests(self) -> bool:
        """Whether it is whole, as far as is known here."""
        with self._lock:
            # What came between exchanges was read by nobody, and an edge that went away is not asked to answer.
            if not self._is_led and self._error is None:
                self._take_in(self._poll.poll(0))
            if self._http2.goes_away and not self._pending:
                self._break(EdgeError("the edge stops"))
            return self._error is None and not self._http2.goes_away

    @contextlib.contextmanager
    def begun(self, messages: Sequence[Sequence[bytes]]) -> Iterator[Pending]:
        """Sends a request; at the end it is over, or given up.

        Raises:
            EdgeError: the connection is broken.
        """
        with self._lock:
            self._check()
            # The window as it is when the message begins decides how often TCP will wait; asking for it is not the
            # link's time, so the clock is read after it.
            window, sent_at = self.window(), self._clock.now()
            pending = Pending(self._idle.pop() if self._idle else self._http2.open(), window, sent_at)
            # Before anything is written: the answer may be there before this thread is back from the socket.
            self._pending[pending.stream] = pending
            for message in messages:
                self._http2.send(pending.stream, message)
            self._write()
        try:
            yield pending
        except BaseException:
            with self._lock:
                # Given up, late or interrupted alike: nothing more of it is to be sent or computed.
                self._end(pending, answered=False)
            raise
        with self._lock:
            self._end(pending, answered=True)

    def wait(self, pending: Pending, count: int, until: float) -> tuple[bytes, Seconds]:
        """Waits until so many messages of the reply have come: the last one of them, and when it came.

        Args:
            pending: the request.
            count: messages, from the first.
            until: by `time.monotonic`.

        Raises:
            LateError: they have not come by then.
            StreamEnded: see there.
            EdgeError: the connection is broken.
        """
        with self._lock:
            while len(pending.arrived) < count:
                # Each time anew, for whoever led may have found the connection broken.
                self._check()
                if pending.ended:
                    raise StreamEnded("the edge takes no more exchanges on this stream")
                left = until - _ENDS_LATE - monotonic()
                if left <= 0:
                    raise LateError("no answer in the time that was given")
                # One thread at a time may read a socket; the others are told when it has taken something in.
                if self._is_led:
                    self._changed.wait(left)
                else:
                    self._lead(left)
            return pending.arrived[count - 1]

    def window(self) -> Window | None:
        """See `Channel.window`."""
        with contextlib.suppress(OSError):
            return window_of(self._socket, keeps=self._keeps_window)
        return None

    def break_off(self, error: EdgeError) -> None:
        """Ends the connection: whatever waits on it fails with this error."""
        with self._lock:
            self._break(error)

    def __repr__(self) -> str:
        return f"<ExchangeConnection, {len(self._pending)} under way: {self._error or 'up'}>"

    @property
    def _has_unsent(self) -> bool:
        return bool(self._unsent) or self._http2.has_more

    def _check(self) -> None:
        if self._error is not None:
            # A new one for each caller: each is raised in a thread of its own, with a trace of its own.
            raise EdgeError(str(self._error))

    def _lead(self, seconds: float) -> None:
        """Waits once for the socket, without the lock, and takes in what there is."""
        self._is_led = True
        # Only while something is unsent: a socket that can be written to is nearly always ready.
        self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._has_unsent else 0))
        self._lock.release()
        try:
            # Without the lock, or nobody could begin a request while one is waited for.
            ready = self._poll.poll(seconds * 1e3)
        finally:
            self._lock.acquire()
            self._is_led = False
        if self._error is None:
            self._take_in(ready)
            self._write()
        else:
            self._close()  # that was left to us, for a socket must not be closed while it is waited on
        # One of those who wait leads next; who alone waits has nobody to tell.
        if len(self._pending) > 1:
            self._changed.notify_all()

    def _take_in(self, ready: Sequence[tuple[int, int]]) -> None:
        """Takes in what lies in those that are ready."""
        for file, state in ready:
            # The ring says only that there is something to look at; what, is in the state under the lock.
            if file == self._bell.fileno():
                self._bell.recv(64)
            elif state & ~select.POLLOUT:
                self._read()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
            if not data:
                raise EdgeError("the edge has closed the connection")
            self._dispatch(data, self._clock.now())
        except BlockingIOError:
            pass  # what the kernel had announced is not there after all
        # A reset is how a process that was killed says so; whoever waits is to know at once.
        except OSError as error:
            self._break(EdgeError(f"the connection broke: {error.strerror or error}"))
        except EdgeError as error:
            self._break(error)

    def _dispatch(self, data: bytes, at: Seconds) -> None:
        for event in self._http2.receive(data):
            pending = self._pending.get(event.stream)
            # The end of a stream that is idle only takes it from those that may be used again.
            if not isinstance(event, Message):
                if pending is not None:
                    pending.ended = True
                elif event.stream in self._idle:
                    self._idle.remove(event.stream)
            # Streams that were given up are not reported, so this one was never asked for.
            elif pending is None:
                raise EdgeError("an answer came that nobody asked for: this is no edge")
            else:
                pending.arrived.append((event.body, at))

    def _write(self) -> None:
        """Writes a piece of what is unsent; the rest is left to who leads."""
        if self._error is not None or not self._has_unsent:
            return
        # A piece that the kernel took in part stays as it is: frames must not be torn or sent in another order.
        self._unsent = self._unsent or self._http2.next_bytes()
        try:
            # Nothing, where all windows are closed: then there is more only when one opens.
            sent = self._socket.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._break(EdgeError(f"the connection broke: {error.strerror or error}"))
            return
        self._unsent = self._unsent[sent:]
        # Who leads waits for reading alone, as it began with nothing to write: it is to wait for writing as well.
        if self._is_led and self._has_unsent:
            self._ring()

    def _end(self, pending: Pending, *, answered: bool) -> None:
        del self._pending[pending.stream]
        if self._error is not None:
            return
        if pending.ended:
            pass
        # A stream in good order is kept: opening one costs the headers of a call, on either side.
        elif answered and self._http2.is_open(pending.stream):
            self._idle.append(pending.stream)
        else:
            self._http2.reset(pending.stream)
            self._write()
        if self._pending:
            self._changed.notify_all()
        elif self._http2.goes_away:
            self._break(EdgeError("the edge stops"))

    def _break(self, error: EdgeError) -> None:
        if self._error is not None:
            return
        self._error = error
        self._changed.notify_all()
        if self._is_led:
            # Closing it here would pull the file from under the thread that polls it; shutting down wakes that.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._ring()
        else:
            self._close()

    def _ring(self) -> None:
        """Wakes who leads."""
        with contextlib.suppress(BlockingIOError):  # it has rung often enough to be full
            self._ringer.send(b"!")

    def _close(self) -> None:
        for end in (self._socket, self._bell, self._ringer):
            end.close()
