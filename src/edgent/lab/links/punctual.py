"""A selector that wakes in time: to some 50 µs where the host is idle, where the usual ones round up to 1 ms."""

from __future__ import annotations

import math
import select
import selectors
import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE

from edgent.units import Seconds

__all__ = ["EVENT_READ", "EVENT_WRITE", "PunctualSelector", "now"]

SPIN = 100e-6  # a sleep ends up to so much late, so the last of it is spent looking

Callback = Callable[[int], None]


class PunctualSelector:
    """Waits for sockets, and for an instant.

    A selector is a file itself, which `select` watches with a timeout of full resolution.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._worst = 0.0

    def register(self, sock: socket.socket | int, events: int, callback: Callback) -> None:
        """Starts watching a socket."""
        self._selector.register(sock, events, callback)

    def modify(self, sock: socket.socket, events: int, callback: Callback) -> None:
        """Watches it for something else."""
        self._selector.modify(sock, events, callback)

    def unregister(self, sock: socket.socket) -> None:
        """Stops watching a socket."""
        self._selector.unregister(sock)

    def wait(self, until: float) -> list[tuple[Callback, int]]:
        """The callbacks of sockets that are ready, with their events; nothing where it is `until` before any is."""
        # epoll rounds its timeout up to whole milliseconds. `select` takes microseconds, and can wait for the epoll
        # itself, which is readable when any of its sockets is.
        while (left := until - now()) > SPIN:
            timeout = None if left == math.inf else left - SPIN
            if select.select([self._selector], [], [], timeout)[0]:
                break
        # The rest is spent looking at the clock: the kernel's timers and the scheduler together are late by up to
        # `SPIN`.
        while True:
            ready = [(key.data, events) for key, events in self._selector.select(0)]
            late = now() - until
            if ready or late >= 0:
                self._worst = max(self._worst, late)
                return ready

    def worst_lateness(self) -> Seconds:
        """The latest wake-up since this was last asked, in seconds."""
        # Reported with measurements, so that a link that was late can be told from one that was slow.
        worst, self._worst = self._worst, 0.0
        return Seconds(worst)

    def close(self) -> None:
        """Closes the selector."""
        self._selector.close()


def now() -> Seconds:
    """The time by which `PunctualSelector.wait` wakes."""
    # Monotonic: a clock that is set would make a link pause or jump.
    return Seconds(time.monotonic())
