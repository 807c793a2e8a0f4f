"""The messages of exchanges: what is written is read, and no damage passes. The oracles are zlib and arithmetic."""

from __future__ import annotations

import zlib

import pytest

from edgent.errors import InputError
from edgent.link.slow_start import Window
from edgent.wire import messages as m
from edgent.wire.errors import Damaged
from edgent.wire.exchange.messages import (
    ANNOUNCED,
    read_body,
    read_exchange_reply,
    read_exchange_request,
    write_exchange_error,
    write_exchange_reply,
    write_exchange_request,
)
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.transport import PACKET

NOTES = Notes(
    queue=0.001, middle=0.25, window=Window(size=20_000.0, patience=0.25, least=10_000.0), newest="0123456789ab"
)


def whole(messages):
    return [b"".join(message) for message in messages]


def test_a_short_request_is_one_message_with_few_bytes_around_its_body():
    (message,) = whole(write_exchange_request(m.PROBE, b"body", 0.05))
    head = read_exchange_request(message)
    assert (head.method, head.body, head.follows) == (m.PROBE, b"body", 0)
    assert head.budget == pytest.approx(0.05)
    assert len(message) - len(b"body") <= 16


def test_a_long_request_is_announced_and_its_body_comes_bare():
    body = bytes(range(256)) * 100
    first, second = whole(write_exchange_request(m.MODEL_INFER, body, 1.0))
    head = read_exchange_request(first)
    assert (head.method, head.body, head.follows) == (m.MODEL_INFER, b"", len(body))
    assert second[:-4] == body and int.from_bytes(second[-4:], "little") == zlib.crc32(body)
    assert read_body(second, head.follows) == body


def test_where_tls_guards_it_a_body_of_its_own_goes_bare_either_way():
    body = bytes(range(256)) * 100
    first, second = whole(write_exchange_request(m.MODEL_INFER, body, 1.0, bare=True))
    assert second == body
    assert read_body(second, read_exchange_request(first).follows, bare=True) == body
    head, reply = write_exchange_reply(body, NOTES, bare=True)
    assert reply == body
    assert read_exchange_reply(head).follows == len(body)


@pytest.mark.parametrize("came", [b"", b"body", bytes(9), b"the body" + zlib.crc32(b"the body").to_bytes(4, "little")])
def test_a_bare_body_has_the_length_that_was_announced(came):
    with pytest.raises(InputError, match="announced were 8"):
        read_body(came, 8, bare=True)


def test_without_tls_a_body_that_comes_bare_is_damaged():
    *_, bare = whole(write_exchange_request(m.PROBE, bytes(ANNOUNCED + 1), 1.0, bare=True))
    with pytest.raises(Damaged):
        read_body(bare, ANNOUNCED + 1)


def test_a_frame_of_http2_is_the_longest_request_of_one_message():
    assert len(write_exchange_request(m.PROBE, bytes(ANNOUNCED), 1.0)) == 1
    assert len(write_exchange_request(m.PROBE, bytes(ANNOUNCED + 1), 1.0)) == 2


def test_a_budget_that_is_used_up_is_still_one():
    (message,) = whole(write_exchange_request(m.PROBE, b"", -1.0))
    assert 0 < read_exchange_request(message).budget < 1e-5


@pytest.mark.parametrize("notes", [NOTHING, NOTES])
@pytest.mark.parametrize("size", [0, 1, PACKET, PACKET + 1, 100_000])
def test_an_answer_and_its_notes_are_read_as_they_were(notes, size):
    first, *rest = write_exchange_reply(bytes(size), notes)
    head = read_exchange_reply(first)
    assert (head.status, head.notes) == (0, notes)
    assert len(rest) == (size > PACKET)  # who shares a packet with its notes has no way down to be told apart
    assert (read_body(rest[0], head.follows) if rest else head.body) == bytes(size)


def test_an_error_has_its_status_and_its_words():
    assert read_exchange_reply(write_exchange_error(8, "busy", 0.25)).notes.load == 0.25
    head = read_exchange_reply(write_exchange_error(9, "another version"))
    assert (head.status, head.details) == (9, "another version")


def test_other_readers_of_protobuf_pass_the_checksum_over():
    (message,) = whole(write_exchange_request(m.PROBE, b"body", 0.05))
    assert m.ExchangeRequest.FromString(message).body == b"body"


def test_no_bit_of_any_message_changes_unnoticed():
    (request,) = whole(write_exchange_request(m.PROBE, b"some body", 0.05))
    *_, body = whole(write_exchange_request(m.PROBE, bytes(ANNOUNCED + 1), 0.05))
    for message, read in (
        (request, read_exchange_request),
        (next(write_exchange_reply(b"answer", NOTES)), read_exchange_reply),
        (body[-40:], lambda data: read_body(data, len(data) - 4)),
    ):
        for bit in range(8 * len(message)):
            damaged = bytearray(message)
            damaged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(Damaged, match="came damaged"):
                read(bytes(damaged))


@pytest.mark.parametrize("length", range(12))
def test_a_message_that_was_cut_short_is_damaged(length):
    (message,) = whole(write_exchange_request(m.PROBE, b"body", 0.05))
    for read in (read_exchange_request, read_exchange_reply):
        with pytest.raises(Damaged):
            read(message[:length])
    with pytest.raises(Damaged):
        read_body(message[:length] or b"x", 0)


def checked(data):
    return data + b"\x7d" + zlib.crc32(data).to_bytes(4, "little")


@pytest.mark.parametrize("method", [0, 3, 2**31])
def test_a_method_that_is_none_is_said_to_be(method):
    with pytest.raises(InputError, match=f"method {method}; expected 1 to 2"):
        read_exchange_request(checked(m.ExchangeRequest(method=method).SerializeToString()))


def test_bytes_that_are_no_message_are_bad_input_though_their_sum_is_right():
    with pytest.raises(InputError):
        read_exchange_request(checked(b"\xff\xff\xff"))


def test_a_body_of_another_length_than_announced_is_bad_input():
    *_, body = whole(write_exchange_request(m.PROBE, bytes(ANNOUNCED + 1), 1.0))
    with pytest.raises(InputError, match=r"16,385 bytes came, announced were 5"):
        read_body(body, 5)


def test_a_method_that_is_not_exchanged_is_our_own_mistake():
    with pytest.raises(ValueError, match="not in tuple"):
        write_exchange_request(m.FETCH, b"", 1.0)
