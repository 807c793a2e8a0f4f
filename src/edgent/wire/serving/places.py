"""How much callers may take of a server: threads of each kind of call, uploads and streams of each of their hosts.

A caller who sends nothing holds what it was given, and gRPC lends a thread to each call from its first header on. So
kinds of calls have threads of their own, which no other kind can take; a kind whose threads are all taken is refused at
once, and never waits unseen; and no host holds more than its share of them.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import unquote

from edgent.wire.errors import BusyError

_Result = TypeVar("_Result")


def host_of(peer: str) -> str:
    """The host in gRPC's name for a caller: "ipv4:192.0.2.7:40312", "ipv6:%5B::1%5D:40312"."""
    return unquote(peer).partition(":")[2].rpartition(":")[0]


class Places(ThreadPoolExecutor):
    """Threads for one kind of call, counted.

    Args:
        most: calls at once.
        kind: in words, of the plural.
    """

    def __init__(self, most: int, kind: str) -> None:
        super().__init__(most, thread_name_prefix=f"edgent-{kind}")
        self.most, self.kind = most, kind
        self._guard = threading.Lock()
        self._taken = 0

    @property
    def are_taken(self) -> bool:
        """Whether the next call would have to wait for a thread."""
        with self._guard:
            return self._taken >= self.most

    def submit(self, work: Callable[..., _Result], /, *arguments: Any, **named: Any) -> Future[_Result]:
        """See `Executor.submit`."""
        with self._guard:
            self._taken += 1
        future = super().submit(work, *arguments, **named)
        future.add_done_callback(self._free)
        return future

    def _free(self, _: Future[Any]) -> None:
        with self._guard:
            self._taken -= 1

    def __repr__(self) -> str:
        return f"<Places for {self.kind}: {self._taken} of {self.most} taken>"


class Shares:
    """What each host holds of something that all of them share.

    Args:
        most: that one of them may hold at once.
        kind: of what, in words, of the plural.
    """

    def __init__(self, most: int, kind: str) -> None:
        self._most, self._kind = most, kind
        self._guard = threading.Lock()
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def held(self, host: str) -> Iterator[None]:
        """Holds one more for a host.

        Raises:
            BusyError: it holds as many as it may.
        """
        with self._guard:
            if self._held[host] >= self._most:
                raise BusyError(f"{self._most} {self._kind} of {host} are under way here; end one of them first")
            self._held[host] += 1
        try:
            yield
        finally:
            with self._guard:
                self._held[host] -= 1
                if not self._held[host]:
                    del self._held[host]  # who has left is not remembered

    def __repr__(self) -> str:
        return f"<Shares of {self._kind}: {dict(self._held)}, at most {self._most} each>"


class InHand:
    """Counts requests from when they come until they are answered; a server that stops waits for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self.stops = False

    def __enter__(self) -> None:
        """One more is in hand, until the end of this context."""
        with self._changed:
            self._count += 1

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._count -= 1
            if not self._count:
                self._changed.notify_all()

    @property
    def count(self) -> int:
        """Of them, now."""
        return self._count

    def emptied(self, within: float) -> bool:
        """Waits until nothing is in hand, so many seconds at the most."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, within)

    def __repr__(self) -> str:
        return f"<InHand: {self._count}{', and no more' if self.stops else ''}>"
