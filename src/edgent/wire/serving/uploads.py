"""Messages on their way to a server: each within a time, and no more of one host than its share.

gRPC lends a thread to a call before its message is there, and would wait for that for ever. Who names a deadline is cut
off by it; for all others one thread here looks once a second who has been waited for too long. It waits as long for who
fetches a file and does not take it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

from edgent.errors import InputError
from edgent.wire.errors import LateError
from edgent.wire.serving.places import Shares, host_of

_LOOKS_EVERY = 1.0  # seconds


class Upload(Protocol):
    """What a message comes by: a call's context of gRPC."""

    def peer(self) -> str:
        """Who sends it."""
        ...

    def cancel(self) -> None:
        """Ends the call: who waits for its message is told that none comes."""
        ...


class Uploads:
    """See the module; thread-safe.

    Args:
        most: of one host at once.
        within: seconds for each.
    """

    def __init__(self, most: int, within: float) -> None:
        self._shares, self._within = Shares(most, "uploads"), within
        self._guard = threading.Lock()
        self._waited_for: dict[int, tuple[Upload, float]] = {}
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def message(self, messages: Iterator[bytes], upload: Upload) -> bytes:
        """The message of a call.

        Raises:
            InputError: the call ended without one.
            LateError: it did not come in time.
            BusyError: its host has as many on their way as it may.
        """
        began_at = monotonic()
        with self._shares.held(host_of(upload.peer())), self.limited(upload, self._within):
            try:
                return next(messages)
            except StopIteration:
                raise InputError("the call ended without a message; expected one") from None
            except Exception as error:
                if monotonic() - began_at < self._within:
                    raise
                raise LateError(f"the message did not come within {self._within:g} s") from error

    @contextlib.contextmanager
    def limited(self, upload: Upload, within: float) -> Iterator[None]:
        """Ends a call that is at this for longer than so many seconds."""
        self._wait_for(upload, monotonic() + within)
        try:
            yield
        finally:
            with self._guard:
                del self._waited_for[id(upload)]

    @property
    def on_their_way(self) -> list[Upload]:
        """Those that are waited for now."""
        with self._guard:
            return [upload for upload, _ in self._waited_for.values()]

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()

    def _wait_for(self, upload: Upload, until: float) -> None:
        with self._guard:
            self._waited_for[id(upload)] = upload, until
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, name="edgent-uploads", daemon=True)
                self._watch.start()

    def _look(self) -> None:
        while not self._closed.wait(_LOOKS_EVERY):
            with self._guard:
                overdue = [upload for upload, until in self._waited_for.values() if until <= monotonic()]
            for upload in overdue:
                upload.cancel()

    def __repr__(self) -> str:
        return f"<Uploads: {len(self._waited_for)} on their way>"
