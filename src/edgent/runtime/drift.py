"""How fast device and edge are beside their profiles: learned from the stages of each record, for the next plan."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from edgent.latency.adaptation import Drift
from edgent.planning.conditions import ALONE, Conditions
from edgent.planning.plan import Stages
from edgent.telemetry import Record

# Seconds: shorter work measures something else. On the device that is waking threads, 1 ms and more where only an
# answer is decoded; the edge times its work within one thread.
_TELLING_ON_DEVICE, _TELLING_ON_EDGE = 5e-3, 2e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """How many times slower than profiled the machines are taken to be."""

    device: float = 1.0
    edge: float = 1.0

    def applied(self, conditions: Conditions) -> Conditions:
        """The conditions with these factors."""
        return replace(conditions, device_factor=self.device, edge_factor=self.edge)

    @property
    def alone(self) -> Conditions:
        """The conditions of a device without an edge."""
        return self.applied(ALONE)


@dataclass(slots=True)
class Drifts:
    """The drift of both machines; thread-safe."""

    _device: Drift = field(default_factory=Drift)
    _edge: Drift = field(default_factory=Drift)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def factors(self) -> Factors:
        """As they are believed now."""
        with self._lock:
            return Factors(device=self._device.factor, edge=self._edge.factor)

    def learn(self, record: Record, planned_with: Factors) -> None:
        """Compares a record's stages with its plan's.

        Args:
            record: of one inference; without a plan it tells nothing.
            planned_with: the factors that are in its plan.
        """
        if record.plan is None:
            return
        found, planned = record.stages, record.plan.stages
        answered = record.by == "edge" or record.plan.configuration.device_only
        with self._lock:
            profiled = _on_device(planned, answered) / planned_with.device
            self._look(self._device, _on_device(found, answered), profiled, _TELLING_ON_DEVICE)
            profiled = _on_edge(planned, record) / planned_with.edge
            self._look(self._edge, _on_edge(found, record), profiled, _TELLING_ON_EDGE)

    @staticmethod
    def _look(drift: Drift, measured: float, profiled: float, telling: float) -> None:
        if profiled >= telling:
            drift.update(measured, profiled)
        else:
            drift.unseen()


def _on_device(stages: Stages, answered: bool) -> float:
    """Work of the device; its last stage is not the planned one where the local branch answered for the edge."""
    return stages.prepare + stages.head + stages.encode + (stages.suffix if answered else 0.0)


def _on_edge(stages: Stages, record: Record) -> float:
    return stages.middle if record.by == "edge" else 0.0
