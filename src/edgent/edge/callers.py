"""Who asks an edge, and what becomes of it: counted only where somebody looks, around the method that answers.

A caller is a device by its certificate; where nobody shows one it is a host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgent.clock import Clock
from edgent.identity.certificates import bearer_of
from edgent.names import Names
from edgent.units import Seconds
from edgent.wire.errors import BusyError, LateError
from edgent.wire.messages import MODEL_INFER
from edgent.wire.transport import Call, Methods, Unary

_CALLERS = 256  # that are told apart: a counter that has been forgotten would begin anew, and its reader sees a fall


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCounts:
    """What a caller has asked, and what became of it.

    Attributes:
        answered: requests.
        refused: those for which there was no time or no place.
        failed: those that were no good, or failed here.
        seconds: from a request's coming until its answer was there, of all that were answered.
        asked_at: when it asked last, on the edge's clock.
    """

    answered: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    asked_at: Seconds = Seconds(0.0)


class CallerCounter:
    """Counts requests by who asked; thread-safe.

    Args:
        clock: the edge's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._counts: dict[str, CallerCounts] = {}
        self._names = Names(_CALLERS)

    @property
    def counts(self) -> dict[str, CallerCounts]:
        """By name, as they stand; who asked last comes last. All beyond the first 256 share a name."""
        with self._guard:
            return dict(self._counts)

    def now(self) -> Seconds:
        """The time by which `asked_at` is."""
        return self._clock.now()

    def counted(self, methods: Methods) -> Methods:
        """The same methods; inferences are counted."""
        infer = methods[MODEL_INFER]
        assert isinstance(infer, Unary), "inferences are answered with one message"
        return {**methods, MODEL_INFER: Unary(answer=self._counted(infer.answer))}

    def _counted(self, answer: Callable[[bytes, Call], bytes]) -> Callable[[bytes, Call], bytes]:
        def counted(message: bytes, call: Call) -> bytes:
            came_at, outcome = self._clock.now(), "failed"
            try:
                body = answer(message, call)
                outcome = "answered"
            except (BusyError, LateError):
                outcome = "refused"
                raise
            finally:
                self._add(_name(call), outcome, came_at)
            return body

        return counted

    def _add(self, name: str, outcome: str, came_at: Seconds) -> None:
        now = self._clock.now()
        with self._guard:
            name = self._names.of(name)
            old = self._counts.pop(name, CallerCounts())
            took = now - came_at if outcome == "answered" else 0.0
            counts = replace(old, asked_at=now, seconds=old.seconds + took)
            self._counts[name] = replace(counts, **{outcome: getattr(old, outcome) + 1})

    def __repr__(self) -> str:
        return f"<CallerCounter: {len(self._counts)}>"


def _name(call: Call) -> str:
    shown = call.certificate()
    return call.caller() if shown is None else bearer_of(shown).name
