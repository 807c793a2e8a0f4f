"""A caller of an edge that keeps to no rule: frames of HTTP/2 written by hand, after RFC 9113, and as they come."""

from __future__ import annotations

import contextlib
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(text: bytes) -> bytes:
    """A string of HPACK of fewer than 127 bytes."""
    assert len(text) < 127
    return bytes((len(text),)) + text


def headers(path: str, **more: str) -> bytes:
    """The headers of a call of gRPC, as literals."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "edge",
        "te": "trailers",
        "content-type": "application/grpc",
        **more,
    }
    return b"".join(b"\0" + literal(key.encode()) + literal(value.encode()) for key, value in fields.items())


def prefixed(message: bytes, length: int | None = None) -> bytes:
    """A message of gRPC, perhaps with a length that is not its own."""
    return struct.pack(">BI", 0, len(message) if length is None else length) + message


class RawCaller:
    """One connection to an edge.

    Args:
        address: the edge's.
        host: the address of this machine that it comes from: "127.0.0.9" is another host than "127.0.0.1".
    """

    def __init__(self, address: str, host: str = "127.0.0.1"):
        name, _, port = address.rpartition(":")
        self._socket = socket.create_connection((name, int(port)), 10.0, source_address=(host, 0))
        self._stream = -1
        # Windows so wide that nothing which is sent here waits for ours.
        self.write(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31 - 1)))
        self.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 65_536)))

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def begin(self, path: str, data: bytes = b"", **more: str) -> int:
        """Begins a call, and sends so much of its message; the number of its stream."""
        self._stream += 2
        self.write(frame(HEADERS, END_HEADERS, self._stream, headers(path, **more)))
        for at in range(0, len(data), 16_384):
            self.write(frame(DATA, 0, self._stream, data[at : at + 16_384]))
        return self._stream

    def call(self, path: str, message: bytes) -> int:
        """Sends a whole call; its answer is not waited for."""
        stream = self.begin(path, prefixed(message))
        self.write(frame(DATA, END_STREAM, stream, b""))
        return stream

    def read(self, seconds: float = 10.0) -> bytes:
        """What has come, at least a byte; nothing: the other side has hung up, or says nothing for so long."""
        self._socket.settimeout(seconds)
        with contextlib.suppress(OSError):
            return self._socket.recv(1 << 20)
        return b""

    def close(self) -> None:
        self._socket.close()
