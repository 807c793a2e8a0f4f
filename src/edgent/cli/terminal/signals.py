"""SIGINT and SIGTERM: none is lost, however early it comes, and a second one ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_ENDED = 128  # and the signal's number: the exit code of what a signal ended, as shells count it


def end_in_order() -> None:
    """Has SIGTERM end a command as SIGINT does: what is half written is removed on the way out."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which `edgent.__main__` had put off
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(_ENDED + number))


class StopSignals:
    """Takes both from now on, in the main thread. The first one ends a start, and tells a server to stop.

    Attributes:
        serving: whether there is something in hand that should be ended in order.
    """

    def __init__(self) -> None:
        self.serving = False
        self._told = threading.Event()
        # The system may hand a signal to any thread, as it does when a process goes on after SIGSTOP; Python handles it
        # in the main thread alone, whose waiting is not interrupted then. So that waits for a byte, which is written
        # by whichever thread the signal comes to.
        self._wakes, self._waker = os.pipe()
        os.set_blocking(self._waker, False)  # as Python asks for; a pipe that is full wakes as well
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in _NUMBERS:
            signal.signal(number, self._take)

    def wait(self) -> None:
        """Returns when one has come, or there is nothing left to do."""
        while not self._told.is_set():
            os.read(self._wakes, 1)

    def done(self) -> None:
        """There is nothing left to do: whoever waits need not wait for a signal."""
        self._told.set()
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b"\0")

    def _take(self, number: int, _: FrameType | None) -> None:
        # The second one is the system's own business: it ends even a process that hangs.
        for each in _NUMBERS:
            signal.signal(each, signal.SIG_DFL)
        # Noted before anything is raised: a library that swallows exceptions during a start delays the end, and `wait`
        # then returns at once.
        self.done()
        if not self.serving:
            sys.exit(_ENDED + number)

    def __repr__(self) -> str:
        return f"<StopSignals: {'one has come' if self._told.is_set() else 'none has come'}>"
