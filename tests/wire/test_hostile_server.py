"""What is no edge, frame by frame over a real socket: each call and exchange ends in one line, and in its time."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import grpc
import pytest

from edgent.errors import EdgentError
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from hostile.caller import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    literal,
    prefixed,
)
from ports import listening
from real_time import PATIENCE

TIMEOUT = 0.3
MAX = 1 << 20
ABORTS = tuple(map(int, grpc.__version__.split(".")[:2])) >= (1, 84)
OK = b"\x88" + b"\0" + literal(b"content-type") + literal(b"application/grpc")


def field(name: bytes, value: bytes) -> bytes:
    return b"\0" + literal(name) + literal(value)


def answer(body: bytes = b"", headers: bytes = OK, trailers: bytes = field(b"grpc-status", b"0")) -> bytes:
    """An answer on the first stream, as a server would write it."""
    data = prefixed(body)
    pieces = b"".join(frame(DATA, 0, 1, data[at : at + 16_384]) for at in range(0, len(data), 16_384))
    end = frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers)
    return frame(HEADERS, END_HEADERS, 1, headers) + pieces + end


def again(data: bytes):
    """Sends something until the other side has enough."""

    def talk(peer):
        while True:
            peer.sendall(data)

    return talk


def slowly(data: bytes):
    """A byte at a time, slower than anybody waits for."""

    def talk(peer):
        for at in range(len(data)):
            peer.sendall(data[at : at + 1])
            time.sleep(0.05)

    return talk


SENT = {
    "nothing": b"",
    "no http": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "garbage": bytes(range(256)) * 20,
    "a frame beyond all": b"\xff\xff\xff" + bytes((DATA, 0)) + b"\0\0\0\1" + bytes(1000),
    "an unknown frame": frame(99, 255, 2**31 - 1, bytes(100)),
    "headers that are none": frame(HEADERS, END_HEADERS, 1, b"\xff" * 100),
    "headers from beyond the table": frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x0f"),
    "headers that are never whole": frame(HEADERS, 0, 1, OK),
    "headers behind the end": answer(b"") + frame(HEADERS, END_HEADERS, 1, OK),
    "a status that is none": answer(b"", trailers=field(b"grpc-status", b"\xff\xfe")),
    "a status beyond all": answer(b"", trailers=field(b"grpc-status", b"999999999999999999999")),
    "a refusal in signs": answer(
        b"", trailers=field(b"grpc-status", b"9") + field(b"grpc-message", b"\x1b[2J%0A%00%ff" * 8)
    ),
    "no trailers": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, END_STREAM, 1, prefixed(b"abc")),
    "data before headers": frame(DATA, 0, 1, prefixed(b"abc")),
    "half a message": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, prefixed(b"abc", 1000)),
    "a message beyond all": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, prefixed(b"abc", 2**32 - 1)),
    "two messages": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, prefixed(b"abc") + prefixed(b"abc")),
    "a compressed message": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, b"\1\0\0\0\3abc"),
    "another stream": answer().replace(b"\0\0\0\1", b"\0\0\0\7"),
    "a stream of its own": frame(HEADERS, END_HEADERS, 2, OK),
    "a push": frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + OK),
    "a reset": frame(RST_STREAM, 0, 1, struct.pack(">I", 2)),
    "a reset of no code": frame(RST_STREAM, 0, 1, struct.pack(">I", 0x12345678)),
    "settings beyond all": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**32 - 1)),
    "frames of no bytes": frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 0)),
    "half a setting": frame(SETTINGS, 0, 0, b"abc"),
    "a window that overflows": frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 3,
    "a window of nothing": frame(WINDOW_UPDATE, 0, 1, bytes(4)),
    "no window at all": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)),
    "goodbye": frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)),
    "goodbye of no code": frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0x12345678)),
}
TALKS = {
    "pings without end": again(frame(PING, 0, 0, b"pingping")),
    "settings without end": again(frame(SETTINGS, 0, 0, b"")),
    "headers without end": again(frame(CONTINUATION, 0, 1, OK)),
    "frames without end": again(frame(DATA, 0, 1, bytes(16_384))),
    "answers without end": again(answer(bytes(1000))),
    "a byte at a time": slowly(frame(SETTINGS, 0, 0, b"") + answer(bytes(10_000))),
}
# Whose answer is one: to a call it is none of ours for lack of a checksum, which only an edge that had one must have.
TAKEN = ("headers behind the end", "answers without end")


def saying(talk):
    """A server that greets as one of HTTP/2, hears the beginning of a request, and then talks."""

    def heard(peer):
        peer.sendall(frame(SETTINGS, 0, 0, b""))
        came = b""
        while b"/Probe" not in came and b"/Exchange" not in came:
            came += peer.recv(65_536)
            if not came:
                return
        talk(peer)
        while peer.recv(65_536):  # and then is silent
            pass

    return listening(heard)


def asked(address, by):
    """Asks twice; what came of it."""
    outcomes = []
    with contextlib.closing(GrpcChannel(address, max_message=MAX)) as channel:
        for _ in range(2):
            began_at = time.monotonic()
            try:
                outcomes.append(getattr(channel, by)(m.PROBE, b"abc", TIMEOUT).body)
            except EdgentError as error:
                outcomes.append(error)
            assert time.monotonic() - began_at < PATIENCE
    return outcomes


@pytest.mark.parametrize("by", ["call", "exchange"])
@pytest.mark.parametrize("name", [*SENT, *TALKS])
def test_whatever_is_sent_each_request_ends_in_one_line_and_in_its_time(name, by):
    if ABORTS and by == "call" and name == "goodbye of no code":
        pytest.skip("this gRPC ends the process")
    talk = TALKS[name] if name in TALKS else lambda peer: peer.sendall(SENT[name])
    with saying(talk) as address:
        outcomes = asked(address, by)
    for outcome in outcomes:
        if by == "call" and name in TAKEN:
            continue
        assert isinstance(outcome, EdgentError), (name, outcome)
        assert len(str(outcome)) <= 1_000 and str(outcome).isprintable()


@pytest.mark.parametrize("by", ["call", "exchange"])
@pytest.mark.parametrize("when", ["at once", "in the middle"])
def test_who_hangs_up_is_an_edge_that_is_lost(when, by):
    def talk(peer):
        if when == "in the middle":
            peer.sendall(answer(bytes(5_000))[:2_000])
        peer.shutdown(socket.SHUT_RDWR)

    with saying(talk) as address:
        assert all(isinstance(outcome, EdgentError) for outcome in asked(address, by))
