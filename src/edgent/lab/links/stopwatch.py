"""Times messages from their first byte sent to their last byte received, by one clock: both ends on one host.

Two processes, so that neither holds up the other, and so that each can run in a network namespace of its own:

    python -m edgent.lab.links.stopwatch listen [HOST]         prints {"address": ...}, then serves
    python -m edgent.lab.links.stopwatch push ADDRESS SIZE N   prints {"seconds": [...]}, one for each of N messages

`Exchange` times bytes there and back through a bare socket, in its caller's process:

    python -m edgent.lab.links.stopwatch answer [HOST]         prints {"address": ...}, then serves
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from edgent.errors import EdgentError
from edgent.lab.rivals.frames import LENGTH_BYTES, receive_frame, send_frame

# Seconds by the receiver's monotonic clock, which is one for all processes of a Linux host, in any network namespace.
_INSTANT = struct.Struct("<d")
_WISH = struct.Struct("<I")
_PAUSE = 0.02  # between messages, so that none waits for the one before


@contextlib.contextmanager
def listening(what: str = "listen", *, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Iterator[str]:
    """A process that does `what`, started by `prefix` (such as `ip netns exec NAME`); gives its address."""
    command = [*prefix, sys.executable, "-m", __name__, what, host]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            # It serves for ever and holds nothing that could be lost.
            process.kill()


def pushed(address: str, size: int, *, repeats: int = 1, prefix: Sequence[str] = ()) -> list[float]:
    """Seconds that each of `repeats` messages of `size` bytes (its length's included) took, sent by another process.

    Raises:
        EdgentError: it failed.
    """
    command = [*prefix, sys.executable, "-m", __name__, "push", address, str(size), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgentError(f"pushing to {address} failed: {done.stderr.strip() or done.returncode}")
    seconds: list[float] = json.loads(done.stdout)["seconds"]
    return seconds


class Exchange:
    """A bare socket to a process that answers with as many bytes as it is asked for; a context manager.

    Args:
        address: Of `python -m edgent.lab.links.stopwatch answer`.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        # Without it the kernel would hold back a short last segment until the one before is acknowledged (Nagle's
        # algorithm), and a round trip would be measured twice.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, up: int, down: int) -> float:
        """Seconds of so many bytes there and so many back; eight more, at least, are lengths and the wish."""
        # At least its own four bytes, however few are asked for.
        message = _WISH.pack(down) + bytes(max(0, up - _WISH.size))
        started_at = time.perf_counter()
        send_frame(self._socket, message)
        receive_frame(self._socket)
        return time.perf_counter() - started_at


def _at_once(_: bytes) -> bytes:
    # Taken once the whole message is here: `receive_frame` returns with its last byte.
    return _INSTANT.pack(time.monotonic())


def _as_wished(message: bytes) -> bytes:
    return bytes(_WISH.unpack_from(message)[0])


def _serve(answer: Callable[[bytes], bytes], host: str = "127.0.0.1") -> None:
    with socket.create_server((host, 0)) as server:
        # Port 0: the kernel picks a free one, and the address is printed for whoever started this.
        port = server.getsockname()[1]
        sys.stdout.write(json.dumps({"address": f"{host}:{port}"}) + "\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            # A peer that goes away ends its own connection, not the server.
            with connection, contextlib.suppress(ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    send_frame(connection, answer(receive_frame(connection)))


_ANSWERS = {"listen": _at_once, "answer": _as_wished}


def _push(address: str, size: int, repeats: int) -> list[float]:
    host, _, port = address.rpartition(":")
    # The frame's length counts as well: SIZE is what crosses the link.
    message = bytes(size - LENGTH_BYTES)
    seconds = []
    with socket.create_connection((host, int(port))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(repeats):
            time.sleep(_PAUSE)
            started_at = time.monotonic()
            send_frame(sock, message)
            seconds.append(_INSTANT.unpack(receive_frame(sock))[0] - started_at)
    return seconds


def main(arguments: list[str]) -> int:
    """See the module."""
    what, *rest = arguments
    if what in _ANSWERS:
        _serve(_ANSWERS[what], *rest)
    else:
        address, size, repeats = rest
        sys.stdout.write(json.dumps({"seconds": _push(address, int(size), int(repeats))}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
