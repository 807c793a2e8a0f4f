"""Times messages from their first byte sent to their last byte received, by one clock: both ends on one host.

Two processes, so that neither holds up the other, and so that each can run in a network namespace of its own:

    python -m edgent.lab.stopwatch listen [HOST]         prints {"address": ...}, then serves
    python -m edgent.lab.stopwatch push ADDRESS SIZE N   prints {"seconds": [...]}, one for each of N messages
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from edgent.errors import EdgentError
from edgent.lab.frames import LENGTH_BYTES, receive_frame, send_frame

_INSTANT = struct.Struct("<d")
_PAUSE = 0.02  # between messages, so that none waits for the one before


@contextlib.contextmanager
def listening(*, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Iterator[str]:
    """A process that receives, started by `prefix` (such as `ip netns exec NAME`); gives its address."""
    command = [*prefix, sys.executable, "-m", __name__, "listen", host]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
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


def _listen(host: str) -> None:
    with socket.create_server((host, 0)) as server:
        port = server.getsockname()[1]
        sys.stdout.write(json.dumps({"address": f"{host}:{port}"}) + "\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    receive_frame(connection)
                    send_frame(connection, _INSTANT.pack(time.monotonic()))


def _push(address: str, size: int, repeats: int) -> list[float]:
    host, _, port = address.rpartition(":")
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
    if arguments[0] == "listen":
        _listen(*arguments[1:])
    else:
        address, size, repeats = arguments[1:]
        sys.stdout.write(json.dumps({"seconds": _push(address, int(size), int(repeats))}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
