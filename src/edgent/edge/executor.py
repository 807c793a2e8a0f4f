"""Who computes what the queue lets through: this process, or others that it hands the message to (`edgent.cluster`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgent.edge.job import Job, Target, compute
from edgent.engine.engine import Engine
from edgent.units import Seconds


class Executor(Protocol):
    """Computes jobs; thread-safe."""

    def prepare(self, target: Target) -> None:
        """Makes ready what a target needs, so that no request pays for it.

        Raises:
            EdgentError: it cannot be made.
        """
        ...

    def compute(self, job: Job, choice: int, left: Seconds | None) -> bytes:
        """The answer to a job by one of its choices, as a ModelInferResponse.

        Args:
            job: what is asked.
            choice: its number.
            left: after this long nobody waits for the answer any more; None: somebody always does.

        Raises:
            InputError: see `edgent.edge.job.compute`.
            EdgentError: it failed.
        """
        ...

    def spare(self) -> None:
        """Gives up something that can be made again, for memory is scarce in this process."""
        ...


@dataclass(frozen=True, slots=True)
class OwnExecutor:
    """This process, by an engine."""

    engine: Engine

    def prepare(self, target: Target) -> None:
        """See `Executor.prepare`."""
        given, offered = ([tensor.name for tensor in side] for side in (target.given, target.offered))
        self.engine.session(target.model, given, offered)

    def compute(self, job: Job, choice: int, left: Seconds | None) -> bytes:
        """See `Executor.compute`; what has begun here is ended by the engine's own limit."""
        del left
        return compute(job, choice, self.engine)

    def spare(self) -> None:
        """See `Executor.spare`."""
        self.engine.spare()
