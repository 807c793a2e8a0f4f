"""The device's side of HTTP/2 against frames made here by hand, byte by byte (RFC 9113); no socket."""

from __future__ import annotations

import struct

import pytest

from edgent.errors import EdgeError
from edgent.wire.exchange.http2 import Ended, Http2Client, Message

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 5, 6, 7, 8
MAX = 100_000


def client(**changes) -> Http2Client:
    return Http2Client(**({"authority": "edge:8001", "path": "/a.B/C", "max_message": MAX} | changes))


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def frames(data):
    """(kind, flags, stream, payload) of each."""
    found = []
    while data:
        end = 9 + int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:end]))
        data = data[end:]
    return found


def said(http2):
    """All frames that it would write now."""
    return frames(b"".join(iter(http2.next_bytes, b"")))


def grpc(body):
    return b"\0" + struct.pack(">I", len(body)) + body


def received(http2, data):
    return list(http2.receive(data))


def opened():
    """A connection with one stream, of which all was written that had to be."""
    http2 = client()
    stream = http2.open()
    http2.next_bytes()
    return http2, stream


def test_a_connection_begins_with_the_preface_and_a_stream_with_the_headers_of_a_call():
    http2 = client()
    stream = http2.open()
    http2.send(stream, [b"hello"])
    written = http2.next_bytes()
    assert written.startswith(PREFACE)
    (settings, window, headers, data) = frames(written[len(PREFACE) :])
    assert settings[0] == SETTINGS and window[0] == WINDOW
    assert headers[:3] == (HEADERS, 4, 1)
    for text in (b":method", b"POST", b":path", b"/a.B/C", b":authority", b"edge:8001", b"application/grpc"):
        assert bytes([len(text)]) + text in headers[3]
    assert data == (DATA, 0, 1, grpc(b"hello"))


