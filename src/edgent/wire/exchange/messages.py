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
that where there is no TLS.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edgent.errors import InputError
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.errors import Damaged
from edgent.wire.notes import Notes, notes_from, times_us, window_numbers
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


def write_exchange_request(method: str, body: bytes, budget: float) -> list[tuple[bytes, ...]]:
    """A request's messages, in pieces."""
    number, budget_us = METHODS.index(method) + 1, max(1, int(budget * 1e6))
    if len(body) <= ANNOUNCED:
        return [(_written(m.ExchangeRequest(method=number, budget_us=budget_us, body=body)),)]
    head = m.ExchangeRequest(method=number, budget_us=budget_us, follows=len(body))
    return [(_written(head),), _with_checksum(body)]


def read_exchange_request(message: bytes) -> RequestHead:
    """A request's first message.

    Raises:
        Damaged: it is not as it was sent.
        InputError: it is no request.
    """
    request = _read(m.ExchangeRequest, message)
    if not 1 <= request.method <= len(METHODS):
        raise InputError(f"an exchange by method {request.method}; expected 1 to {len(METHODS)}")
    budget = Seconds(request.budget_us * 1e-6) if request.budget_us else None
    return RequestHead(method=METHODS[request.method - 1], budget=budget, follows=request.follows, body=request.body)


def write_exchange_reply(body: bytes, notes: Notes) -> Iterator[bytes]:
    """An answer's messages."""
    # A long one has packets of its own, and a downlink to be told apart.
    announced = len(body) > PACKET
    queue_us, middle_us = times_us(notes)
    head = m.ExchangeReply(queue_us=queue_us, middle_us=middle_us, newest=notes.newest)
    if notes.window is not None:
        head.window.extend(window_numbers(notes.window))
    if announced:
        head.follows = len(body)
    else:
        head.body = body
    yield _written(head)
    if announced:
        yield b"".join(_with_checksum(body))


def write_exchange_error(status: int, details: str) -> bytes:
    """A refusal, or a failure."""
    return _written(m.ExchangeReply(status=status, details=details))


def read_exchange_reply(message: bytes) -> ReplyHead:
    """A reply's first message; raises as `read_exchange_request`."""
    reply = _read(m.ExchangeReply, message)
    return ReplyHead(
        status=reply.status,
        details=reply.details,
        notes=notes_from(times_us=(reply.queue_us, reply.middle_us), window=reply.window, newest=reply.newest),
        follows=reply.follows,
        body=reply.body,
    )


def read_body(message: bytes, follows: int) -> bytes:
    """The body that was announced; raises as `read_exchange_request`."""
    _check(message, b"")
    if len(message) - _SUM != follows:
        raise InputError(f"a body of {len(message) - _SUM:,} bytes came, announced were {follows:,}")
    return message[:-_SUM]


def _with_checksum(body: bytes) -> tuple[bytes, bytes]:
    return body, zlib.crc32(body).to_bytes(_SUM, "little")


def _written(message: Any) -> bytes:
    data, checksum = _with_checksum(message.SerializeToString())
    return data + _TAG + checksum


def _read(kind: Any, message: bytes) -> Any:
    _check(message, _TAG)
    return parse(kind, message)


def _check(message: bytes, tag: bytes) -> None:
    end = len(tag) + _SUM
    if message[-end:] != tag + zlib.crc32(memoryview(message)[:-end]).to_bytes(_SUM, "little"):
        raise Damaged(f"a message of {len(message):,} bytes came damaged")
