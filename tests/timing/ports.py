"""Ports of this machine that are a test's own: while nobody listens on them, and with what listens there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that the system gives to nobody who wants any; a server that is told this one may listen on it.

    Bound, and nobody listens: who connects is refused. A server shares it by either option of `socket`(7): gRPC's sets
    SO_REUSEPORT, most others SO_REUSEADDR.
    """
    with socket.socket() as held:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            held.setsockopt(socket.SOL_SOCKET, option, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def listening(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """Something that listens at "HOST:PORT": `talk` gets each connection, in a thread of its own, until it returns.

    In the end every connection is shut and every thread has ended. A thread that still waited for a connection would
    take one of another test: where the process was stopped meanwhile, the system waits anew, on whatever socket has the
    number of the closed one by then.
    """
    peers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def talking(peer: socket.socket) -> None:
        with peer, suppress(OSError):  # whoever was talked to has gone, or the test is over
            talk(peer)

    def begin(work: Callable[..., None], *given: object) -> None:
        threads.append(threading.Thread(target=work, args=given, daemon=True))
        threads[-1].start()

    def accept() -> None:
        with suppress(OSError):  # the test is over
            while True:
                peers.append(listener.accept()[0])
                begin(talking, peers[-1])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin(accept)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            for peer in peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
