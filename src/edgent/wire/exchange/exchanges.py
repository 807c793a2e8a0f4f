"""Exchanges with an edge, at the device: connected when they are needed, again after a break, given up for calls.

Whatever ends a stream before its answer makes the request a call, with the time that is left: an edge that knows no
exchanges, one that took the place of a newer one, one that has as many streams open as it keeps.
"""

from __future__ import annotations

import socket
import threading
from time import monotonic
from typing import Protocol

from edgent.address import Address
from edgent.clock import Clock
from edgent.errors import EdgeError, InputError
from edgent.identity.credentials import Credentials
from edgent.identity.secured_socket import secured
from edgent.link.slow_start import Window
from edgent.wire import messages as m
from edgent.wire.errors import DATA_LOSS, BrokenError, Damaged, error_of
from edgent.wire.exchange.connection import ExchangeConnection, StreamEnded
from edgent.wire.exchange.http2 import Http2Client
from edgent.wire.exchange.messages import (
    ROOM,
    ReplyHead,
    read_body,
    read_exchange_reply,
    write_exchange_request,
)
from edgent.wire.message_limit import too_large
from edgent.wire.transport import Reply

# Seconds without a further attempt at an edge that has taken no stream: each costs a round trip.
_CALLS_INSTEAD = 30.0


class Calls(Protocol):
    """A channel's calls, and the connection that carries them."""

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.call`."""
        ...

    def window_of_calls(self) -> Window | None:
        """See `Channel.window`."""
        ...


class Exchanges:
    """With one edge; thread-safe.

    Args:
        address: the edge's.
        max_message: bytes of the largest body.
        clock: takes the times of replies.
        calls: what is asked instead where the edge takes no exchange.
        credentials: see `GrpcChannel`.
    """

    def __init__(
        self,
        address: Address,
        *,
        max_message: int,
        clock: Clock,
        calls: Calls,
        credentials: Credentials | None = None,
    ) -> None:
        self._address, self._max_message, self._clock, self._calls = address, max_message, clock, calls
        self._credentials, self._bare = credentials, credentials is not None
        self._lock = threading.Lock()
        self._connection: ExchangeConnection | None = None
        self._calls_until = 0.0
        self._closed = False

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.exchange`."""
        if len(message) > self._max_message:
            raise too_large(message, self._max_message, "what is to be sent")
        # One moment for all that follows: connecting, a stream that ends and the call in its place share the caller's
        # time.
        until = monotonic() + timeout
        connection = self._connected(timeout)
        answered = None if connection is None else self._believed(connection, method, message, until)
        if answered is None:
            return self._calls.call(method, message, until - monotonic())
        head, reply = answered
        # The edge has answered that it will not, or cannot: an error of this request, and the connection stays.
        if head.status:
            words = head.details or f"the edge failed with status {head.status}"
            raise error_of(head.status, words, head.notes.load)
        return reply

    def window(self) -> Window | None:
        """See `Channel.window`."""
        connection = self._connection
        return self._calls.window_of_calls() if connection is None else connection.window()

    def renew(self) -> None:
        """See `Channel.renew`."""
        # Who renews believes that the edge may be another one by now, which may know exchanges.
        self._calls_until = 0.0
        connection = self._connection
        if connection is not None:
            self._let_go(connection, EdgeError(f"the connection to {self._address} was given up"))

    def close(self) -> None:
        """Ends them."""
        # First of all: a thread that connects meanwhile must not leave a connection behind that nobody closes.
        self._closed = True
        self.renew()

    def __repr__(self) -> str:
        return f"<Exchanges with {self._address}: {self._connection or 'not connected'}>"

    def _believed(
        self, connection: ExchangeConnection, method: str, message: bytes, until: float
    ) -> tuple[ReplyHead, Reply] | None:
        """A reply that is as it was sent; None: the edge takes no exchange."""
        try:
            head, reply = self._exchanged(connection, method, message, until)
            # The edge could not read what it was sent: it, too, sees a connection that damages its bytes.
            if head.status == DATA_LOSS:
                raise Damaged(head.details)
            return head, reply
        except StreamEnded:
            # An edge that knows no exchanges is not asked again with each request, for each try costs a round trip.
            self._calls_until = monotonic() + _CALLS_INSTEAD
            self._let_go(connection, EdgeError("the edge takes no exchanges"))
            return None
        except (Damaged, InputError) as error:
            # What follows on a connection that damages its bytes is not to be believed either.
            lost = EdgeError(f"{self._address} is not understood: {error}")
            self._let_go(connection, lost)
            raise lost from error

    def _exchanged(
        self, connection: ExchangeConnection, method: str, message: bytes, until: float
    ) -> tuple[ReplyHead, Reply]:
        messages = write_exchange_request(method, message, until - monotonic(), bare=self._bare)
        # Whatever leaves this block resets the stream, so that the edge stops computing for nobody.
        with connection.begun(messages) as pending:
            first, notes_at = connection.wait(pending, 1, until)
            head = read_exchange_reply(first)
            # Before it is waited for: what is announced must not be gathered if it will be refused.
            if head.follows > self._max_message:
                raise BrokenError(f"an answer of {head.follows:,} bytes, expected at most {self._max_message:,}")
            body, body_at = head.body, notes_at
            if head.follows:
                second, body_at = connection.wait(pending, 2, until)
                body = read_body(second, head.follows, bare=self._bare)
        return head, Reply(
            body=body,
            notes=head.notes,
            sent_at=pending.sent_at,
            notes_at=notes_at,
            body_at=body_at,
            window=pending.window,
        )

    def _connected(self, timeout: float) -> ExchangeConnection | None:
        """The connection, made where there is none; None: calls are to be made instead."""
        if self._closed:
            raise EdgeError(f"the connection to {self._address} was given up")
        # Without a lock: whoever reads it a moment too early or too late makes one call more, or one try.
        if monotonic() < self._calls_until:
            return None
        connection = self._connection
        # One that broke while nobody looked is nobody's failure: it is made anew, as gRPC does with its own.
        if connection is not None and connection.takes_requests:
            return connection
        # Outside of the lock: to connect takes a round trip or a timeout, and others may be closing meanwhile.
        fresh = self._connect(timeout)
        with self._lock:
            # Another thread may have been faster: all share one connection, whose window TCP then knows.
            if self._connection is connection:
                self._connection = fresh
                return fresh
            other = self._connection
        fresh.break_off(EdgeError("another connection was made meanwhile"))
        return other

    def _connect(self, timeout: float) -> ExchangeConnection:
        host, port = self._address.host, self._address.port
        try:
            # Never 0, which a socket takes for not waiting at all.
            connected = socket.create_connection((host, port), max(timeout, 0.001))
            if self._credentials is not None:
                connected = secured(connected, self._credentials, host)
        except OSError as error:
            raise EdgeError(f"the edge {self._address} cannot be reached: {error.strerror or error}") from error
        # Room for what stands around a body, or the largest one allowed would be refused as a message.
        http2 = Http2Client(authority=str(self._address), path=m.EXCHANGE, max_message=self._max_message + ROOM)
        return ExchangeConnection(connected, http2, self._clock)

    def _let_go(self, connection: ExchangeConnection, error: EdgeError) -> None:
        with self._lock:
            # Another thread may have put a new one there already, which has nothing to do with this failure.
            if self._connection is connection:
                self._connection = None
        connection.break_off(error)
