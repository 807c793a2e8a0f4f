"""A device that follows a moving link, as a part of a reproduction: every request of a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgent.lab.figures.links import digest
from edgent.lab.figures.machines import Setting
from edgent.lab.figures.rig import ROUND_TRIP, Rig
from edgent.lab.processes.live_runs import StreamRequest
from edgent.lab.reproduction.figure import Lab
from edgent.link.trace import Trace
from edgent.planning.candidates import Direction
from edgent.planning.plan import Configuration

Environment = Literal["static", "dynamic", "paper-dynamic"]

_PERIOD = 0.25  # seconds between requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A link for a device to follow, and how it follows it.

    Attributes:
        setting: The device.
        environment: How it follows the link.
        deadline: Seconds.
        trace: The link.
    """

    setting: Setting
    environment: Environment
    deadline: float
    trace: Trace


def stream(lab: Lab, course: Course) -> tuple[StreamRequest, ...]:
    """Every request of a device that follows a link live; float32 crosses in the paper's direction only.

    No local branches are started beside the edge: the paper has none.
    """
    setting, trace = course.setting, course.trace

    def run() -> list[dict[str, Any]]:
        lab.progress(f"{setting.name}: {course.environment}, {trace.duration:.0f} s", 0, 1)
        direction: Direction = "any" if setting.coded else "edge-first"
        with Rig(setting, environment=course.environment, direction=direction) as rig:
            return list(map(_document, rig.follow(trace, _PERIOD, course.deadline)))

    depends = {
        **setting.document(),
        "environment": course.environment,
        "deadline": course.deadline,
        "period": _PERIOD,
        "round_trip": ROUND_TRIP,
        "trace": digest([trace]),
    }
    return tuple(map(_request, lab.parts.part("stream", depends, run)))


def accuracies(setting: Setting, requests: Sequence[StreamRequest]) -> list[float]:
    """The accuracy of each answer, in time or not: that of its plan, or of the branch that answered instead."""
    table = setting.candidates
    planned = {table.configurations[row]: float(table.accuracy[row]) for row in range(len(table))}
    exits = {branch.exit: branch.accuracy or 0.0 for branch in setting.model.branches}
    return [
        planned[request.configuration]
        if request.configuration is not None and not request.why
        else exits.get(-1 if request.exit is None else request.exit, 0.0)
        for request in requests
    ]


def throughputs(requests: Sequence[StreamRequest]) -> list[float]:
    """Inferences per second of each request, one after the other: 1 / latency."""
    return [1 / request.total for request in requests]


def _document(request: StreamRequest) -> dict[str, Any]:
    return asdict(request) | {"total": request.total if request.total < math.inf else None}


def _request(document: dict[str, Any]) -> StreamRequest:
    plan, total = document["configuration"], document["total"]
    known = {
        "total": math.inf if total is None else total,
        "configuration": None if plan is None else Configuration(**plan),
    }
    return StreamRequest(**document | known)
