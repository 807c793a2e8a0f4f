"""The messages of an exchange: one request and its reply, over a stream that both sides keep open.

::

    short   up    ExchangeRequest(method, budget, body)            down  ExchangeReply(status, times, body)
    long    up    ExchangeRequest(method, budget, follows = n)     down  ExchangeReply(status, times, follows = n)
                  n bytes                                                n bytes

What a call of gRPC says in some hundred bytes of headers stands here in a dozen. A long body comes behind a message
that announces it: so the budget of a long upload counts from its beginning, and a device can time a long answer's way
down apart from its way up and the edge's work.

Each message ends with CRC-32 (of ISO 3309, as in zlib) of all bytes before it, little-endian: in those of protobuf as a
field that their definitions do not have, and their readers pass over; behind a body of its own as four bare bytes.
TCP's own checksum has 16 bits and passes one damaged segment in some ten thousand; nothing else guards a tensor against
that where there is no TLS. Where there is, a body of its own goes *bare*: TLS guards every byte already, and a second
sum of a long body would cost as much as the first.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgent.errors import InputError
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.errors import Damaged
from edgent.wire.notes import Notes
from edgent.wire.tensors import parse
from edgent.wire.transport import PACKET

METHODS = (m.MODEL_INFER, m.PROBE)
"""What may be asked for, by number from 1."""

ANNOUNCED = 16_384
"""Bytes of a request's body above which it comes by itself: a frame of HTTP/2, which needs no turn for a second one."""

ROOM = 4_096
"""Bytes at most of an exchange's message beside its body."""

# Field 15 of four fixed bytes: the tag fits into one byte, and no message here will ever have as many fields.
_TAG = bytes([15 << 3 | 5])
_SUM = 4

_VERSION = re.compile(r"[0-9a-f]{12}")
_LONGEST_US = 3_600_000_000  # an hour: nobody waits for that long
_LEAST_WINDOW = 512  # bytes; by a window of one, a transfer would be reckoned in a million round trips
_MOST_STATED = 1 << 50  # bytes, or microseconds, of which no TCP knows more


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHead:
    """The first message of a reply; `follows` is the length of a body that comes as a second one."""

    status: int
    details: str
    notes: Notes
    follows: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHead:
    """The first message of a request; `follows` likewise."""

    method: str
    budget: Seconds | None
    follows: int
    body: bytes


def write_exchange_request(method: str, body: bytes, budget: float, *, bare: bool = False) -> list[tuple[bytes, ...]]:
    """A request's messages, in pieces."""
    # From 1 on, and at least a microsecond: protobuf leaves out a number that is 0, as if nobody had said it.
    number, budget_us = METHODS.index(method) + 1, max(1, int(budget * 1e6))
    # A short one travels with its head: one message, one checksum, one frame.
    if len(body) <= ANNOUNCED:
        return [(_written(m.ExchangeRequest(method=number, budget_us=budget_us, body=body)),)]
    head = m.ExchangeRequest(method=number, budget_us=budget_us, follows=len(body))
    return [(_written(head),), (body,) if bare else _with_checksum(body)]


def read_exchange_request(message: bytes) -> RequestHead:
    """A request's first message.

    Raises:
        Damaged: it is not as it was sent.
        InputError: it is no request.
    """
    request = _read(m.ExchangeRequest, message)
    # A newer device may ask for what this edge does not know; that is its mistake and no damage.
    if not 1 <= request.method <= len(METHODS):
        raise InputError(f"an exchange by method {request.method}; expected 1 to {len(METHODS)}")
    budget = Seconds(request.budget_us * 1e-6) if request.budget_us else None
    return RequestHead(method=METHODS[request.method - 1], budget=budget, follows=request.follows, body=request.body)


def write_exchange_reply(body: bytes, notes: Notes, *, bare: bool = False) -> Iterator[bytes]:
    """An answer's messages."""
    # A long one has packets of its own, and a downlink to be told apart.
    announced = len(body) > PACKET
    queue_us, middle_us = times_us(notes)
    head = m.ExchangeReply(queue_us=queue_us, middle_us=middle_us, load_us=load_us(notes), newest=notes.newest)
    # Only the edge's own kernel knows what its TCP may send: with it the device tells waiting from a slow link.
    if notes.window is not None:
        head.window.extend(window_numbers(notes.window))
    if announced:
        head.follows = len(body)
    else:
        head.body = body
    yield _written(head)
    if announced:
        yield body if bare else b"".join(_with_checksum(body))


