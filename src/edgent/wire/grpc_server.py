"""gRPC at the edge: methods as `edgent.wire.transport` has them, on a port; our errors become its statuses."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import replace
from typing import Any

import grpc

from edgent.address import Address
from edgent.clock import MonotonicClock
from edgent.errors import EdgeError
from edgent.identity.credentials import Credentials
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire.errors import CANCELLED, ORDINARY, status_of
from edgent.wire.exchange.service import ExchangeService
from edgent.wire.grpc_options import SERVER_OPTIONS, limits
from edgent.wire.messages import EXCHANGE
from edgent.wire.notes import NOTHING, Notes, headers_of
from edgent.wire.tcp_info import SendWindow
from edgent.wire.transport import PACKET, Methods, Streaming, Unary

_log = logging.getLogger("edgent.edge")

_STATUS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_CALLERS = 256  # connections whose sockets are remembered
# Streams that devices may keep open, each with a thread that sleeps between requests. Who finds no place is called.
_MOST_STREAMS = 256
_UNREAD = b""  # what no caller shows
_FOREVER = 1e9  # gRPC states a missing deadline as a huge one


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
        self._server = grpc.server(pool, options=(*SERVER_OPTIONS, *limits(max_message)))
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
