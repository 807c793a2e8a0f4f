"""gRPC: the only file that knows it. Bytes in and out, foreign errors mapped at this boundary, times taken.

Both sides see methods as `edgent.wire.transport` has them. A unary method is *invoked* as unary-stream by our
channel: the bytes on the wire are the same, but headers and body are delivered apart, so that uplink and downlink can
be told apart without comparing two machines' clocks. An answer that fits into the packet of its headers has no downlink
to be told apart; its headers go behind it (as HTTP/2 trailers), which saves a packet, and both sides a wake.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace
from typing import Any

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own log goes to stderr, among our lines

import grpc

from edgent.address import Address
from edgent.clock import Clock, MonotonicClock
from edgent.errors import EdgeError, EdgentError
from edgent.identity.credentials import Credentials
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire.errors import CANCELLED, ORDINARY, BrokenError, kind_of, status_of
from edgent.wire.exchange_service import ExchangeService
from edgent.wire.exchanges import Exchanges
from edgent.wire.message_limit import too_large
from edgent.wire.messages import EXCHANGE
from edgent.wire.notes import NOTHING, Notes, headers_of, notes_of
from edgent.wire.tcp_info import SendWindow
from edgent.wire.transport import PACKET, Methods, Reply, Streaming, Unary

_log = logging.getLogger("edgent.edge")

_STATUS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

# Seconds: gRPC ends a call 1.7 to 3.5 ms after its deadline, and whoever waits for that hands over a late answer.
_ENDS_LATE = 0.0025
_CALLERS = 256  # connections whose sockets are remembered
# Streams that devices may keep open, each with a thread that sleeps between requests. Who finds no place is called.
_MOST_STREAMS = 256
_ROOM = 4_096  # bytes of an exchange's message beside its body
_UNREAD = b""  # what no caller shows
_FOREVER = 1e9  # gRPC states a missing deadline as a huge one
# HTTP/2's connection preface and an empty SETTINGS frame; a server answers with SETTINGS of its own: type 4.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_CHANNEL_OPTIONS = (
    # After an outage gRPC would wait up to two minutes between attempts, and 20 s for one that gets no answer.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 1000),
    # A renewed channel must not inherit a dead connection from the process-wide pool.
    ("grpc.use_local_subchannel_pool", 1),
    ("SingleThreadedUnaryStream", 1),  # the calling thread itself waits on the socket: a third less latency
    # The last resort against a connection that died in silence; `Watch` notices sooner. A slow link that is
    # busy with a large tensor answers no ping for seconds, and must not be taken for dead.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)
_SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second edge on the same port is a mistake, not a helper
    # The counterparts of the channel's keepalive: who pings more often than a server allows gets strikes, and loses the
    # connection after some; 0 means that they are not counted.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)


def _limits(max_message: int) -> tuple[tuple[str, int], ...]:
    # gRPC by itself receives at most 4 MiB, which a camera's image or a boundary of a large model exceeds.
    most = max_message + _ROOM
    return (("grpc.max_send_message_length", most), ("grpc.max_receive_message_length", most))


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
            next(answers, None)  # the status, which came with the body
            # The channel connects at its first call, so before there was no socket to be found; and the answer is here
            # already, so that the search delays nobody's measured time.
            if not self._send_window.found:
                self._send_window.look()
            notes = notes_of({str(key): str(value) for key, value in (*ahead, *answers.trailing_metadata())})
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
        address = Address.parse(self.target)
        try:
            with socket.create_connection((address.host, address.port), timeout) as peer:
                peer.settimeout(timeout)
                peer.sendall(_GREETING)
                answer = peer.recv(64)
        except (OSError, ValueError):
            return None
        # A frame begins with three bytes of length and one of type. An answer too short to tell is not held against the
        # peer.
        is_settings = answer[3:4] == b"\x04" or len(answer) < 4
        return None if is_settings else answer.split(b"\n")[0].decode("latin-1").strip()

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
        options: tuple[tuple[str, int | str], ...] = (*_CHANNEL_OPTIONS, *_limits(self.max_message))
        if self._credentials is None:
            return grpc.insecure_channel(target, options=options)
        if self._credentials.peer_name:
            options = (*options, ("grpc.ssl_target_name_override", self._credentials.peer_name))
        authority, certificate, key = self._credentials.read()
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(authority, key, certificate), options=options)

    def _start(self, method: str, message: bytes, timeout: float) -> Any:
        try:
            return self._channel.unary_stream(method)(message, timeout=max(timeout - _ENDS_LATE, 0.0))
        except ValueError as error:  # "Cannot invoke RPC on closed channel!"
            raise EdgeError(f"the connection to {self.target} was given up") from error

    @contextlib.contextmanager
    def _mapped(self, answers: Any) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise self._error(answers.code(), answers.details() or "") from error
        finally:
            # A stream that its reader leaves early would otherwise go on filling the link.
            answers.cancel()  # no effect on one that is over

    def _error(self, code: grpc.StatusCode, details: str) -> EdgentError:
        kind = kind_of(code.value[0])
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return kind(f"{self.target} speaks another protocol ({details or 'method unknown'}); is it an edge?")
        if kind is EdgeError:
            return kind(f"the edge {self.target} cannot be reached: {details or code.name}")
        return kind(details or code.name)


@functools.lru_cache(_CALLERS)
def _send_window(peer: str) -> SendWindow:
    """Towards a caller, by gRPC's name for it: "ipv4:192.0.2.7:40312", "ipv6:%5B::1%5D:40312"."""
    # Kept, for the search goes through all open files of the process, and a caller stays on its connection.
    host, _, port = urllib.parse.unquote(peer).partition(":")[2].rpartition(":")
    return SendWindow(host, int(port) if port.isdigit() else 0)


