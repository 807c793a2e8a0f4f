"""What may be run: all candidates of a device, alone or with an edge, and those that a plan may be chosen from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.planning.candidates import Candidates, Direction
from edgent.planning.conditions import Conditions
from edgent.planning.costs import BranchCosts
from edgent.planning.plan import RAW, Configuration, Plan
from edgent.planning.planner import best
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.plan import SourceKind


Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """What a plan may be chosen from.

    Attributes:
        direction: "any", "device-first" or "edge-first".
        exits: that may answer; None: all.
        codecs: that may be used; None: all.
    """

    direction: Direction = "any"
    exits: frozenset[int] | None = None
    codecs: tuple[str, ...] | None = None


EVERYTHING = Restriction()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CandidateSet:
    """Candidates.

    Attributes:
        everything: all of them, to price a given configuration.
        allowed: those a plan may be chosen from.
    """

    everything: Candidates
    allowed: Candidates

    def price(self, wanted: Configuration, conditions: Conditions, deadline: Seconds) -> Plan | None:
        """A given configuration as a plan; None if it has no price (a codec without calibration, say)."""
        rows = _rows(self.everything, wanted)
        return best(self.everything.keep(rows), conditions, deadline) if rows.any() else None

    def over_edge(self, conditions: Conditions, deadline: Seconds) -> Plan | None:
        """The best plan in which the edge computes a part, whatever the device could do; None where there is none."""
        table = self.allowed.keep(self.allowed.messages > 0)
        return best(table, conditions, deadline) if len(table) else None

    def without(self, failed: Collection[Configuration]) -> CandidateSet:
        """The same without the configurations that have turned out to fail."""
        # Only `allowed` shrinks: what has failed must still have a price, for the record of the request that met it.
        keep = np.ones(len(self.allowed), dtype=np.bool_)
        for configuration in failed:
            keep &= ~_rows(self.allowed, configuration)
        return replace(self, allowed=self.allowed.keep(keep))


def alone(model: Model, device: Profile, *, preparing: float, exits: Collection[int] | None = None) -> CandidateSet:
    """Those without an edge: each exit on the device.

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
            # There is no edge: its times are never counted, as no candidate has a part there, but the table wants some.
            edge=np.array(device.branch(branch.exit).layers),
            prepare=preparing,
        )
        for branch in model.branches
    ]
    everything = Candidates.of(costs)
    return CandidateSet(everything=everything, allowed=everything.restricted(exits=exits))


def together(
    model: Model,
    device: Profile,
    edge: Profile,
    calibration: Calibration | None,
    *,
    source: SourceKind,
    source_bytes: float | None = None,
    restriction: Restriction = EVERYTHING,
    segments: Collection[str] | None = None,
) -> CandidateSet:
    """Those of device and edge, as far as they are not restricted; `segments`: all that a foreign server has."""
    everything = Candidates.build(model, device, edge, calibration, source=source, source_bytes=source_bytes)
    allowed = everything.restricted(direction=restriction.direction, exits=restriction.exits, codecs=restriction.codecs)
    if segments is not None:
        allowed = allowed.keep(_has_segment(model.name, allowed, segments))
    return CandidateSet(everything=everything, allowed=allowed)


def _rows(table: Candidates, wanted: Configuration) -> Mask:
    """Where a configuration stands in a table; nowhere, if it has no price (a codec without calibration, say)."""
    if {wanted.codec, wanted.download_codec} - set(table.codecs):
        return np.zeros(len(table), dtype=np.bool_)
    rows: Mask = (
        (table.exit == wanted.exit)
        & (table.upload_cut == wanted.upload_cut)
        & (table.download_cut == wanted.download_cut)
        & (table.codec == table.codecs.index(wanted.codec))
        & (table.download_codec == table.codecs.index(wanted.download_codec))
    )
    return rows


def _has_segment(name: str, table: Candidates, segments: Collection[str]) -> Mask:
    def has(plan: Configuration) -> bool:
        # A foreign server knows none of our codecs.
        raw = (plan.codec, plan.download_codec) == (RAW, RAW)
        return raw and f"{name}.x{plan.exit}.u{plan.upload_cut}.d{plan.download_cut}" in segments

    plans: Sequence[Configuration] = [table.configurations[row] for row in range(len(table))]
    return np.array([plan.device_only or has(plan) for plan in plans])
