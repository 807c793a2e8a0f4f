"""Plans for the device: the planner's, among all candidates or those whose sessions are ready."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgent.planning.candidates import Candidates, Direction
from edgent.planning.conditions import Conditions
from edgent.planning.costs import BranchCosts
from edgent.planning.plan import RAW, Configuration, Plan
from edgent.planning.planner import TOLERANCE, choose, plan_of
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.pricing import SourceKind


class Chooser:
    """Chooses among some candidates; immutable, so threads may share it.

    Args:
        everything: all candidates, to price a given configuration.
        allowed: those a plan may be chosen from.
    """

    def __init__(self, everything: Candidates, allowed: Candidates) -> None:
        self._everything = everything
        self._frontier = allowed.frontier()
        self._rows = {self._frontier.configuration(row): row for row in range(len(self._frontier))}
        self._own = [row for configuration, row in self._rows.items() if configuration.device_only]

    def plan(self, conditions: Conditions, deadline: Seconds) -> Plan:
        """The best plan under these conditions."""
        return _best(self._frontier, conditions, deadline)

    def among(self, ready: Collection[Configuration], conditions: Conditions, deadline: Seconds) -> Plan:
        """The best plan of the ready configurations and those of the device alone."""
        rows = {self._rows[configuration] for configuration in ready if configuration in self._rows}
        return _best(self._frontier.keep(np.array(sorted(rows.union(self._own)))), conditions, deadline)

    def price(self, configuration: Configuration, conditions: Conditions, deadline: Seconds) -> Plan | None:
        """A given configuration as a plan; None if it has no price (a codec without calibration, say)."""
        table, wanted = self._everything, configuration
        if {wanted.codec, wanted.download_codec} - set(table.codecs):
            return None
        rows = np.flatnonzero(
            (table.exit == wanted.exit)
            & (table.upload_cut == wanted.upload_cut)
            & (table.download_cut == wanted.download_cut)
            & (table.codec == table.codecs.index(wanted.codec))
            & (table.download_codec == table.codecs.index(wanted.download_codec))
        )
        return _best(table.keep(rows), conditions, deadline) if rows.size else None

    def __repr__(self) -> str:
        return f"<Chooser on {self._frontier!r}>"


def alone(model: Model, device: Profile, *, preparing: float, exits: Collection[int] | None = None) -> Chooser:
    """A chooser without an edge: each exit on the device.

    Args:
        model: the model.
        device: its profile.
        preparing: seconds from the input as it comes to the tensor.
        exits: those that may answer; None: all.
    """
    costs = [
        BranchCosts(
            exit=branch.exit,
            accuracy=branch.accuracy,
            device=np.array(device.branch(branch.exit).layers),
            edge=np.array(device.branch(branch.exit).layers),
            prepare=preparing,
        )
        for branch in model.branches
    ]
    everything = Candidates.of(costs)
    return Chooser(everything, everything.restricted(exits=exits))


def together(  # noqa: PLR0913 - each is a restriction of its own
    model: Model,
    device: Profile,
    edge: Profile,
    calibration: Calibration | None,
    *,
    source: SourceKind,
    direction: Direction = "any",
    exits: Collection[int] | None = None,
    codecs: Collection[str] | None = None,
    segments: Collection[str] | None = None,
) -> Chooser:
    """A chooser for device and edge, restricted as told; `segments`: all that a foreign server has."""
    everything = Candidates.build(model, device, edge, calibration, source=source)
    if codecs is not None:
        codecs = [name for name in codecs if name in everything.codecs]
    allowed = everything.restricted(direction=direction, exits=exits, codecs=codecs)
    if segments is not None:
        allowed = allowed.keep(_has_segment(model.name, allowed, segments))
    return Chooser(everything, allowed)


def _has_segment(name: str, table: Candidates, segments: Collection[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    def has(plan: Configuration) -> bool:
        raw = (plan.codec, plan.download_codec) == (RAW, RAW)
        return raw and f"{name}.x{plan.exit}.u{plan.upload_cut}.d{plan.download_cut}" in segments

    plans: Sequence[Configuration] = [table.configuration(row) for row in range(len(table))]
    return np.array([plan.device_only or has(plan) for plan in plans])


def _best(table: Candidates, conditions: Conditions, deadline: Seconds) -> Plan:
    latency = conditions.latency(table)
    row = choose(table, latency, deadline, TOLERANCE)
    return plan_of(table, row, conditions, meets_deadline=bool(latency[row] <= deadline))
