"""gRPC at the device: bytes out and in, foreign errors mapped at this boundary, times taken.

A unary method is *invoked* as unary-stream: the bytes on the wire are the same, but headers and body are delivered
apart, so that uplink and downlink can be told apart without comparing two machines' clocks. An answer that fits into
the packet of its headers has no downlink to be told apart; its headers go behind it (as HTTP/2 trailers), which saves a
packet, and both sides a wake.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import grpc

from edgent.address import Address
from edgent.clock import Clock, MonotonicClock
from edgent.errors import EdgeError, EdgentError
from edgent.identity.credentials import Credentials
from edgent.identity.secured_socket import not_in_plain_text, secured, trouble
from edgent.link.slow_start import Window
from edgent.wire.checksum import check, checksum
from edgent.wire.errors import DATA_LOSS, BrokenError, Damaged, error_of, kind_of
from edgent.wire.exchange.exchanges import Exchanges
from edgent.wire.grpc_options import CHANNEL_OPTIONS, message_limits
from edgent.wire.headers import notes_of
from edgent.wire.message_limit import too_large
from edgent.wire.messages import SERVER_METADATA, SUM
from edgent.wire.tcp_info import SendWindow
from edgent.wire.transport import Reply

# Seconds: gRPC ends a call 1.7 to 3.5 ms after its deadline, and whoever waits for that hands over a late answer.
_ENDS_LATE = 0.0025
# HTTP/2's connection preface and an empty SETTINGS frame; a server answers with SETTINGS of its own: type 4.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_ALERT = b"\x15\x03"  # how a server of TLS begins that says why it hangs up on plain text; most say nothing


class GrpcChannel:
    """A connection to an edge over gRPC.

    Args:
        target: "HOST:PORT".
        max_message: bytes of the largest message either way.
        clock: takes the times of replies.
        credentials: what is shown to the edge, and by what it is known; None: the connection is plain text.

    Raises:
        InputError: `target` is no address.
    """

    def __init__(
        self, target: str, *, max_message: int, clock: Clock | None = None, credentials: Credentials | None = None
    ) -> None:
        address = Address.parse(target)
        self._credentials = credentials
        self.target = str(address)
        self.max_message = max_message
        self._clock = clock or MonotonicClock()
        self._send_window = SendWindow(address.host, address.port)
        self._sums = False
        self._channel = self._open()
        self._exchanges = Exchanges(
            address, max_message=max_message, clock=self._clock, calls=self, credentials=credentials
        )
        # The channel's own methods, so that a request does not pass through here as well.
        self.exchange, self.window = self._exchanges.exchange, self._exchanges.window

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.call`."""
        # gRPC would answer RESOURCE_EXHAUSTED, which here is said of a full queue: the same message would be tried
        # again.
        if len(message) > self.max_message:
            raise too_large(message, self.max_message, "what is to be sent")
        # The window as it is when the message begins decides how often TCP will wait; asking for it is not the link's
        # time, so the clock is read after it.
        window, sent_at = self._send_window.read(), self._clock.now()
        answers = self._start(method, message, timeout)
        with self._mapped(answers):
            # Waits for the headers. Those of a long answer come ahead of its body, so what passes from here on is the
            # downlink alone.
            ahead = answers.initial_metadata()
            notes_at = self._clock.now()
            body = next(answers, None)
            body_at = self._clock.now()
            if body is None:
                raise BrokenError(f"{self.target} ended {method} without an answer")
            if next(answers, None) is not None:  # else the status has come, with the body
                raise BrokenError(f"{self.target} answered {method} with more than one message")
            # The channel connects at its first call, so before there was no socket to be found; and the answer is here
            # already, so that the search delays nobody's measured time.
            if not self._send_window.found:
                self._send_window.look()
            headers = _texts((*ahead, *answers.trailing_metadata()))
            self._check(method, body, headers)
            notes = notes_of(headers)
        return Reply(body=body, notes=notes, sent_at=sent_at, notes_at=notes_at, body_at=body_at, window=window)

    def stream(self, method: str, message: bytes, timeout: float) -> Iterator[bytes]:
        """See `Channel.stream`."""
        answers = self._start(method, message, timeout)
        with self._mapped(answers):
            yield from answers

    def window_of_calls(self) -> Window | None:
        """What a call that is made now may have under way."""
        return self._send_window.read()

    def first_words(self, timeout: float) -> str | None:
        """See `Channel.first_words`: says HTTP/2's greeting and looks whether the answer is HTTP/2."""
        try:
            answer = self._greeted(timeout)
        except ssl.SSLError as error:
            raise BrokenError(trouble(self.target, error)) from None
        except (OSError, ValueError):
            return None
        if self._credentials is not None:
            if not answer:
                raise BrokenError(trouble(self.target, None))
            return None  # who has the right certificate speaks the right protocol
        if not answer or answer.startswith(_ALERT):
            raise BrokenError(not_in_plain_text(self.target))
        # A frame begins with three bytes of length and one of type. An answer too short to tell is not held against the
        # peer.
        is_settings = answer[3:4] == b"\x04" or len(answer) < 4
        return None if is_settings else answer.split(b"\n")[0].decode("latin-1").strip()

    def _greeted(self, timeout: float) -> bytes:
        address = Address.parse(self.target)
        connected = socket.create_connection((address.host, address.port), timeout)
        if self._credentials is not None:
            connected = secured(connected, self._credentials, address.host)
        with connected as peer:
            peer.settimeout(timeout)
            peer.sendall(_GREETING)
            with contextlib.suppress(ConnectionResetError):  # who hangs up on words that he has not read
                return peer.recv(64)
            return b""

    def renew(self) -> None:
        """See `Channel.renew`."""
        # The new one is in its place before the old one fails what waits on it: who tries again at once must meet the
        # new one.
        old, self._channel = self._channel, self._open()
        old.close()
        self._send_window.forget()
        self._exchanges.renew()

    def close(self) -> None:
        """See `Channel.close`."""
        self._channel.close()
        self._exchanges.close()

    def __repr__(self) -> str:
        return f"<GrpcChannel to {self.target}>"

    def _open(self) -> grpc.Channel:
        # Without its scheme gRPC would take some names for one: "unix:80" for a socket in the file system.
        # A target is a URI, and the zone of a link-local address (fe80::1%eth0) has a percent sign.
        target = "dns:///" + self.target.replace("%", "%25")
        options: tuple[tuple[str, int | str], ...] = (*CHANNEL_OPTIONS, *message_limits(self.max_message))
        if self._credentials is None:
            return grpc.insecure_channel(target, options=options)
        if self._credentials.peer_name:
            options = (*options, ("grpc.ssl_target_name_override", self._credentials.peer_name))
        authority, certificate, key = self._credentials.read()
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(authority, key, certificate), options=options)

    def _start(self, method: str, message: bytes, timeout: float) -> Any:
        # TLS has checksums of its own, which nobody on the way can make.
        sums = ((SUM, checksum(method, message, {})),) if self._credentials is None else ()
        try:
            seconds = max(timeout - _ENDS_LATE, 0.0)
            return self._channel.unary_stream(method)(message, timeout=seconds, metadata=sums)
        except ValueError as error:  # "Cannot invoke RPC on closed channel!"
            raise EdgeError(f"the connection to {self.target} was given up") from error

    def _check(self, method: str, body: bytes, headers: dict[str, str]) -> None:
        """Raises where an answer is not as it was sent."""
        try:
            # An edge that has given one always does: an answer without one has lost it, and what else is not known. Who
            # has come in its place may be an older one; that is seen when it is asked who it is.
            self._sums = check(method, body, headers, required=self._sums and method != SERVER_METADATA)
        except Damaged as error:
            raise self._not_understood(error) from error

    def _not_understood(self, why: object) -> EdgeError:
        # No kind of one request's errors: what follows on a connection that damages its bytes is not believed either.
        return EdgeError(f"{self.target} is not understood: {why}")

    @contextlib.contextmanager
    def _mapped(self, answers: Any) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            load = notes_of(_texts(answers.trailing_metadata() or ())).load
            raise self._error(answers.code(), answers.details() or "", load) from error
        finally:
            # A stream that its reader leaves early would otherwise go on filling the link.
            answers.cancel()  # no effect on one that is over

    def _error(self, code: grpc.StatusCode, details: str, load: float) -> EdgentError:
        if code.value[0] == DATA_LOSS:
            return self._not_understood(details)
        kind = kind_of(code.value[0])
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return kind(f"{self.target} speaks another protocol ({details or 'method unknown'}); is it an edge?")
        if kind is EdgeError:
            return kind(f"the edge {self.target} cannot be reached: {details or code.name}")
        return error_of(code.value[0], details or code.name, load)


def _texts(headers: Iterable[tuple[object, object]]) -> dict[str, str]:
    return {str(key): str(value) for key, value in headers}
