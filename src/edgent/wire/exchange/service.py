"""The edge's side of exchanges: one stream of one device, over which one request after another is answered.

A stream has one request at a time, so nothing in it needs a name: the next reply is the last request's. A device that
asks several things at once opens as many streams. Whoever gives a request up resets its stream, and opens another one.
So what arrives too late finds nobody, and a device that sends more than it is owed finds the windows of HTTP/2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from edgent.clock import Clock
from edgent.errors import InputError
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.errors import DATA_LOSS, UNAVAILABLE, BusyError, Damaged, load_of
from edgent.wire.exchange.messages import (
    RequestHead,
    read_body,
    read_exchange_request,
    write_exchange_error,
    write_exchange_reply,
)
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.serving.places import InHand
from edgent.wire.transport import Methods, Unary

Failed = Callable[[str, Exception], tuple[int, str]]
"""Tells of a method that failed; gives the status and the words for the caller."""


class Carrier(Protocol):
    """What carries a stream's messages, as its calls ask it."""

    def given_up(self) -> bool:
        """Whether the device has ended the stream."""
        ...

    def window(self) -> Window | None:
        """See `Call.window`."""
        ...

    def certificate(self) -> bytes | None:
        """See `Call.certificate`."""
        ...

    def caller(self) -> str:
        """See `Call.caller`."""
        ...


@dataclass(slots=True, kw_only=True)
class ExchangeCall:
    """One request of a stream, as a method sees it.

    Attributes:
        carrier: of the stream.
        clock: by which the budget runs.
        until: when nobody waits any more; None: somebody always does.
        notes: what the method said beside its answer.
    """

    carrier: Carrier
    clock: Clock
    until: float | None
    notes: Notes = field(default=NOTHING)

    def time_remaining(self) -> Seconds | None:
        """See `Call.time_remaining`."""
        return None if self.until is None else Seconds(self.until - self.clock.now())

    def given_up(self) -> bool:
        """See `Call.given_up`."""
        return self.carrier.given_up()

    def window(self) -> Window | None:
        """See `Call.window`."""
        return self.carrier.window()

    def certificate(self) -> bytes | None:
        """See `Call.certificate`."""
        return self.carrier.certificate()

    def caller(self) -> str:
        """See `Call.caller`."""
        return self.carrier.caller()

    def note(self, notes: Notes) -> None:
        """See `Call.note`."""
        self.notes = notes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeService:
    """Answers what comes over streams.

    Attributes:
        methods: by path.
        clock: by which budgets run.
        max_message: bytes of the largest body.
        failed: see `Failed`.
        in_hand: counts what is being answered.
        takes_no_more: whether there is no memory for a message that is announced.
        bare: whether its streams go over TLS, which guards bodies.
    """

    methods: Methods
    clock: Clock
    max_message: int
    failed: Failed
    in_hand: InHand = field(default_factory=InHand)
    takes_no_more: Callable[[], bool] = lambda: False
    bare: bool = False

    def answers(self, messages: Iterator[bytes], carrier: Carrier) -> Iterator[bytes]:
        """The replies to a stream's messages, until it ends or is no longer to be trusted."""
        for message in messages:
            # In hand until its answer is written: a server that stops waits for that.
            with self.in_hand:
                # The device hears at once that it must look elsewhere, and does not wait for its budget to run out.
                if self.in_hand.stops:
                    yield write_exchange_error(UNAVAILABLE, "this edge is stopping")
                    return
                try:
                    replies = self._replies(message, messages, carrier)
                except BusyError as error:
                    # What was announced comes all the same, so the stream must end; the device opens another one.
                    yield write_exchange_error(*self.failed(m.EXCHANGE, error))
                    return
                except (InputError, Damaged) as error:
                    # Nobody can say where the next request would begin, so this was the last one.
                    _, details = self.failed(m.EXCHANGE, error)
                    yield write_exchange_error(DATA_LOSS, details)
                    return
                # Outside of the guard: what goes wrong while it is written is the carrier's, and no answer can tell of
                # it.
                yield from replies

    def _replies(self, message: bytes, messages: Iterator[bytes], carrier: Carrier) -> Iterable[bytes]:
        # From here on and not from the end of a long body: the caller's time runs while that is on its way.
        began_at = self.clock.now()
        request = read_exchange_request(message)
        body = self._body(request, messages)
        until = None if request.budget is None else began_at + request.budget
        return self._answered(request.method, body, ExchangeCall(carrier=carrier, clock=self.clock, until=until))

    def _body(self, request: RequestHead, messages: Iterator[bytes]) -> bytes:
        if not request.follows:
            return request.body
        # Before the body is asked for: HTTP/2's window bounds what may lie here unread.
        if request.follows > self.max_message:
            raise InputError(f"a body of {request.follows:,} bytes is announced, expected at most {self.max_message:,}")
        if self.takes_no_more():
            raise BusyError("this edge has no memory to spare: try again later, or elsewhere")
        # A stream that ends before its body has no more messages, and an empty one is too short: it fails as such.
        return read_body(next(messages, b""), request.follows, bare=self.bare)

    def _answered(self, path: str, body: bytes, call: ExchangeCall) -> Iterable[bytes]:
        method = self.methods.get(path)
        try:
            # What streams its answer is called: one request of a stream has one reply.
            assert isinstance(method, Unary), f"{path} is not served over exchanges"
            answer = method.answer(body, call)
        except Exception as error:  # the edge's guard: whatever goes wrong with one request, the next one is served
            return (write_exchange_error(*self.failed(path, error), load_of(error)),)
        return write_exchange_reply(answer, call.notes, bare=self.bare)
