"""What one caller may ask of an edge in a time, so that none of them takes what is there for all.

Requests are bounded by the queue, and messages by the server; what is left costs an edge more than its bytes tell:
a segment that is prepared takes seconds and megabytes, a trial runs one, a probe is answered with up to a megabyte.

A caller is a device by its certificate; where nobody shows one it is a host, behind which there may be many devices.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgent.clock import Clock
from edgent.identity.certificates import bearer_of
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.errors import BusyError
from edgent.wire.tensors import parse
from edgent.wire.transport import Call, Methods, Streaming, Unary

_DEVICES_OF_HOST = 10  # times a device's share: the devices behind one address that are thought of
_CALLERS = 4096  # that are remembered; callers may come from as many addresses as they like
_PREPARED_AT_ONCE = 2  # for all: each takes memory that nobody knows before


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second, and so many at once after a rest."""

    burst: float
    per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerLimits:
    """What one device may ask for; a host without a certificate ten times as much.

    Attributes:
        prepares: segments to be made ready.
        trials: probes that have a segment run.
        probes: all probes.
        fetches: files, and documents.
    """

    prepares: Rate = Rate(burst=100, per_second=1)
    trials: Rate = Rate(burst=50, per_second=5)
    probes: Rate = Rate(burst=500, per_second=100)
    fetches: Rate = Rate(burst=100, per_second=1)


@dataclass(slots=True)
class Allowance:
    """What is left of a rate at a moment: it grows by the rate, up to the burst (a token bucket)."""

    left: float
    at: Seconds

    def spend(self, rate: Rate, now: Seconds) -> bool:
        """Whether one more may be asked for now; it counts then."""
        self.left = min(rate.burst, self.left + (now - self.at) * rate.per_second)
        self.at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


class PeerGuard:
    """Counts what callers ask for; thread-safe.

    Args:
        limits: for each.
        clock: the time by which rates are.
    """

    def __init__(self, limits: PeerLimits, clock: Clock) -> None:
        self._limits, self._clock = limits, clock
        self._guard = threading.Lock()
        self._preparing = threading.BoundedSemaphore(_PREPARED_AT_ONCE)
        self._allowances: OrderedDict[tuple[str, str], Allowance] = OrderedDict()

    def guarded(self, methods: Methods) -> Methods:
        """The same methods, for callers who ask in moderation."""
        guards = {m.PREPARE: self._prepare, m.PROBE: self._probe}
        found = dict(methods)
        for path, guard in guards.items():
            if isinstance(method := methods.get(path), Unary):
                found[path] = Unary(answer=guard(method.answer))
        if isinstance(fetch := methods.get(m.FETCH), Streaming):
            found[m.FETCH] = Streaming(answer=self._fetch(fetch.answer))
        return found

    def count(self, what: str, rate: Rate, call: Call) -> None:
        """Counts one more that a caller asks for.

        Args:
            what: in words, of the plural.
            rate: of a device.
            call: the caller's.

        Raises:
            BusyError: it asks for more than it may.
        """
        caller, most = self._caller(call, rate)
        with self._guard:
            allowance = self._allowances.setdefault((what, caller), Allowance(most.burst, self._clock.now()))
            self._allowances.move_to_end((what, caller))
            if len(self._allowances) > _CALLERS:
                self._allowances.popitem(last=False)
            if not allowance.spend(most, self._clock.now()):
                raise BusyError(f"{caller} asks for more than {most.per_second:g} {what} a second; ask for fewer")

    def __repr__(self) -> str:
        return f"<PeerGuard of {len(self._allowances)} callers' allowances>"

    @staticmethod
    def _caller(call: Call, rate: Rate) -> tuple[str, Rate]:
        if (shown := call.certificate()) is not None:
            return bearer_of(shown).name, rate
        many = Rate(burst=rate.burst * _DEVICES_OF_HOST, per_second=rate.per_second * _DEVICES_OF_HOST)
        return call.caller(), many

    def _prepare(self, answer: Callable[[bytes, Call], bytes]) -> Callable[[bytes, Call], bytes]:
        def prepare(message: bytes, call: Call) -> bytes:
            self.count("segments to be prepared", self._limits.prepares, call)
            # One after the other: the memory that the first ones take is seen before the next ones take theirs.
            with self._preparing:
                if call.given_up():
                    raise BusyError("others had segments prepared for longer than this caller waited")
                return answer(message, call)

        return prepare

    def _probe(self, answer: Callable[[bytes, Call], bytes]) -> Callable[[bytes, Call], bytes]:
        def probe(message: bytes, call: Call) -> bytes:
            self.count("probes", self._limits.probes, call)
            if parse(m.ProbeRequest, message).segment:
                self.count("segments to be tried", self._limits.trials, call)
            return answer(message, call)

        return probe

    def _fetch(self, answer: Callable[[bytes, Call], Iterator[bytes]]) -> Callable[[bytes, Call], Iterator[bytes]]:
        def fetch(message: bytes, call: Call) -> Iterator[bytes]:
            self.count("fetches", self._limits.fetches, call)
            yield from answer(message, call)

        return fetch