class _GrpcCall:
    """A call as the edge sees it, over gRPC's context."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context
        self._certificate: bytes | None = _UNREAD
        self._notes = NOTHING

    def time_remaining(self) -> Seconds | None:
        left = self._context.time_remaining()
        return None if left is None or left > _FOREVER else Seconds(left)

    def window(self) -> Window | None:
        to_caller = _send_window(self._context.peer())
        to_caller.look()
        return to_caller.read()

    def given_up(self) -> bool:
        return not self._context.is_active()

    def certificate(self) -> bytes | None:
        # The same for all requests of a stream, which ask again and again.
        if self._certificate is _UNREAD:
            shown = self._context.auth_context().get("x509_pem_cert", ())
            self._certificate = bytes(shown[0]) if shown else None
        return self._certificate

    def note(self, notes: Notes) -> None:
        # Whether they go ahead or behind is decided by the length of the body, which is not known yet.
        self._notes = notes

    def send_headers(self, body: bytes) -> None:
        headers = tuple(headers_of(self._notes).items()) if self._notes is not NOTHING else ()
        # Headers ahead cost a packet, and a wake on either side; only a long body has a downlink for them to mark off.
        if len(body) > PACKET:
            self._context.send_initial_metadata(headers)
        else:
            self._context.set_trailing_metadata(headers)


class GrpcServer:
    """Offers methods over gRPC.

    Args:
        methods: by path.
        host: name or IP address to listen on.
        port: 0 picks a free one.
        max_message: bytes of the largest message either way.
        threads: calls served at once, waiting ones included; streams that are kept open have threads of their own.
        credentials: what is shown to callers, and of whom they must show a certificate; None: connections are plain
            text, and callers nobody.

    Raises:
        InputError: no such host or port.
        EdgeError: the port is taken, or the address is not this machine's.
    """

    def __init__(
        self,
        methods: Methods,
        *,
        host: str,
        port: int,
        max_message: int,
        threads: int,
        credentials: Credentials | None = None,
    ) -> None:
        address = Address(host=host, port=port)
        pool = futures.ThreadPoolExecutor(threads + _MOST_STREAMS, thread_name_prefix="edgent-edge")
        self._server = grpc.server(pool, options=(*_SERVER_OPTIONS, *_limits(max_message)))
        self._server.add_generic_rpc_handlers((_Handlers(methods, max_message),))
        try:
            # Some versions of gRPC raise where the port is taken, others return 0.
            if credentials is None:
                self.port = self._server.add_insecure_port(str(address))
            else:
                self.port = self._server.add_secure_port(str(address), _server_credentials(credentials))
        except RuntimeError:
            self.port = 0
        if self.port == 0:
            raise EdgeError(f"cannot listen on {address}: it is taken, or no address of this machine")
        self.address = str(replace(address, port=self.port))

    def start(self) -> None:
        """Begins to serve."""
        self._server.start()

    def stop(self, grace: float = 0.0) -> None:
        """Ends serving; calls under way get `grace` seconds."""
        self._server.stop(grace).wait()

    def __repr__(self) -> str:
        return f"<GrpcServer on {self.address}>"


def _server_credentials(credentials: Credentials) -> grpc.ServerCredentials:
    authority, certificate, key = credentials.read()
    return grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
    def __init__(self, methods: Methods, max_message: int) -> None:
        self._handlers = {path: _handler(path, method) for path, method in methods.items()}
        self._handlers[EXCHANGE] = _exchange_handler(methods, max_message)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        # To None gRPC itself answers UNIMPLEMENTED, by which a caller knows that it speaks to the wrong program.
        return self._handlers.get(handler_call_details.method)


def _exchange_handler(methods: Methods, max_message: int) -> grpc.RpcMethodHandler:
    places, clock = threading.BoundedSemaphore(_MOST_STREAMS), MonotonicClock()

    def handle(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        if not places.acquire(blocking=False):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{_MOST_STREAMS} streams are open here: call instead")
        try:
            failed = functools.partial(_status, context.peer())
            service = ExchangeService(methods=methods, clock=clock, max_message=max_message, failed=failed)
            yield from service.answers(messages, _GrpcCall(context))
        finally:
            places.release()

    return grpc.stream_stream_rpc_method_handler(handle)


def _handler(path: str, method: Unary | Streaming) -> grpc.RpcMethodHandler:
    # Without serialisers gRPC hands bytes through as they are: parsing is the room's own, so that what is no message
    # gives our error and not gRPC's.
    if isinstance(method, Unary):
        return grpc.unary_unary_rpc_method_handler(_guarded(path, method.answer))
    return grpc.unary_stream_rpc_method_handler(_guarded_stream(path, method.answer))


def _guarded(path: str, answer: Callable[[bytes, Any], bytes]) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def handle(message: bytes, context: grpc.ServicerContext) -> bytes:
        with _refusing(path, context):
            call = _GrpcCall(context)
            body = answer(message, call)
            call.send_headers(body)
            return body

    return handle


def _guarded_stream(
    path: str, answer: Callable[[bytes, Any], Iterator[bytes]]
) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
    def handle(message: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        with _refusing(path, context):
            yield from answer(message, _GrpcCall(context))

    return handle


@contextlib.contextmanager
def _refusing(path: str, context: grpc.ServicerContext) -> Iterator[None]:
    """The edge's guard: whatever goes wrong with one request is one line, and the next one is served."""
    try:
        yield
        return
    except grpc.RpcError:  # the caller went away while its headers were sent
        number, details = CANCELLED, "the caller has gone"
    except Exception as error:
        number, details = _status(context.peer(), path, error)
    # Outside of the `try`: `abort` itself raises, and would be taken for one more failure of the method.
    context.abort(_STATUS[number], details)


def _status(peer: str, path: str, error: Exception) -> tuple[int, str]:
    """What a caller is told of an error, which the log is told as well."""
    number, details = status_of(error)
    level = logging.DEBUG if number in ORDINARY else logging.ERROR
    _log.log(level, "%s from %s: %s: %s", path.rpartition("/")[2], peer, _STATUS[number].name, details)
    return number, details
