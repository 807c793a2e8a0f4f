"""Why the neighbours of a plan lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Plan
from edgent.planning.planner import TOLERANCE, choose, plan_of
from edgent.units import Seconds, format_duration

_KNOBS = ("exit", "upload_cut", "download_cut", "codec", "download_codec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The best candidate that differs from the plan in one knob."""

    knob: str
    plan: Plan
    reason: str

    def __str__(self) -> str:
        return f"another {self.knob.replace('_', ' ')}: {self.plan!r}: {self.reason}"


def explain(
    candidates: Candidates, conditions: Conditions, deadline: Seconds, tolerance: float = TOLERANCE
) -> tuple[Neighbour, ...]:
    """For each knob, the best candidate in which that knob (and what depends on it) is turned, and why it lost.

    Args:
        candidates: all that were allowed.
        conditions: link, queue and machines.
        deadline: from input to answer.
        tolerance: accuracies that differ by no more count as equal.
    """
    latency = conditions.latency(candidates)
    best = choose(candidates, latency, deadline, tolerance)
    chosen = plan_of(candidates, best, conditions, meets_deadline=bool(latency[best] <= deadline))
    found = []
    for knob in _KNOBS:
        column = getattr(candidates, knob)
        rows = np.flatnonzero(column != column[best])
        if rows.size:
            row = int(rows[choose(candidates.keep(rows), latency[rows], deadline, tolerance)])
            other = plan_of(candidates, row, conditions, meets_deadline=bool(latency[row] <= deadline))
            found.append(Neighbour(knob=knob, plan=other, reason=_reason(chosen, other)))
    return tuple(found)


def _reason(chosen: Plan, other: Plan) -> str:
    if chosen.meets_deadline and not other.meets_deadline:
        return f"too late by {format_duration(other.stages.total - chosen.stages.total)} against the plan"
    if chosen.accuracy is not None and other.accuracy is not None and other.accuracy < chosen.accuracy - TOLERANCE:
        return f"{(chosen.accuracy - other.accuracy) * 100:.1f} points less accurate"
    if other.stages.total > chosen.stages.total:
        return f"as accurate, {format_duration(other.stages.total - chosen.stages.total)} slower"
    return "as accurate and as fast, more bytes"
