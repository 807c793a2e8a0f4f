"""How fast device and edge are beside their profiles: learned from the stages of each record, for the next plan.

Long work tells how many times slower than profiled a machine is. What short work takes beyond its plan is no matter of
speed: choosing the plan, the engine's call, reading the answer, taking in what the call told of the link. That is the
*handling*, a millisecond or so a request, learned for each stage and planned there; of a small network it is most.

By that the planner goes. What stands in for a late edge is timed more finely, by the layers and the pictures, each with
a factor of its own: a camera's pictures may take twice as long as those that were profiled, and where frames go to the
edge that is all that is seen of the device. A branch that was taken for twice as slow would be no stand-in at all.
"""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass, field, replace

from edgent.latency.drift import Drift
from edgent.link.transfer import TIMING_ERROR
from edgent.planning.conditions import ALONE, NO_HANDLING, Conditions
from edgent.planning.plan import Stages
from edgent.telemetry import Record
from edgent.units import Seconds

# Seconds: shorter work measures the handling. Less is enough of what is timed within one thread: layers before the
# upload, and all that the edge does.
_TELLING_ON_DEVICE, _TELLING_IN_A_THREAD = 5e-3, 2e-4
_MEDIAN_OF = 9  # the last ones, of a stage's handling and of pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """How many times slower than profiled the machines are taken to be, and the seconds of handling of each stage.

    `layers`, `pictures`: of the device, its layers and its preparing alone. `scatter`: share by which its layers hardly
    ever take longer than that. `device_spread`, `edge_spread`: see `Conditions`; in the device's is all its work.
    `backlog`: seconds that a branch of the device alone waits for those of other requests.
    """

    device: float = 1.0
    layers: float = 1.0
    pictures: float = 1.0
    scatter: float = 0.0
    device_spread: float = 0.0
    edge: float = 1.0
    edge_spread: float = 0.0
    handling: Stages = NO_HANDLING
    backlog: Seconds = Seconds(0.0)

    @property
    def alone(self) -> Conditions:
        """The conditions of a device without an edge."""
        spread = self.device_spread
        return replace(
            ALONE, device_factor=self.device, device_spread=spread, backlog=self.backlog, handling=self.handling
        )


AS_PROFILED = Factors()


@dataclass(slots=True)
class Drifts:
    """The drift of both machines; thread-safe."""

    _device: Drift = field(default_factory=Drift)
    _layers: Drift = field(default_factory=Drift)
    _edge: Drift = field(default_factory=Drift)
    _handling: Stages = NO_HANDLING
    _beyond: dict[str, deque[float]] = field(default_factory=dict)
    _pictures: deque[float] = field(default_factory=lambda: deque(maxlen=_MEDIAN_OF))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def factors(self, backlog: Seconds = Seconds(0.0)) -> Factors:
        """As they are believed now, beside what the device has to do already."""
        with self._lock:
            return Factors(
                device=self._device.factor,
                layers=self._layers.factor,
                pictures=statistics.median(self._pictures or [1.0]),
                scatter=self._layers.scatter,
                device_spread=self._device.spread,
                edge=self._edge.factor,
                edge_spread=self._edge.spread,
                handling=self._handling,
                backlog=backlog,
            )

    def learn(self, record: Record, planned_with: Factors, stand_in: Seconds | None = None) -> None:
        """Compares a record's stages with its plan's.

        Args:
            record: of one inference; without a plan it tells nothing.
            planned_with: the factors that are in its plan.
            stand_in: what the local branch was expected to take, by the same factors, that was run in the edge's place.
        """
        if record.plan is None or _another_branch(record):
            return
        asked = record.by == "edge"
        alone = not asked and record.plan.configuration.device_only
        measured, planned = record.stages, _as_profiled(record.plan.stages, planned_with, alone=alone)
        if record.plan.gate is not None and not measured.encode:
            planned = replace(planned, encode=0.0)  # the device was sure, and nothing was encoded
        # A local branch that answered for a late edge is not what the plan priced: its time is held against its own.
        as_planned = asked or alone
        by_itself = not as_planned and stand_in is not None
        own = planned.suffix if as_planned else (stand_in or 0.0) / planned_with.layers
        took_own = measured.suffix if as_planned or by_itself else 0.0
        work, took = _before_upload(planned) + own, _before_upload(measured) + took_own
        short = work < _TELLING_ON_DEVICE
        on_edge = planned.middle if asked else 0.0
        handled = planned_with.handling
        around = handled.prepare + handled.head + (handled.encode + handled.suffix if asked else 0.0)
        with self._lock:
            if short and planned.head >= _TELLING_IN_A_THREAD:
                self._device.update(measured.head, planned.head)
            else:
                self._look(self._device, took - around, work, _TELLING_ON_DEVICE)
            if planned.prepare > 0 < measured.prepare:
                self._pictures.append(measured.prepare / planned.prepare)
            if planned.head + own >= _TELLING_ON_DEVICE:  # else what was known of them holds: a stand-in is rarely seen
                self._layers.update(measured.head + took_own, planned.head + own)
            self._look(self._edge, measured.middle - handled.middle if asked else 0.0, on_edge, _TELLING_IN_A_THREAD)
            if as_planned:
                self._learn_handling(measured, planned, planned_with, short=short, asked=asked)

    def edge_took(self, measured: float, profiled: float) -> float:
        """The edge was tried, and took so long for what takes so long by its profile; the factor believed now."""
        with self._lock:
            self._look(self._edge, measured, profiled, _TELLING_IN_A_THREAD)
            return self._edge.factor

    def _learn_handling(
        self, measured: Stages, planned: Stages, planned_with: Factors, *, short: bool, asked: bool
    ) -> None:
        """Takes in what the stages of a plan that was followed took beyond their work, where that is short."""
        stages = []
        if short:
            stages = ["prepare", *(["head"] if planned.head < _TELLING_IN_A_THREAD else [])]
            stages += ["encode", "suffix"] if asked else []
        if asked and planned.middle < _TELLING_IN_A_THREAD:
            stages.append("middle")
        for stage in stages:
            factor = planned_with.edge if stage == "middle" else planned_with.device
            beyond = getattr(measured, stage) - factor * getattr(planned, stage)
            # More than a timing error is no handling, but a machine that did something else: a first answer whose
            # thread woke late would else keep the edge from ever being asked again, and so from being known better.
            self._beyond.setdefault(stage, deque(maxlen=_MEDIAN_OF)).append(min(beyond, TIMING_ERROR))
        # Less than planned is an error of the profile; a negative handling would promise time that nobody has.
        self._handling = Stages(**{stage: max(0.0, statistics.median(last)) for stage, last in self._beyond.items()})

    @staticmethod
    def _look(drift: Drift, measured: float, profiled: float, telling: float) -> None:
        if profiled >= telling:
            drift.update(measured, profiled)
        else:
            # Not seen is told too: what was believed of a machine that does nothing any more grows old.
            drift.unseen()


def _another_branch(record: Record) -> bool:
    """Whether a plan gave way to a faster branch on the machine that was to answer; it says nothing of that."""
    planned = record.plan.configuration if record.plan is not None else None
    if planned is None or record.exit == planned.exit:
        return False
    return planned.device_only or record.by == "edge"


def _before_upload(stages: Stages) -> float:
    """Work of the device ahead of what it sends, or all that it does where it sends nothing."""
    return stages.prepare + stages.head + stages.encode


def _as_profiled(stages: Stages, planned_with: Factors, *, alone: bool) -> Stages:
    """What a plan's stages take by the profiles; alone: the plan asks no edge."""
    # What was planned with is taken out again: all is learned against the profile, or it would drift against itself.
    handled = NO_HANDLING if alone else planned_with.handling

    def work(planned: float, handling: float, factor: float) -> float:
        return max(0.0, planned - handling) / factor

    return Stages(
        prepare=work(stages.prepare, planned_with.handling.prepare, planned_with.device),
        head=work(stages.head, planned_with.handling.head, planned_with.device),
        encode=work(stages.encode, handled.encode, planned_with.device),
        middle=work(stages.middle, handled.middle, planned_with.edge),
        suffix=work(stages.suffix, handled.suffix, planned_with.device),
    )
