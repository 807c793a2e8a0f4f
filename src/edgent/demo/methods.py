"""What each method would run in each cell. Pure: the same candidates, planner and codecs for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgent.demo.paired import HALF_A_POINT
from edgent.demo.values import OURS, Cell, Chosen
from edgent.lab.runs import Setup
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import RAW, Plan
from edgent.planning.planner import Planner
from edgent.units import BitsPerSecond, Seconds

KNOBS = {
    "cut": "everything on the device, or everything at the edge",
    "exit": "the last exit only",
    "codec": "raw tensors, or the picture's file as it came",
    "source": "no picture's file as it came: all that crosses is encoded here, or raw",
}
"""Each knob of a plan, and what is left without it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Methods:
    """A planner for each method, and one for Edgent without each knob."""

    planners: Mapping[str, Planner]
    without: Mapping[str, Planner]

    @classmethod
    def of(cls, candidates: Candidates) -> Methods:
        """The methods' planners on the candidates that each allows itself."""
        last = candidates.exit == candidates.exit.max()
        alone = candidates.upload_cut == candidates.layers
        whole = (candidates.upload_cut == 0) & (candidates.download_cut == candidates.layers)
        allowed = {
            "device-only": alone & last,
            "edge-only": whole & last,
            "partitioning": last,
            "right-sizing": alone,
            OURS: np.ones_like(last),
        }
        up, down = (np.array(candidates.codecs)[column] for column in (candidates.codec, candidates.download_codec))
        as_it_came = up == "source"
        plain = ((up == RAW) | as_it_came) & (down == RAW)
        without = {"cut": alone | whole, "exit": last, "codec": plain, "source": ~as_it_came}
        return cls(
            planners={name: Planner(candidates.keep(rows)) for name, rows in allowed.items()},
            without={knob: Planner(candidates.keep(rows)) for knob, rows in without.items()},
        )

    def cell(self, bandwidth: float, deadline: float, conditions: Conditions) -> Cell:
        """What each method runs under conditions, and the knobs that we need there."""
        within = Seconds(deadline)
        plans = {name: planner.plan(conditions, within) for name, planner in self.planners.items()}
        best = promise(plans[OURS])
        less = {knob: best - promise(planner.plan(conditions, within)) for knob, planner in self.without.items()}
        return Cell(
            bandwidth=bandwidth,
            deadline=deadline,
            conditions=conditions,
            chosen={name: chosen(plan, bandwidth) for name, plan in plans.items()},
            needed=frozenset(knob for knob, loss in less.items() if loss > HALF_A_POINT),
        )


def chosen(plan: Plan, bandwidth: float) -> Chosen:
    """A plan as what is to be run in a link state."""
    link = None if plan.configuration.device_only else BitsPerSecond(bandwidth)
    accuracy = float("nan") if plan.accuracy is None else plan.accuracy
    setup = Setup(configuration=plan.configuration, bandwidth=link)
    return Chosen(setup=setup, accuracy=accuracy, predicted=plan.stages.total)


def promise(plan: Plan) -> float:
    """The accuracy in time that a plan predicts."""
    return (plan.accuracy or 0.0) if plan.meets_deadline else 0.0