def test_a_long_name_of_an_edge_has_its_length_by_sevens():
    name = "a" * 250 + ".local:8001"
    http2 = client(authority=name)
    http2.open()
    length = len(name) - 127
    assert bytes([127, length % 128 + 128, length // 128]) + name.encode() in http2.next_bytes()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_message_comes_whole_however_its_bytes_come(cut):
    http2, stream = opened()
    wire = frame(DATA, stream, grpc(b"one")[:6]) + frame(DATA, stream, grpc(b"one")[6:] + grpc(b"two"))
    assert received(http2, wire[:cut]) + received(http2, wire[cut:]) == [
        Message(stream, b"one"),
        Message(stream, b"two"),
    ]


def test_padding_is_no_part_of_a_message():
    http2, stream = opened()
    padded = bytes([3]) + grpc(b"x") + bytes(3)
    assert received(http2, frame(DATA, stream, padded, flags=8)) == [Message(stream, b"x")]
    with pytest.raises(EdgeError, match="padding"):
        received(http2, frame(DATA, stream, bytes([9]) + b"x", flags=8))


def test_no_more_is_sent_than_the_other_side_s_windows_take_and_the_rest_when_they_take_more():
    http2, stream = opened()
    http2.send(stream, [bytes(60_000), bytes(40_000)])
    sent = sum(len(payload) for kind, _, _, payload in said(http2) if kind == DATA)
    assert sent == 65_535  # what anybody may assume at first
    assert not said(http2)
    received(http2, frame(WINDOW, stream, struct.pack(">I", 1_000_000)))
    assert not said(http2)  # the connection's is another one
    received(http2, frame(WINDOW, 0, struct.pack(">I", 10_000)))
    assert sum(len(payload) for *_, payload in said(http2)) == 10_000
    received(http2, frame(WINDOW, 0, struct.pack(">I", 1_000_000)))
    assert sent + 10_000 + sum(len(payload) for *_, payload in said(http2)) == 100_005


def test_settings_change_the_windows_of_open_streams_and_are_acknowledged():
    http2, stream = opened()
    received(http2, frame(SETTINGS, 0, struct.pack(">HI", 4, 100)))
    http2.send(stream, [bytes(500)])
    assert [f[:2] for f in said(http2)] == [(SETTINGS, 1), (DATA, 0)]
    received(http2, frame(SETTINGS, 0, struct.pack(">HI", 4, 0)))  # to below nothing: 100 are out already
    received(http2, frame(WINDOW, stream, struct.pack(">I", 100)))
    assert [f[0] for f in said(http2)] == [SETTINGS]
    received(http2, frame(WINDOW, stream, struct.pack(">I", 7)))
    assert [len(f[3]) for f in said(http2)] == [7]


def test_a_short_message_overtakes_a_long_one_at_the_next_frame():
    http2, long = opened()
    received(http2, frame(SETTINGS, 0, struct.pack(">HI", 4, MAX)) + frame(WINDOW, 0, struct.pack(">I", MAX)))
    http2.send(long, [bytes(90_000)])
    http2.next_bytes()
    short = http2.open()
    http2.send(short, [b"short"])
    order = [(kind, stream) for kind, _, stream, _ in said(http2) if kind == DATA]
    assert (DATA, short) in order[:2]
    assert order.count((DATA, long)) >= 3


def test_a_ping_is_answered_with_its_own_bytes():
    http2, _ = opened()
    received(http2, frame(PING, 0, b"12345678"))
    assert said(http2) == [(PING, 1, 0, b"12345678")]


@pytest.mark.parametrize(
    "end", [frame(HEADERS, 1, b"\x88", flags=5), frame(RST, 1, bytes(4)), frame(DATA, 1, b"", flags=1)]
)
def test_a_stream_that_the_other_side_ends_has_ended(end):
    http2, stream = opened()
    assert received(http2, frame(HEADERS, stream, b"\x88", flags=4)) == []
    assert received(http2, end) == [Ended(stream)]
    assert not http2.is_open(stream)


def test_what_comes_on_a_stream_that_was_given_up_is_passed_over_and_its_rest_is_not_sent():
    http2, stream = opened()
    http2.send(stream, [bytes(90_000)])
    http2.next_bytes()
    http2.reset(stream)
    assert [f[:3] for f in said(http2)] == [(RST, 0, stream)]
    assert received(http2, frame(DATA, stream, grpc(b"late"))) == []
    assert http2.open() == stream + 2


def test_room_is_given_back_in_large_steps_also_for_what_nobody_takes():
    http2, stream = opened()
    http2.reset(stream)
    said(http2)
    for _ in range(40):
        received(http2, frame(DATA, stream, bytes(10_000)))
    given = sum(int.from_bytes(payload, "big") for kind, _, to, payload in said(http2) if kind == WINDOW and to == 0)
    assert 400_000 - 2 * MAX // 4 - 10_000 <= given <= 400_000


def test_a_server_that_goes_away_takes_no_further_stream():
    http2, stream = opened()
    assert received(http2, frame(GOAWAY, 0, bytes(8))) == []
    assert http2.goes_away and http2.is_open(stream)
    with pytest.raises(EdgeError, match="no more streams"):
        http2.open()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "a frame of 4,740,180 bytes"),
        (frame(DATA, 1, b"\0" + struct.pack(">I", MAX + 1)), "a message of 100,001 bytes"),
        (frame(DATA, 1, b"\1" + struct.pack(">I", 1)), "a message of 1 bytes"),
        (frame(DATA, 3, b""), "stream 3"),
        (frame(PUSH, 1, bytes(4)), "nobody opened"),
        (frame(SETTINGS, 0, b"abc"), "settings"),
    ],
)
def test_what_no_edge_sends_is_an_error_in_one_line_before_it_is_gathered(data, words):
    http2, _ = opened()
    with pytest.raises(EdgeError, match=words) as caught:
        received(http2, data)
    assert "\n" not in str(caught.value)


def test_whoever_asks_for_answers_and_takes_none_is_left():
    http2, _ = opened()
    with pytest.raises(EdgeError, match="takes none"):
        for _ in range(200_000):
            received(http2, frame(PING, 0, bytes(8)))


def test_any_bytes_are_frames_or_an_error(rng=None):
    """The one invariant against a hostile edge: nothing but EdgeError, and nothing is kept beyond a message."""
    import numpy as np

    random = np.random.default_rng(0)
    for _ in range(3_000):
        http2, stream = opened()
        wire = bytearray(
            frame(SETTINGS, 0, struct.pack(">HI", 4, 70_000))
            + frame(DATA, stream, grpc(b"body" * 9))
            + frame(RST, 1, bytes(4))
        )
        for place in random.integers(0, len(wire), random.integers(1, 6)):
            wire[place] = random.integers(0, 256)
        try:
            for piece in (wire[:30], wire[30:]):
                received(http2, bytes(piece))
        except EdgeError:
            continue
        assert sum(len(f[3]) for f in said(http2)) < 1_000


def test_a_window_that_nobody_waits_for_is_no_reason_to_look_again():
    http2, stream = opened()
    assert not http2.has_more
    received(http2, frame(WINDOW, 0, struct.pack(">I", 1_000)) + frame(WINDOW, stream, struct.pack(">I", 1_000)))
    assert not http2.has_more
    http2.send(stream, [bytes(100_000)])
    said(http2)
    assert not http2.has_more  # all windows are closed
    received(http2, frame(WINDOW, stream, struct.pack(">I", 100_000)))
    assert http2.has_more
