"""A device whose stages are what a test says, each for one frame at a time, in virtual time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from edgent.device.answer import Answer
from edgent.events import Frame
from edgent.model.metadata import Metadata
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.telemetry import Record
from edgent.units import Seconds

ALONE = Configuration(exit=0, upload_cut=5, download_cut=5)
OVER_EDGE = Configuration(exit=1, upload_cut=2, download_cut=5)


def plan(stages: Stages, configuration: Configuration = OVER_EDGE, **fields) -> Plan:
    return Plan(configuration=configuration, accuracy=0.8, meets_deadline=True, stages=stages, **fields)


def answer(name: str, total: float, deadline: float, made: Plan, by="edge", exit=1) -> Answer:
    record = Record(
        input=name,
        label=None,
        exit=exit,
        by=by,
        deadline_met=total <= deadline,
        total=Seconds(total),
        stages=made.stages,
        plan=made,
    )
    return Answer(outputs={"y": np.zeros(1)}, label=None, record=record, metadata=Metadata())


class StagedDevice:
    """Takes each frame through its stages; what the plan predicts is what they take.

    Attributes:
        most_at_once: frames that it had in hand together.
    """

    def __init__(self, clock, stages: Stages, *, deadline=1.0, turns=1, configuration=OVER_EDGE) -> None:
        self.settings = SimpleNamespace(clock=clock)
        self.clock, self.deadline, self.turns, self.conditions = clock, Seconds(deadline), turns, None
        self.plan = plan(stages, configuration)
        self.asked: list[str] = []
        self.in_hand = self.most_at_once = 0
        self.better: dict[str, float] = {}  # seconds that the edge's better answer to a frame takes
        self.by = "device" if configuration.device_only else "edge"
        self._changed = clock.condition()
        self._busy: set[str] = set()

    def opening(self, at, left, waited=0.0) -> Seconds:
        return at

    def infer(self, data, *, name="", deadline=None) -> Answer:
        self.asked.append(name)
        began = self.clock.now()
        self.in_hand += 1
        self.most_at_once = max(self.most_at_once, self.in_hand)
        if isinstance(data, Exception):
            self.in_hand -= 1
            raise data
        stages = self.plan.stages
        for stage, seconds in (("device", stages.head), ("up", stages.uplink), ("edge", stages.middle)):
            self._pass(stage, seconds)
        self.in_hand -= 1
        return answer(name, self.clock.now() - began, deadline or self.deadline, self.plan, self.by)

    def refine(self, data, before, within) -> Answer | None:
        seconds = self.better.get(before.record.input)
        if seconds is None:
            return None
        self.clock.sleep(seconds)
        return answer(before.record.input, seconds, within, self.plan)

    def _pass(self, stage: str, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: stage not in self._busy)
            self._busy.add(stage)
        self.clock.sleep(seconds)
        with self._changed:
            self._busy.remove(stage)
            self._changed.notify_all()


def frame(number: int, at: float = 0.0, source: str = "door", data: object = b"") -> Frame:
    def read():
        return data

    return Frame(read=read, source=source, number=number, at=Seconds(at))
