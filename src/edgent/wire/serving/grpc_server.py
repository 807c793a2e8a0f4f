"""gRPC at the edge: offers methods on a port. With `edgent.wire.grpc_channel` the only file that knows it.

::

    a call comes -> stops? all threads of its kind taken? -> refused at once, by a thread that waits for nothing
                 -> a thread of its kind -> its message, within a time and its host's share -> the method -> the answer

Whether a server lives is answered without waiting even for the question: so it is told whatever else is going on.

A server stops in this order: whatever comes is refused; nobody connects any more, and connections are told to go away;
what is in hand is answered; and only then streams that devices keep open end.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

# gRPC's older listener, in which the thread that takes what came reads it from the socket by itself. In the newer one
# other threads read, and wake that one: about a quarter of the time of a short exchange (docs/log.md).
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")

import grpc

from edgent.address import Address
from edgent.clock import MonotonicClock
from edgent.identity.credentials import Credentials
from edgent.wire.errors import CANCELLED, ORDINARY, load_of, status_of
from edgent.wire.exchange.service import ExchangeService
from edgent.wire.grpc_options import SERVER_OPTIONS, message_limits
from edgent.wire.headers import headers_of
from edgent.wire.messages import EXCHANGE, HEALTH, SERVER_LIVE, SERVER_READY
from edgent.wire.notes import Notes
from edgent.wire.serving.free_port import check_free, check_ours, taken
from edgent.wire.serving.grpc_call import GrpcCall
from edgent.wire.serving.places import InHand, Places, Shares, host_of
from edgent.wire.serving.sparing_log import SparingLog
from edgent.wire.serving.uploads import Upload, Uploads
from edgent.wire.transport import Call, Methods, Streaming, Unary

_Message = Callable[[Iterator[bytes], grpc.ServicerContext], bytes]
"""How the message of a call is waited for."""

_log = SparingLog(logging.getLogger("edgent.edge"))

_STATUS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_QUIET = 0.2  # seconds for which a server that stops still refuses what comes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What callers may take of a server; what is beyond is refused as busy, and tried elsewhere or later.

    Attributes:
        calls: at once, those included that wait in the edge's queue.
        streams: of exchanges, that are kept open.
        fetches: of files, at once.
        checks: of health, at once.
        per_connection: calls and streams of one connection; what is beyond waits at the caller.
        uploads_of_host: messages that are on their way from one host.
        streams_of_host: likewise of streams.
        upload: seconds for which a message may be on its way.
        piece: seconds within which a piece of a file that is fetched must be taken: 256 kB, over any link of use.
        fetches_of_host: likewise of fetches.
        idle: seconds after which a connection on which nothing is under way is closed.
        age: seconds after which a connection is told to go away; devices make another one.
        grace: seconds that it then has for what is under way.
        handshake: seconds within which a connection must have begun to speak HTTP/2.
    """

    calls: int = 512
    streams: int = 256
    fetches: int = 64
    checks: int = 16
    per_connection: int = 100
    uploads_of_host: int = 64
    streams_of_host: int = 192
    fetches_of_host: int = 32
    upload: float = 60.0
    piece: float = 600.0
    idle: float = 900.0
    age: float = 86_400.0
    grace: float = 60.0
    handshake: float = 10.0


