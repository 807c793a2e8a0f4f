"""Messages over a plain socket: a little-endian 32-bit length, and that many bytes."""

from __future__ import annotations

import socket
import struct

from edgent.errors import InputError

LENGTH_BYTES = 4
MAX_BYTES = 64 * 2**20

_LENGTH = struct.Struct("<I")


def send_frame(sock: socket.socket, message: bytes) -> None:
    """Sends a message."""
    sock.sendall(_LENGTH.pack(len(message)) + message)


def receive_frame(sock: socket.socket) -> bytes:
    """The next message.

    Raises:
        InputError: it is longer than `MAX_BYTES`.
        ConnectionError: the other side ended the connection.
    """
    (length,) = _LENGTH.unpack(_exactly(sock, LENGTH_BYTES))
    if length > MAX_BYTES:
        raise InputError(f"found a message of {length} bytes, expected at most {MAX_BYTES}")
    return bytes(_exactly(sock, length))


def _exactly(sock: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        received = sock.recv_into(view)
        if not received:
            raise ConnectionResetError("the other side ended the connection")
        view = view[received:]
    return data