def write_exchange_error(status: int, details: str, load: float = 0.0) -> bytes:
    """A refusal, or a failure; of a refusal what a request would wait."""
    return _written(m.ExchangeReply(status=status, details=details, load_us=load_us(Notes(load=load))))


def read_exchange_reply(message: bytes) -> ReplyHead:
    """A reply's first message; raises as `read_exchange_request`."""
    reply = _read(m.ExchangeReply, message)
    return ReplyHead(
        status=reply.status,
        details=reply.details,
        notes=notes_from(
            times_us=(reply.queue_us, reply.middle_us),
            load_us=reply.load_us,
            window=reply.window,
            newest=reply.newest,
        ),
        follows=reply.follows,
        body=reply.body,
    )


def read_body(message: bytes, follows: int, *, bare: bool = False) -> bytes:
    """The body that was announced; raises as `read_exchange_request`."""
    if not bare:
        _check(message, b"")
        message = message[:-_SUM]
    # Whoever miscounts has lost its place in the stream, and nothing after that is where it seems.
    if len(message) != follows:
        raise InputError(f"a body of {len(message):,} bytes came, announced were {follows:,}")
    return message


def notes_from(*, times_us: Sequence[int], load_us: int, window: Sequence[int], newest: str) -> Notes:
    """What an edge said, as far as it makes sense."""
    # All of it is an aid to predict: an edge whose word makes no sense is followed from outside. A time of centuries
    # would make every plan hopeless, and a version that is none would be fetched again and again.
    queue, middle = times_us if sum(times_us) <= _LONGEST_US else (0, 0)
    return Notes(
        queue=queue * 1e-6,
        middle=middle * 1e-6,
        load=load_us * 1e-6 if load_us <= _LONGEST_US else 0.0,
        window=window_from(window),
        newest=newest if _VERSION.fullmatch(newest) else "",
    )


def times_us(notes: Notes) -> tuple[int, int]:
    """Whole microseconds in the queue and of the middle."""
    return round(notes.queue * 1e6), round(notes.middle * 1e6)


def load_us(notes: Notes) -> int:
    """Whole microseconds that a request would wait."""
    return round(notes.load * 1e6)


def window_numbers(window: Window) -> tuple[int, ...]:
    """Bytes under way, those up to which it doubles, microseconds of a pause that halve it, bytes that pauses leave."""
    # On the wire 0 stands for infinity, which an integer cannot say.
    threshold, patience = (value if math.isfinite(value) else 0 for value in (window.threshold, window.patience * 1e6))
    return round(window.size), round(threshold), round(patience), round(window.least)


def window_from(numbers: Sequence[int]) -> Window | None:
    """A window from its numbers; None where there are none, or they make no sense."""
    if len(numbers) != 4 or min(numbers[0], numbers[3]) < _LEAST_WINDOW or max(numbers) > _MOST_STATED:
        return None
    size, threshold, patience, least = numbers
    return Window(
        size=float(size), threshold=threshold or math.inf, patience=patience * 1e-6 or math.inf, least=float(least)
    )


def _with_checksum(body: bytes) -> tuple[bytes, bytes]:
    return body, zlib.crc32(body).to_bytes(_SUM, "little")


def _written(message: Any) -> bytes:
    # The tag in front of the sum makes it a field that protobuf's readers pass over, so both forms stay readable.
    data, checksum = _with_checksum(message.SerializeToString())
    return data + _TAG + checksum


def _read(kind: Any, message: bytes) -> Any:
    _check(message, _TAG)
    return parse(kind, message)


def _check(message: bytes, tag: bytes) -> None:
    end = len(tag) + _SUM
    if message[-end:] != tag + zlib.crc32(memoryview(message)[:-end]).to_bytes(_SUM, "little"):
        raise Damaged(f"a message of {len(message):,} bytes came damaged")
