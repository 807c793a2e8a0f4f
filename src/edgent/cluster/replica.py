"""What computes behind the door: one model on one machine of the cluster. It knows nothing of Ray."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

from edgent.cluster.model_copy import ModelCopy
from edgent.edge.executor import OwnExecutor
from edgent.edge.job import read_job, resolve
from edgent.edge.registry import Registry
from edgent.engine.engine import Engine
from edgent.errors import EdgentError
from edgent.wire.errors import kind_of, status_of

SEGMENTS = 64  # that a replica keeps ready, as many as its engine keeps sessions


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error on its way from a replica to the door: as on the wire, for an exception may not survive being copied."""

    status: int
    words: str

    @classmethod
    def of(cls, error: EdgentError) -> Refusal:
        """What is sent in place of an error."""
        return cls(*status_of(error))

    def error(self) -> EdgentError:
        """The error that it stands for."""
        return kind_of(self.status)(self.words)


class Replica:
    """Answers messages for its model.

    Args:
        copy: of the model.
        engine: runs it.

    Raises:
        ModelError: the copy does not make the model that it should.
    """

    def __init__(self, copy: ModelCopy, engine: Engine) -> None:
        # The entry is kept for as long as the model, whose weights may be read again at any time.
        model, self._entry = copy.opened()
        self._executor = OwnExecutor(engine)
        self._resolve = lru_cache(SEGMENTS)(partial(resolve, Registry((model,))))

    def prepare(self, segment: str) -> None:
        """Makes a segment's session, and warms it.

        Raises:
            EdgentError: there is no such segment, or the engine does not take it.
        """
        self._executor.prepare(self._resolve(segment, ""))

    def compute(self, message: bytes, choice: int) -> bytes:
        """The answer to a message by one of its choices.

        Raises:
            EdgentError: see `edgent.edge.executor.Executor.compute`.
        """
        return self._executor.compute(read_job(self._resolve, message), choice, None)

    def __repr__(self) -> str:
        return f"<Replica of {self._entry!r}>"
