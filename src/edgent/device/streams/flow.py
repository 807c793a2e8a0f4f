"""How many frames under way pay, and how far apart they begin: pure (the theory is in `edgent.device.streams`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.planning.planner import DUST
from edgent.units import Seconds, serialisation_time

if TYPE_CHECKING:
    from edgent.planning.conditions import Conditions
    from edgent.planning.plan import Plan

MOST = 32
"""Frames under way at once, however long the way to the edge: each holds a thread and its picture."""

# Times the slowest stage. Predictions are off by some per cent: where there is time for a frame to wait a little, that
# stage is kept busy; where there is none, a frame that catches up with the one before it would be late.
_CLOSE, _APART = 0.9, 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How frames follow one another.

    Attributes:
        most: frames under way at once.
        interval: seconds between the beginnings of two.
    """

    most: int = 1
    interval: Seconds = Seconds(0.0)


ONE_BY_ONE = Flow()
"""As long as no plan says how long anything takes."""


def flow_of(plan: Plan | None, conditions: Conditions | None, turns: int, deadline: Seconds) -> Flow:
    """The flow that keeps a plan's slowest stage busy.

    Args:
        plan: of the last frame; None: it had no price.
        conditions: of the link, which tell how much of the way's time the bytes take; None: all of it.
        turns: frames that the device computes at once.
        deadline: of each frame.
    """
    if plan is None:
        return ONE_BY_ONE
    if plan.configuration.device_only:
        return Flow(most=turns)  # more would wait for a turn; and a turn that is free is taken at once
    slowest = _slowest(plan, conditions, turns)
    # The queue is left out: it is what frames under way make themselves, and would call for more of them.
    alone = plan.stages.total - plan.stages.queue
    if slowest <= 0:
        return ONE_BY_ONE
    most = min(MOST, math.ceil(alone / slowest / _CLOSE - DUST))
    roomy = most * slowest <= deadline
    return Flow(most=max(1, most), interval=Seconds(slowest * (_CLOSE if roomy else _APART)))


def _slowest(plan: Plan, conditions: Conditions | None, turns: int) -> float:
    """Seconds between two frames that the slowest stage allows."""
    stages, uplink, downlink = plan.stages, plan.stages.uplink, plan.stages.downlink
    # The way there and back is long for each frame by itself, but many may be on it: only the bytes hold the next up.
    if conditions is not None and plan.bytes_up is not None and plan.bytes_down is not None:
        uplink = serialisation_time(plan.bytes_up, conditions.uplink.bandwidth)
        downlink = serialisation_time(plan.bytes_down, conditions.downlink.bandwidth)
    return max(stages.device / turns, uplink, stages.middle, downlink)
