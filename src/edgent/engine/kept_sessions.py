"""The sessions that an engine keeps: making one takes from milliseconds to seconds, running it far less."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from edgent.engine.engine import Session
from edgent.engine.feeds import zeros
from edgent.errors import EdgentError

if TYPE_CHECKING:
    from edgent.model import Model, Segment

AnySession = TypeVar("AnySession", bound=Session)


class KeptSessions(Generic[AnySession]):
    """Sessions of parts of models, the last ones used; thread-safe.

    Args:
        build: makes a session of a segment.
        capacity: sessions kept; the least recently used goes first.
    """

    def __init__(self, build: Callable[[Segment], AnySession], capacity: int) -> None:
        self._build, self._capacity = build, capacity
        self._sessions: OrderedDict[Hashable, AnySession] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, model: Model, given: Sequence[str], asked: Sequence[str]) -> AnySession:
        """The session for the part of `model` that makes `asked` out of `given`, as it is kept or newly made."""
        # By content and not by object: a model that is opened twice finds its sessions, and another version never does.
        key = model.digest, tuple(tensor.shape for tensor in model.inputs), tuple(given), tuple(asked)
        with self._lock:
            if (kept := self._sessions.get(key)) is not None:
                self._sessions.move_to_end(key)
                return kept
        # Outside the lock: requests whose sessions are kept must not wait while one is made. Two threads may then make
        # the same one; the later takes the place of the earlier, and both are right.
        session = self._build(model.segment(given, asked))
        # Before it is handed out: no request is to be the first run.
        warm(session)
        with self._lock:
            self._sessions[key] = session
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)
        return session

    def spare(self) -> bool:
        """Forgets the session that was used longest ago, but for a last one; whether there was one to forget."""
        with self._lock:
            if len(self._sessions) < 2:
                return False  # who computes with a single one would only make it again
            self._sessions.popitem(last=False)
            return True

    def __repr__(self) -> str:
        return f"<KeptSessions {len(self._sessions)}/{self._capacity}>"


def warm(session: Session) -> None:
    """One run on zeros, where all shapes are known: the first run allocates."""
    if all(tensor.nbytes is not None for tensor in session.given):
        with suppress(EdgentError):  # zeros make no sense to every graph: a shape may be an input
            session.run(zeros(session.given))
