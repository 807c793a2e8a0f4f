"""A link to an edge inside the same process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from edgent.clock import Clock, MonotonicClock
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.link.slow_start import Window
from edgent.units import BitsPerSecond, Seconds, serialisation_time
from edgent.wire.errors import BrokenError, LateError, RejectedError
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.transport import Methods, Reply, Streaming, Unary


class FakeLink:
    """A channel to an edge in the same process: it can be slow, cut, and made to hold messages back.

    Args:
        methods: the edge's; see `Edge.service`.
        clock: that of the device and of the edge; None: the machine's.
        bandwidth: of each direction, bits a second; every message has it for itself. May be set anew at any time.
        round_trip: seconds; likewise.

    Attributes:
        calls: the methods that were called, in order.
    """

    def __init__(
        self,
        methods: Methods,
        *,
        clock: Clock | None = None,
        bandwidth: BitsPerSecond = BitsPerSecond(math.inf),
        round_trip: Seconds = Seconds(0.0),
    ) -> None:
        self.methods = methods
        self.bandwidth, self.round_trip = bandwidth, round_trip
        self.calls: list[str] = []
        self._clock = clock or MonotonicClock()
        self._there = True
        self._changed = self._clock.condition()
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
        """Messages of these methods do not arrive until `release`; a caller's timeout runs."""
        with self._changed:
            self._held = frozenset(methods)

    def release(self) -> None:
        """What was held back arrives."""
        with self._changed:
            self._held = frozenset()
            self._changed.notify_all()

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.call`."""
        self.calls.append(method)
        call = _FakeCall(self._clock, timeout)
        self._cross(method, self.round_trip / 2 + self._takes(message), call)
        handler = self._handler(method)
        assert isinstance(handler, Unary), f"{method} answers with a stream"
        body = self._answered(lambda: handler.answer(message, call), call)
        self._cross(method, self.round_trip / 2, call)
        notes_at = self._clock.now()
        self._cross(method, self._takes(body), call)
        return Reply(
            body=body,
            notes=call.notes,
            sent_at=call.began_at,
            notes_at=notes_at,
            body_at=self._clock.now(),
        )

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.exchange`: here it is a call."""
        return self.call(method, message, timeout)

    def stream(self, method: str, message: bytes, timeout: float) -> Iterator[bytes]:
        """See `Channel.stream`."""
        self.calls.append(method)
        call = _FakeCall(self._clock, timeout)
        self._cross(method, self.round_trip / 2 + self._takes(message), call)
        handler = self._handler(method)
        assert not isinstance(handler, Unary), f"{method} answers with one message"
        for part in handler.answer(message, call):
            self._cross(method, self._takes(part), call)
            yield part

    def window(self) -> Window | None:
        """See `Channel.window`: there is no TCP here."""
        return None

    def first_words(self, timeout: float) -> str | None:
        """See `Channel.first_words`: an edge is no stranger."""
        del timeout
        return None

    def renew(self) -> None:
        """See `Channel.renew`."""

    def close(self) -> None:
        """See `Channel.close`."""
        self.cut()

    def __repr__(self) -> str:
        return f"<FakeLink, {'up' if self._there else 'cut'}>"

    def _takes(self, message: bytes) -> Seconds:
        return serialisation_time(len(message), self.bandwidth)

    def _cross(self, method: str, seconds: float, call: _FakeCall) -> None:
        """Something of this call goes over the link, and takes so long."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._there and method in self._held), call.left)
            late = method in self._held or seconds > call.left
            self._changed.wait_for(lambda: not self._there, min(seconds, call.left))
            if not self._there:
                raise EdgeError("the link is cut")
            if late:
                raise LateError(f"no answer within {call.timeout} s")

    def _answered(self, answer: Callable[[], bytes], call: _FakeCall) -> bytes:
        """What the edge answers, in a thread of its own: who called waits no longer than it said."""
        outcome: Future[bytes] = Future()

        def work() -> None:
            try:
                outcome.set_result(_guarded(answer))
            except BaseException as error:
                outcome.set_exception(error)
            with self._changed:
                self._changed.notify_all()

        self._clock.thread(work, "edgent-fake-edge").start()
        with self._changed:
            self._changed.wait_for(lambda: outcome.done() or not self._there, call.left)
            if not self._there:
                raise EdgeError("the link is cut")
        if not outcome.done():
            raise LateError(f"no answer within {call.timeout} s")
        return outcome.result()

    def _handler(self, method: str) -> Unary | Streaming:
        if method not in self.methods:
            raise RefusedError(f"{method} is not spoken here")
        return self.methods[method]


class _FakeCall:
    """One call, as the edge sees it."""

    def __init__(self, clock: Clock, timeout: float) -> None:
        self._clock, self.timeout = clock, timeout
        self.began_at = clock.now()
        self.notes = NOTHING

    @property
    def left(self) -> float:
        return self.began_at + self.timeout - self._clock.now()

    def time_remaining(self) -> Seconds | None:
        return Seconds(self.left)

    def window(self) -> Window | None:
        return None

    def given_up(self) -> bool:
        return self.left <= 0

    def certificate(self) -> bytes | None:
        return None

    def caller(self) -> str:
        return "here"

    def note(self, notes: Notes) -> None:
        self.notes = notes


def _guarded(answer: Callable[[], bytes]) -> bytes:
    """As gRPC would carry it: what is no refusal is a failure of the edge."""
    try:
        return bytes(answer())
    except (RefusedError, EdgeError):
        raise
    except InputError as error:
        raise RejectedError(str(error)) from error
    except EdgentError as error:
        raise BrokenError(str(error)) from error
