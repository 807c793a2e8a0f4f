"""Who may do what at an edge whose devices have joined: each call is checked by the certificate that its caller showed.

TLS has checked that the certificate is the authority's and in time. What is left is what TLS cannot know: whether the
device was removed since, how often it may ask, and whether it may fetch models. The list of devices is looked at again
once a second, so that no request waits for a disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from edgent.clock import Clock
from edgent.edge.limits.peer_limits import Allowance, Rate
from edgent.errors import EdgentError, RefusedError
from edgent.identity.certificates import bearer_of
from edgent.identity.register import Member, Register
from edgent.units import Seconds
from edgent.wire.errors import BusyError
from edgent.wire.messages import FETCH, MODEL_INFER
from edgent.wire.transport import Call, Methods, Streaming, Unary

_LOOKS_EVERY = 1.0  # seconds
_LOOKS_FOR_ONE = 0.1  # for one who is not known: who was removed may ask as often as it likes
_Body = TypeVar("_Body")


class Doorkeeper:
    """Checks the callers of one edge; thread-safe.

    Args:
        register: the edge's list of devices.
        clock: tells how old the last look at it is, and how often a device asks.
    """

    def __init__(self, register: Register, clock: Clock) -> None:
        self._register, self._clock = register, clock
        self._guard = threading.Lock()
        self._looked_at: Seconds | None = None
        self._members: Mapping[str, Member] = {}
        self._allowances: dict[str, Allowance] = {}

    def guarded(self, methods: Methods) -> Methods:
        """The same methods, for callers who may call them."""
        return {path: self._guarded(path, method) for path, method in methods.items()}

    def check(self, path: str, certificate: bytes | None) -> None:
        """Lets a call pass, or raises.

        Args:
            path: of the method that is called.
            certificate: what the caller showed, as PEM; None: nothing.

        Raises:
            RefusedError: the caller is no device of this edge, or may not do this.
            BusyError: it asks more often than it may.
        """
        if certificate is None:
            raise RefusedError("this edge answers devices that have joined it; use `edgent join`")
        bearer, now = bearer_of(certificate), self._clock.now()
        with self._guard:
            self._look(now, _LOOKS_EVERY)
            if bearer.serial not in self._members:
                self._look(now, _LOOKS_FOR_ONE)  # it may have joined just now
            member = self._members.get(bearer.serial)
            if member is None:
                raise RefusedError(f"{bearer.name!r} is no device of this edge any more; join again with a new token")
            if path == FETCH and not member.may_fetch:
                raise RefusedError(f"{bearer.name!r} may not fetch models here; see `edgent devices limit`")
            if path == MODEL_INFER and member.requests_per_second is not None:
                self._count(member.name, member.requests_per_second, now)

    def _look(self, now: Seconds, every: float) -> None:
        if self._looked_at is not None and now - self._looked_at < every:
            return
        self._looked_at = now
        try:
            members = {member.name: member for member in self._register.members()}
            # One who joins between both looks is in the second one alone.
            serials = self._register.serials().items()
            self._members = {serial: members[name] for serial, name in serials if name in members}
        except EdgentError:
            # A disk that fails must not stop an edge: it goes on with those whom it knew a second ago.
            return
        self._allowances = {name: left for name, left in self._allowances.items() if name in members}

    def _count(self, name: str, rate: float, now: Seconds) -> None:
        most = Rate(burst=max(rate, 1.0), per_second=rate)
        allowance = self._allowances.setdefault(name, Allowance(most.burst, now))
        if not allowance.spend(most, now):
            raise BusyError(f"{name!r} asks more than its {rate:g} requests a second; see `edgent devices limit`")

    def _guarded(self, path: str, method: Unary | Streaming) -> Unary | Streaming:
        if isinstance(method, Unary):
            return Unary(answer=self._checked(path, method.answer))
        return Streaming(answer=self._checked_stream(path, method.answer))

    def _checked(self, path: str, answer: Callable[[bytes, Call], _Body]) -> Callable[[bytes, Call], _Body]:
        def checked(message: bytes, call: Call) -> _Body:
            self.check(path, call.certificate())
            return answer(message, call)

        return checked

    def _checked_stream(
        self, path: str, answer: Callable[[bytes, Call], Iterator[bytes]]
    ) -> Callable[[bytes, Call], Iterator[bytes]]:
        def checked(message: bytes, call: Call) -> Iterator[bytes]:
            self.check(path, call.certificate())
            yield from answer(message, call)

        return checked

    def __repr__(self) -> str:
        return f"<Doorkeeper by {self._register!r}>"
