"""The checksum of a call: what it covers, held against zlib, and what is not as it was sent."""

from __future__ import annotations

import zlib

import pytest

from edgent.wire.checksum import check, checksum
from edgent.wire.errors import Damaged

METHOD, MESSAGE, HEADERS = "/inference/Infer", bytes(range(256)), {"edgent-us": "12 34", "edgent-newest": "0" * 12}


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def signed(**changes):
    return HEADERS | {"edgent-sum": checksum(METHOD, MESSAGE, HEADERS)} | changes


def test_it_is_zlib_s_of_the_path_our_headers_in_their_order_and_the_message():
    text = b"/inference/Infer\nedgent-us 12 34\nedgent-newest 000000000000"
    assert checksum(METHOD, MESSAGE, HEADERS) == f"{zlib.crc32(text + MESSAGE):08x}"
    assert checksum(METHOD, MESSAGE, dict(reversed(HEADERS.items()))) == checksum(METHOD, MESSAGE, HEADERS)


def test_what_came_as_it_was_sent_passes_with_whatever_headers_of_others():
    assert check(METHOD, MESSAGE, signed() | {"user-agent": "x"}, required=True)


@pytest.mark.parametrize("bit", range(0, 8 * len(MESSAGE), 7))
def test_no_bit_of_a_message_flips_unseen(bit):
    with pytest.raises(Damaged):
        check(METHOD, flipped(MESSAGE, bit), signed())


@pytest.mark.parametrize(
    "headers",
    [
        signed(**{"edgent-us": "13 34"}),
        signed(**{"edgent-sum": "00000000"}),
        {"edgent-sum": checksum(METHOD, MESSAGE, HEADERS)},
        signed(**{"edgent-window": "1 2 3 4"}),
    ],
)
def test_no_header_of_ours_is_changed_lost_or_added_unseen(headers):
    with pytest.raises(Damaged):
        check(METHOD, MESSAGE, headers)


def test_a_message_that_reaches_another_method_is_not_taken():
    with pytest.raises(Damaged):
        check("/inference/Ready", MESSAGE, signed())


def test_who_has_no_sum_is_taken_at_its_word_unless_it_always_has_one():
    assert not check(METHOD, MESSAGE, HEADERS)
    with pytest.raises(Damaged):
        check(METHOD, MESSAGE, HEADERS, required=True)
