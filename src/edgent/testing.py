"""Stand-ins for what a test does not want to wait for or to have: a clock, an engine, a link.

They are part of the public interface, so that a program built on Edgent can be tested without a second machine.

    link = FakeLink(edge.service.methods())     # an edge inside this process, never started
    device = Device(model, channel=link, bandwidth=..., deadline=...)
    link.cut()                                  # from now on nobody is there
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.link.slow_start import Window
from edgent.runtime.clock import MonotonicClock
from edgent.runtime.faults import BrokenError, LateError, RejectedError
from edgent.runtime.transport import Headers, Methods, Reply, Unary
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.model import Model

__all__ = ["FakeEngine", "FakeLink", "FakeSession", "ManualClock"]


class ManualClock:
    """A clock that stands still until it is moved.

    >>> clock = ManualClock()
    >>> clock.advance(0.5)
    >>> clock.now()
    0.5
    """

    def __init__(self, at: float = 0.0) -> None:
        self._at = at

    def now(self) -> Seconds:
        """The time it was moved to."""
        return Seconds(self._at)

    def advance(self, seconds: float) -> None:
        """Moves it on."""
        assert seconds >= 0, "a clock never goes back"
        self._at += seconds

    def __repr__(self) -> str:
        return f"<ManualClock at {self._at:g} s>"


class FakeSession:
    """Answers every tensor with the mean of what it was given, in the tensor's own shape."""

    def __init__(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> None:
        self.given, self.asked = tuple(given), tuple(asked)
        self._tensors = {name: model.tensors[name] for name in asked}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Raises InputError if not exactly the given tensors are fed."""
        if set(feeds) != set(self.given):
            raise InputError(f"found the tensors {sorted(feeds)}, expected {sorted(self.given)}")
        mean = float(np.mean([array.mean() for array in feeds.values()]))
        return {name: np.full(made.shape or (), mean, dtype=made.dtype) for name, made in self._tensors.items()}


class FakeEngine:
    """Makes fake sessions; `built` lists what was asked for first, in order."""

    name = "fake"
    threads = 1

    def __init__(self) -> None:
        self.built: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self._sessions: dict[tuple[tuple[str, ...], tuple[str, ...]], FakeSession] = {}
        self._lock = threading.Lock()

    def session(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> FakeSession:
        """A session, kept."""
        key = (tuple(given), tuple(asked))
        with self._lock:
            if key not in self._sessions:
                self.built.append(key)
                self._sessions[key] = FakeSession(model, given, asked)
            return self._sessions[key]


class _FakeCall:
    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.headers: dict[str, str] = {}
        self.headers_at: Seconds | None = None

    def time_remaining(self) -> Seconds | None:
        return Seconds(self.timeout)

    def window(self) -> Window | None:
        return None

    def set_headers(self, headers: Headers) -> None:
        self.headers = dict(headers)
        self.headers_at = MonotonicClock().now()


class FakeLink:
    """A channel to an edge in the same process, which can be cut, and made to hold answers back.

    Args:
        methods: the edge's; see `Edge.service`.
    """

    def __init__(self, methods: Methods) -> None:
        self.methods = methods
        self.calls: list[str] = []
        self._clock = MonotonicClock()
        self._there = True
        self._changed = threading.Condition()
        self._held: frozenset[str] = frozenset()

    def cut(self) -> None:
        """From now on every call fails, also those under way."""
        with self._changed:
            self._there = False
            self._changed.notify_all()

    def mend(self, methods: Methods | None = None) -> None:
        """The edge is back, or another one is there."""
        with self._changed:
            self._there = True
            self.methods = methods or self.methods
            self._changed.notify_all()

    def hold(self, *methods: str) -> None:
        """Answers of these methods do not arrive until `release`; a caller's timeout runs."""
        with self._changed:
            self._held = frozenset(methods)

    def release(self) -> None:
        """What was held back arrives."""
        with self._changed:
            self._held = frozenset()
            self._changed.notify_all()

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.call`."""
        sent_at = self._clock.now()
        self._pass(method, timeout)
        handler = self._handler(method)
        assert isinstance(handler, Unary), f"{method} answers with a stream"
        call = _FakeCall(timeout)
        body = _guarded(lambda: handler.answer(message, call))
        self._pass(method, timeout)
        now = self._clock.now()
        return Reply(body=body, headers=call.headers, sent_at=sent_at, headers_at=call.headers_at or now, body_at=now)

    def stream(self, method: str, message: bytes, timeout: float) -> Iterator[bytes]:
        """See `Channel.stream`."""
        self._pass(method, timeout)
        handler = self._handler(method)
        assert not isinstance(handler, Unary), f"{method} answers with one message"
        yield from handler.answer(message, _FakeCall(timeout))

    def window(self) -> Window | None:
        """See `Channel.window`: there is no TCP here."""
        return None

    def stranger(self, timeout: float) -> str | None:
        """See `Channel.stranger`: an edge is no stranger."""
        del timeout
        return None

    def renew(self) -> None:
        """See `Channel.renew`."""

    def close(self) -> None:
        """See `Channel.close`."""
        self.cut()

    def __repr__(self) -> str:
        return f"<FakeLink, {'up' if self._there else 'cut'}>"

    def _pass(self, method: str, timeout: float) -> None:
        with self._changed:
            self.calls.append(method)
            in_time = self._changed.wait_for(lambda: method not in self._held or not self._there, timeout)
            if not self._there:
                raise EdgeError("the link is cut")
            if not in_time:
                raise LateError(f"no answer within {timeout} s")

    def _handler(self, method: str) -> Any:
        if method not in self.methods:
            raise RefusedError(f"{method} is not spoken here")
        return self.methods[method]


def _guarded(answer: Any) -> bytes:
    """As gRPC would carry it: what is no refusal is a failure of the edge."""
    try:
        return bytes(answer())
    except (RefusedError, EdgeError):
        raise
    except InputError as error:
        raise RejectedError(str(error)) from error
    except EdgentError as error:
        raise BrokenError(str(error)) from error
