"""How many frames under way pay, and how far apart they begin: pure (the theory is in `edgent.device.streams`)."""

from __future__ import annotations

import math
from collections import deque
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
_CLOSE, _APART = 0.95, 1.05


_RECENT, _ROW = (
    40,
    8,
)  # ends that are remembered; frames in a row whose mean counts: fewer come close together by chance


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


class DeliveryRate:
    """How close frames have come out lately: no stage takes longer than that for one.

    A link that several messages share seems slow to each of them, and a prediction learns that. What has come out at
    the far end is no prediction (so measures BBR what a path carries [1]).

    [1] N. Cardwell et al., BBR: congestion-based congestion control, ACM Queue 14(5), 2016.
    """

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=_RECENT)

    def ended(self, at: Seconds) -> Seconds:
        """A frame was answered; the shortest mean time between the ends of a few frames in a row, of the last ones."""
        self._ends.append(at)
        ends = sorted(self._ends)
        return Seconds(
            min((ends[n] - ends[n - _ROW]) / _ROW for n in range(_ROW, len(ends))) if len(ends) > _ROW else math.inf
        )


def flow_of(
    plan: Plan | None, conditions: Conditions | None, turns: int, deadline: Seconds, between: float = math.inf
) -> Flow:
    """The flow that keeps a plan's slowest stage busy.

    Args:
        plan: of the last frame; None: it had no price.
        conditions: of the link, which tell how much of the way's time the bytes take; None: all of it.
        turns: frames that the device computes at once.
        deadline: of each frame.
        between: seconds between two answers, as they have come out; see `DeliveryRate`.
    """
    if plan is None:
        return ONE_BY_ONE
    if plan.configuration.device_only:
        return Flow(most=turns)  # more would wait for a turn; and a turn that is free is taken at once
    believed = _slowest(plan, conditions, turns)
    slowest = min(believed, between)
    # The queue is left out, and what the link is only believed to take: both are what frames under way make themselves,
    # and would call for more of them.
    alone = plan.stages.total - plan.stages.queue - (believed - slowest)
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
