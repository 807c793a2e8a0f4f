"""Hands what the door's queue lets through to the replicas of its model, and asks again where one of them dies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edgent.clock import Clock
from edgent.cluster.replica import Refusal
from edgent.edge.job import Job, Target
from edgent.units import Seconds
from edgent.wire.errors import LateError

_PATIENCE = Seconds(60.0)  # for those who name no budget: as long as an engine may run
_PAUSE = 0.02  # seconds before the next try; whoever died has been forgotten by then, and nobody is asked in a circle


class ReplicaLost(Exception):  # noqa: N818 - a signal inside the cluster: a caller never meets it
    """Whoever had the request is gone; another one may answer it."""


class Deployment(Protocol):
    """The replicas of one model; thread-safe."""

    def prepare(self, segment: str) -> Refusal | None:
        """Makes a segment's session on one of them now, and on all others soon.

        Raises:
            ReplicaLost: it is gone.
        """
        ...

    def ask(self, segment: str, message: bytes, choice: int, timeout: Seconds) -> bytes | Refusal:
        """What one of them answers.

        Raises:
            ReplicaLost: it is gone.
            LateError: it took too long.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClusterExecutor:
    """An `edgent.edge.executor.Executor`.

    Attributes:
        deployments: by the digests of their models.
        clock: by which budgets run out.
    """

    deployments: Mapping[str, Deployment] = field(repr=False)
    clock: Clock

    def prepare(self, target: Target) -> None:
        """See `Executor.prepare`."""
        refusal = self._deployment(target).prepare(target.name)
        if refusal is not None:
            raise refusal.error()

    def compute(self, job: Job, choice: int, left: Seconds | None) -> bytes:
        """See `Executor.compute`.

        Raises:
            LateError: no replica answered within the time that was left.
        """
        target = job.choices[choice].target
        until = self.clock.now() + (_PATIENCE if left is None else left)
        while (timeout := until - self.clock.now()) > 0:
            try:
                answer = self._deployment(target).ask(target.name, job.message, choice, Seconds(timeout))
            except ReplicaLost:
                # A message is computed and nothing else: to do it twice does no harm.
                self.clock.sleep(_PAUSE)
                continue
            if isinstance(answer, Refusal):
                raise answer.error()
            return answer
        raise LateError(f"no replica of {target.model.name} answered {target.name} within its budget")

    def spare(self) -> None:
        """Nothing is kept in this process."""

    def _deployment(self, target: Target) -> Deployment:
        return self.deployments[target.model.digest]
