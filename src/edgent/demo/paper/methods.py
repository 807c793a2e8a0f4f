"""What each method would run in each cell. Pure: the same candidates, planner and codecs for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgent.demo.paper.values import OURS, Cell, Chosen
from edgent.lab.processes.live_runs import Setup
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.knobs import NEEDED, Kinds, Necessity, costs
from edgent.planning.plan import Plan
from edgent.planning.planner import Planner, usual_margin
from edgent.units import BitsPerSecond, Seconds

PLANNED = ("cut", "exit", "codec", "source")
"""The knobs of one network's plans. Whether the race is needed is seen live."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Methods:
    """A planner for each method, and one for Edgent without each of its knobs (settings)."""

    planners: Mapping[str, Planner]
    necessity: Necessity

    @classmethod
    def of(cls, candidates: Candidates, kinds: Kinds) -> Methods:
        """Makes the planners, each on the candidates that its method may use."""
        return cls(planners=planners(candidates), necessity=Necessity(candidates, kinds))

    def cell(self, bandwidth: float, deadline: float, conditions: Conditions) -> Cell:
        """The configuration that each method runs under these conditions, and the knobs that Edgent needs there."""
        within = Seconds(deadline)
        margin = usual_margin(within)
        plans = {name: planner.plan(conditions, within, margin=margin) for name, planner in self.planners.items()}
        # The conditions are taken as certain here: the demo's links are steady.
        cost = costs(self.necessity.best(conditions, within), self.necessity.without(conditions, within))
        return Cell(
            bandwidth=bandwidth,
            deadline=deadline,
            conditions=conditions,
            chosen={name: chosen(plan, bandwidth) for name, plan in plans.items()},
            needed=frozenset(knob for knob, loss in cost.items() if loss >= NEEDED),
        )


def planners(candidates: Candidates) -> dict[str, Planner]:
    """The planner of each method, on the candidates that the method may use."""
    last = candidates.exit == candidates.exit.max()
    alone = candidates.upload_cut == candidates.layers
    whole = (candidates.upload_cut == 0) & (candidates.download_cut == candidates.layers)
    # Each method is our own planner on fewer candidates, so that only what it may choose tells it apart.
    allowed = {
        "device-only": alone & last,
        "edge-only": whole & last,
        "partitioning": last,
        "right-sizing": alone,
        OURS: np.ones_like(last),
    }
    return {name: Planner(candidates.keep(rows)) for name, rows in allowed.items()}


def chosen(plan: Plan, bandwidth: float) -> Chosen:
    """A plan as something to be run in a link state."""
    # What uses no link is the same setup in all link states, and so is run only once.
    link = None if plan.configuration.device_only else BitsPerSecond(bandwidth)
    accuracy = float("nan") if plan.accuracy is None else plan.accuracy
    setup = Setup(configuration=plan.configuration, bandwidth=link)
    return Chosen(setup=setup, accuracy=accuracy, predicted=plan.stages.total)


def promise(plan: Plan) -> float:
    """The accuracy in time that a plan predicts."""
    # An unknown accuracy promises nothing; the demo's models have theirs.
    return (plan.accuracy or 0.0) if plan.meets_deadline else 0.0
