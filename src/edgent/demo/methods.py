"""What each method would run in each cell. Pure: the same candidates, planner and codecs for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.demo.values import HALF_A_POINT, Chosen, Setup
from edgent.link import TransferModel
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import RAW, Plan
from edgent.planning.planner import Planner
from edgent.units import BitsPerSecond, Seconds


def conditions(bandwidth: float, round_trip: float) -> Conditions:
    """A link with nobody else on it, and an idle edge."""
    link = TransferModel(bandwidth=BitsPerSecond(bandwidth), round_trip=Seconds(round_trip))
    return Conditions(uplink=link, downlink=link)


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
            "edgent": np.ones_like(last),
        }
        without = {"cut": alone | whole, "exit": last, "codec": alone | _raw(candidates)}
        return cls(
            planners={name: Planner(candidates.keep(rows)) for name, rows in allowed.items()},
            without={knob: Planner(candidates.keep(rows)) for knob, rows in without.items()},
        )

    def choose(self, bandwidth: float, deadline: float, round_trip: float) -> dict[str, Chosen]:
        """What each method runs in a cell."""
        now = conditions(bandwidth, round_trip)
        plans = {name: planner.plan(now, Seconds(deadline)) for name, planner in self.planners.items()}
        return {name: chosen(plan, bandwidth) for name, plan in plans.items()}

    def needed(self, bandwidth: float, deadline: float, round_trip: float) -> frozenset[str]:
        """The knobs without which the prediction for Edgent would be worse by more than half a point."""
        now = conditions(bandwidth, round_trip)
        best = promise(self.planners["edgent"].plan(now, Seconds(deadline)))
        promised = {knob: promise(p.plan(now, Seconds(deadline))) for knob, p in self.without.items()}
        return frozenset(knob for knob, without in promised.items() if best - without > HALF_A_POINT)


def chosen(plan: Plan, bandwidth: float) -> Chosen:
    """A plan as what is to be run in a link state."""
    link = None if plan.configuration.device_only else BitsPerSecond(bandwidth)
    accuracy = float("nan") if plan.accuracy is None else plan.accuracy
    setup = Setup(configuration=plan.configuration, bandwidth=link)
    return Chosen(setup=setup, accuracy=accuracy, predicted=plan.stages.total)


def promise(plan: Plan) -> float:
    """The accuracy in time that a plan predicts."""
    return (plan.accuracy or 0.0) if plan.meets_deadline else 0.0


def _raw(candidates: Candidates) -> NDArray[np.bool_]:
    """Candidates without any encoding: raw tensors both ways."""
    raw = candidates.codecs.index(RAW)
    plain: NDArray[np.bool_] = (candidates.codec == raw) & (candidates.download_codec == raw)
    return plain