class GrpcServer:
    """Offers methods over gRPC.

    Args:
        methods: by path.
        host: name or IP address to listen on.
        port: 0 picks a free one.
        max_message: bytes of the largest message either way.
        limits: what callers may take of it.
        is_full: whether no more should be taken in than what is in hand already.
        credentials: what is shown to callers, and of whom they must show a certificate; None: connections are plain
            text, and callers nobody.

    Raises:
        InputError: no such host or port, or the address is not this machine's.
        EdgeError: the port is taken.
    """

    def __init__(
        self,
        methods: Methods,
        *,
        host: str,
        port: int,
        max_message: int,
        limits: ServerLimits | None = None,
        is_full: Callable[[], bool] = lambda: False,
        credentials: Credentials | None = None,
    ) -> None:
        address, limits = Address(host=host, port=port), limits or ServerLimits()
        self._in_hand = InHand()
        self._handlers = _Handlers(methods, max_message, limits, self._in_hand, is_full, bare=credentials is not None)
        self._grace = limits.grace
        self._options = (*SERVER_OPTIONS, *_options(limits), *message_limits(max_message))
        check_ours(address)
        if credentials is not None:
            check_free(address)
        self._server, self.port = self._listening(address, credentials)
        self.address = str(replace(address, port=self.port))

    def start(self) -> None:
        """Begins to serve."""
        self._server.start()

    def renew(self, credentials: Credentials) -> None:
        """Shows another certificate from now on to whoever connects; who is connected already is told to go away.

        gRPC cannot safely exchange the certificate of a server that runs: its credentials of that kind ended the
        process in one run of 25. So a second server listens on the same port; the first one stops listening, answers
        what it has in hand, and ends the streams of devices, which open others. Only a connection that is being made at
        this very moment fails, and has to be made again.
        """
        before, (fresh, _) = self._server, self._listening(Address.parse(self.address), credentials)
        fresh.start()
        self._server = fresh
        before.stop(self._grace)

    def shed(self) -> None:
        """Ends what is on its way from the host that has most on its way: messages, and streams that are kept open."""
        self._handlers.shed()

    def stop(self, grace: float = 0.0) -> None:
        """Ends serving: what is in hand gets `grace` seconds to be answered, what comes meanwhile is refused."""
        self._in_hand.stops = True
        if grace:
            # gRPC takes in no call any more once it stops, and cancels what it has not handed over: so for a while it
            # goes on, and callers learn by a refusal that they have to go elsewhere.
            time.sleep(min(_QUIET, grace))
            ended = self._server.stop(grace)
            self._in_hand.emptied(grace)
            self._handlers.end_streams()
            ended.wait(grace)
        self._server.stop(0.0).wait()
        self._handlers.close()

    def __repr__(self) -> str:
        return f"<GrpcServer on {self.address}>"

    def _listening(self, address: Address, credentials: Credentials | None) -> tuple[grpc.Server, int]:
        """A server that has a port."""
        # Only who renews shares its port, with itself.
        options = (*self._options, ("grpc.so_reuseport", int(credentials is not None)))
        server = grpc.server(Places(1, "nothing"), options=options)  # each kind of call has threads of its own
        server.add_generic_rpc_handlers((self._handlers,))
        try:
            # Some versions of gRPC raise where the port is taken, others return 0.
            if credentials is None:
                port = server.add_insecure_port(str(address))
            else:
                port = server.add_secure_port(str(address), _server_credentials(credentials))
        except RuntimeError:
            port = 0
        if port == 0:
            raise taken(address)
        return server, port


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
    """Which handler a call gets; asked by gRPC in the one thread that takes in all calls, so nothing here may wait."""

    def __init__(
        self,
        methods: Methods,
        max_message: int,
        limits: ServerLimits,
        in_hand: InHand,
        is_full: Callable[[], bool],
        *,
        bare: bool,
    ) -> None:
        self._in_hand, self._is_full = in_hand, is_full
        self.doors = Places(4, "answers that wait for nothing")
        self._calls, self._streams = Places(limits.calls, "calls"), Places(limits.streams, "streams")
        self._fetches, self._checks = Places(limits.fetches, "fetches"), Places(limits.checks, "checks of health")
        self._uploads, self._piece = Uploads(limits.uploads_of_host, limits.upload), limits.piece
        self._stream_shares = Shares(limits.streams_of_host, "streams")
        self._fetch_shares = Shares(limits.fetches_of_host, "fetches")
        self._guard = threading.Lock()
        self._open_streams: set[grpc.ServicerContext] = set()
        self._handlers = {path: self._handled(path, method) for path, method in methods.items()}
        self._handlers[EXCHANGE] = self._streams, self._exchange_handler(methods, max_message, bare)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        found = self._handlers.get(handler_call_details.method)
        if found is None:
            # To None gRPC itself answers UNIMPLEMENTED, by which a caller knows that it speaks to the wrong program.
            return None
        places, handler = found
        if self._in_hand.stops:
            return _refusal(self.doors, grpc.StatusCode.UNAVAILABLE, "this edge is stopping")
        if places is not self.doors and places.are_taken:
            words = f"{places.most} {places.kind} are under way here: try again later, or elsewhere"
            return _refusal(self.doors, grpc.StatusCode.RESOURCE_EXHAUSTED, words)
        if places is not self.doors and self._takes_no_more():
            words = "this edge has no memory to spare: try again later, or elsewhere"
            return _refusal(self.doors, grpc.StatusCode.RESOURCE_EXHAUSTED, words)
        return handler

    def _takes_no_more(self, beside: int = 0) -> bool:
        # One at a time is taken in even then: an edge that is full for a reason of its own must not be useless.
        return self._is_full() and self._in_hand.count > beside

    def shed(self) -> None:
        """See `GrpcServer.shed`."""
        with self._guard:
            streams = list(self._open_streams)
        on_their_way: list[Upload] = [*self._uploads.on_their_way, *streams]
        hosts = Counter(host_of(upload.peer()) for upload in on_their_way)
        for upload in on_their_way:
            if host_of(upload.peer()) == hosts.most_common(1)[0][0]:
                upload.cancel()

    def end_streams(self) -> None:
        """Ends the streams that devices keep open: a server that stops would otherwise wait for them."""
        with self._guard:
            for context in self._open_streams:
                context.cancel()

    def close(self) -> None:
        """Ends the threads, as they come to their ends."""
        self._uploads.close()
        for places in (self._calls, self._streams, self._fetches, self._checks):
            places.shutdown(wait=False)

    def _handled(self, path: str, method: Unary | Streaming) -> tuple[Places, grpc.RpcMethodHandler]:
        # Without serialisers gRPC hands bytes through as they are: parsing is the room's own, so that what is no
        # message gives our error and not gRPC's. On the wire a stream of one message is a message: taken as a stream,
        # it can be waited for with a limit.
        if isinstance(method, Streaming):
            streamed = _in(self._fetches, self._streamed(path, method.answer))
            return self._fetches, grpc.stream_stream_rpc_method_handler(streamed)
        places, message = self._calls, cast(_Message, self._uploads.message)
        if path in (SERVER_LIVE, SERVER_READY):
            places, message = self.doors, _no_message
        elif path == HEALTH:
            places = self._checks
        answered = _in(places, self._answered(path, method.answer, message))
        return places, grpc.stream_unary_rpc_method_handler(answered)

    def _answered(
        self,
        path: str,
        answer: Callable[[bytes, Call], bytes],
        message: _Message,
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        def handle(messages: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            with _refusing(path, context), self._in_hand:
                call = GrpcCall(context, path)
                body = answer(call.checked(message(messages, context)), call)
                call.send_headers(body)
                return body

        return handle

    def _streamed(
        self, path: str, answer: Callable[[bytes, Call], Iterator[bytes]]
    ) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]:
        def handle(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            with _refusing(path, context), self._in_hand, self._fetch_shares.held(host_of(context.peer())):
                # What is streamed back has a digest that its reader knows beforehand, and needs no sum of ours.
                call = GrpcCall(context, path)
                for piece in answer(call.checked(self._uploads.message(messages, context)), call):
                    with self._uploads.limited(context, self._piece):
                        yield piece

        return handle

    def _exchange_handler(self, methods: Methods, max_message: int, bare: bool) -> grpc.RpcMethodHandler:
        clock = MonotonicClock()

        def handle(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            with _refusing(EXCHANGE, context), self._stream(context):
                service = ExchangeService(
                    methods=methods,
                    clock=clock,
                    max_message=max_message,
                    failed=functools.partial(_status, context.peer),
                    in_hand=self._in_hand,
                    takes_no_more=lambda: self._takes_no_more(beside=1),
                    bare=bare,
                )
                yield from service.answers(messages, GrpcCall(context, EXCHANGE))

        return grpc.stream_stream_rpc_method_handler(_in(self._streams, handle))

    @contextlib.contextmanager
    def _stream(self, context: grpc.ServicerContext) -> Iterator[None]:
        with self._stream_shares.held(host_of(context.peer())):
            with self._guard:
                self._open_streams.add(context)
            try:
                yield
            finally:
                with self._guard:
                    self._open_streams.remove(context)


def _in(places: Places, behaviour: Any) -> Any:
    """A handler that has threads of its own kind."""
    behaviour.experimental_thread_pool = places
    return behaviour


def _no_message(_messages: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
    """Of a question that says nothing, and is not waited for."""
    return b""


def _options(limits: ServerLimits) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.max_concurrent_streams", limits.per_connection),
        ("grpc.max_connection_idle_ms", round(limits.idle * 1e3)),
        ("grpc.max_connection_age_ms", round(limits.age * 1e3)),
        ("grpc.max_connection_age_grace_ms", round(limits.grace * 1e3)),
        ("grpc.server_handshake_timeout_ms", round(limits.handshake * 1e3)),
    )


def _refusal(doors: Places, code: grpc.StatusCode, words: str) -> grpc.RpcMethodHandler:
    def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(code, words)
        yield b""  # never: `abort` raises

    return grpc.stream_stream_rpc_method_handler(_in(doors, refuse))


def _server_credentials(credentials: Credentials) -> grpc.ServerCredentials:
    authority, certificate, key = credentials.read()
    return grpc.ssl_server_credentials([(key, certificate)], authority, require_client_auth=True)


@contextlib.contextmanager
def _refusing(path: str, context: grpc.ServicerContext) -> Iterator[None]:
    """The edge's guard: whatever goes wrong with one request is one line, and the next one is served."""
    try:
        yield
        return
    except grpc.RpcError:  # the caller went away while its headers were sent
        number, details = CANCELLED, "the caller has gone"
    except Exception as error:
        number, details = _status(context.peer, path, error)
        if load := load_of(error):
            context.set_trailing_metadata(tuple(headers_of(Notes(load=load)).items()))
    # Outside of the `try`: `abort` itself raises, and would be taken for one more failure of the method.
    context.abort(_STATUS[number], details)


def _status(peer: Callable[[], str], path: str, error: Exception) -> tuple[int, str]:
    """What a caller is told of an error, which the log is told as well."""
    number, details = status_of(error)
    level = logging.DEBUG if number in ORDINARY else logging.ERROR
    # Most are refusals, of which no log is told, and under load there are a thousand a second.
    if _log.shows(level):
        _log.log(level, f"{path.rpartition('/')[2]} from {peer()}: {_STATUS[number].name}: {details}")
    return number, details
