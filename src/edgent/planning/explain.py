"""Explains a plan: why its neighbours, which differ in one setting, were not chosen.

A plan is a maximum over thousands of candidates, so "because it was the best" explains nothing. What people ask is "why
not a later exit, why not the edge?": that is one comparison for each knob, by the planner's own rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Plan
from edgent.planning.planner import TOLERANCE, choose, plan_of
from edgent.units import Seconds, format_duration

_KNOBS = ("exit", "upload_cut", "download_cut", "codec", "download_codec", "gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The best candidate that differs from the plan in one knob (setting).

    Attributes:
        knob: The knob: a field of `Configuration`, or the gate.
        plan: The candidate as a plan.
        reason: Why it is not the plan, in a few words.
    """

    knob: str
    plan: Plan
    reason: str

    @property
    def configuration(self) -> str:
        """The configuration in a few words: "cuts 0..22/22, jpeg-95"."""
        plan, gate = self.plan.configuration, self.plan.gate
        if plan.device_only:
            return "device only"
        unless = "" if gate is None else f", unless exit {gate.exit} is sure"
        return f"cuts {plan.upload_cut}..{plan.download_cut}/{self.plan.layers}, {plan.codecs}{unless}"

    def __str__(self) -> str:
        exit, total = self.plan.configuration.exit, format_duration(self.plan.stages.total)
        return f"another {self.knob.replace('_', ' ')}: exit {exit}, {self.configuration}, {total}: {self.reason}"


def explain(
    candidates: Candidates, conditions: Conditions, deadline: Seconds, tolerance: float = TOLERANCE
) -> tuple[Neighbour, ...]:
    """For each knob, the best candidate in which it is turned, and why that lost.

    Another exit may be divided and encoded in any way; another cut or codec is that of the same exit, where the other
    knobs may follow. A knob that cannot be turned is left out.

    Args:
        candidates: all that were allowed.
        conditions: link, queue and machines.
        deadline: from input to answer.
        tolerance: accuracies that differ by no more count as equal.
    """
    # All candidates and not their frontier: a neighbour is a candidate that lost, and many of these lie behind it.
    latency = conditions.latency(candidates)
    occupancy = None if candidates.gates is None else conditions.occupancy(candidates)

    def best_of(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> tuple[int, Plan]:
        shared = None if occupancy is None else occupancy[rows]
        row = int(rows[choose(candidates.keep(rows), latency[rows], deadline, tolerance, occupancy=shared)])
        return row, plan_of(candidates, row, conditions, meets_deadline=bool(latency[row] <= deadline))

    best, chosen = best_of(np.arange(len(candidates)))
    neighbours = []
    # All other settings may follow: a candidate that differs in one alone (another cut with the same codec) may not
    # exist, and if it does it is a poor advocate: another cut is at its best with the codec that suits it.
    for knob in _KNOBS:
        column = getattr(candidates, knob)
        same = knob == "exit" or candidates.exit == candidates.exit[best]
        rows = np.flatnonzero((column != column[best]) & same)
        if rows.size:
            row, other = best_of(rows)
            # By what accuracies count as, for that is what the planner ranks by.
            lacking = float(candidates.merit[best] - candidates.merit[row])
            reason = _reason(chosen, other, deadline, lacking if lacking > tolerance else 0.0)
            neighbours.append(Neighbour(knob=knob, plan=other, reason=reason))
    return tuple(neighbours)


def _reason(chosen: Plan, other: Plan, deadline: Seconds, lacking: float) -> str:
    slower = other.stages.total - chosen.stages.total
    # In the order in which the planner decides: first the deadline, then accuracy, then time.
    if chosen.meets_deadline and not other.meets_deadline:
        return f"{format_duration(other.stages.total - deadline)} past the deadline"
    if chosen.meets_deadline and (worse := _worse(chosen, other, lacking)):
        return worse
    # What is left are ties: the planner takes the fastest, and of equally fast ones that of the fewest bytes; before
    # both, where there are gates, that which keeps least from others.
    alike = "as accurate" if chosen.meets_deadline else "late too"
    if chosen.gate is not None and other.deferred > chosen.deferred:
        return f"{alike}, asks about {other.deferred:.0%} of the pictures in place of {chosen.deferred:.0%}"
    return f"{alike}, {format_duration(slower)} slower" if slower > 0 else f"{alike}, as fast, more bytes"


def _worse(chosen: Plan, other: Plan, lacking: float) -> str:
    # Without accuracies the later exit counts as the better one (`Candidates.merit`), so that is the reason to give.
    if chosen.accuracy is None or other.accuracy is None:
        return "an earlier exit" if other.configuration.exit < chosen.configuration.exit else ""
    return f"{lacking * 100:.2g} points less accurate" if lacking else ""
