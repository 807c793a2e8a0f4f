"""LitServe from outside: its server as a process of an environment of its own, and a client with one connection."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgent.errors import EdgentError
from environments import python

HERE = Path(__file__).resolve().parent
PATIENCE = 30.0  # seconds for an answer
_START = 90.0  # seconds; torch takes its time
_LOOPBACK, _ANYWHERE = "127.0.0.1", "0.0.0.0"
_BOUNDARY = "edgent-picture"


@contextmanager
def serving(
    script: str, *arguments: object, folder: Path, host: str = _LOOPBACK, prefix: Sequence[str] = ()
) -> Iterator[str]:
    """A server of this folder; its address, once it listens.

    Args:
        script: its file; it takes host and port after all other arguments.
        arguments: those.
        folder: where it writes what it has to say.
        host: where it is reached.
        prefix: words before the command: those that start it elsewhere.

    Raises:
        EdgentError: LitServe cannot be installed, or no server came.
    """
    interpreter = python("litserve", "litserve", "onnxruntime", "pillow", "python-multipart")
    port, log = free_port(), folder / "litserve.log"
    listening = host if host == _LOOPBACK else _ANYWHERE  # LitServe takes no other
    with process([*prefix, interpreter, HERE / script, *arguments, listening, port], log):
        wait_for(host, port, log)
        yield f"{host}:{port}"


class Client:
    """Posts pictures over one connection that is kept."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=PATIENCE)

    def ask(self, picture: bytes, key: str) -> Any:
        """What the server answers under that key.

        Raises:
            EdgentError: it answers something else.
        """
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="p"\r\n\r\n'.encode()
        body = head + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        self._connection.request("POST", "/predict", body, kind)
        answer = json.loads(self._connection.getresponse().read())
        if key not in answer:
            raise EdgentError(f"LitServe answers {json.dumps(answer)[:120]}")
        return answer[key]

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


@contextmanager
def process(command: Sequence[object], log: Path) -> Iterator[Any]:
    """Another program until the end of the block, and all that it has started."""
    with log.open("w") as errors, subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
    ) as child:  # fmt: skip
        try:
            yield child
        finally:
            os.killpg(child.pid, signal.SIGKILL)  # LitServe's workers outlive it otherwise


def free_port() -> int:
    """One of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(host: str, port: int, log: Path) -> None:
    """Returns once somebody listens there.

    Raises:
        EdgentError: nobody came; with the last that was said.
    """
    until = time.monotonic() + _START
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), 1.0).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise EdgentError(f"no server within {_START:g} s: {(log.read_text().strip() or 'no word').splitlines()[-1]}")
