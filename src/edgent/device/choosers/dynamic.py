"""The chooser of a moving link: `edgent.planning.controller`, the same that a replay drives, on a live device.

An answer of the device that is sure is given up only for one of the edge that is nearly as sure: for four points of
accuracy it must be certain by 96 %. After trouble no forecast is, however well the link is by now, until it has seen
many transfers in time; and probes are too few and too small for that. So while the edge is likely to be in time, and
not certain enough to be relied on, it is *tried*: the device answers as it would by itself, and the edge is asked
beside it. That costs the device nothing more, an answer of the edge that comes in time is the better one, and each one
teaches. So that it is done at all, the device's own answer needs no more than to be in time behind what is sent: where
it takes nearly all of the deadline, no margin is left to ask for. Whoever races tries an edge there only, for elsewhere
nothing is given up.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from edgent.device.choosers.chooser import Scope
from edgent.link.forecast import LinkForecast
from edgent.link.transfer import CALL_BYTES, TIMING_ERROR, Transfer
from edgent.link.waits import LinkBelief
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.controller import TRIED_FROM, Controller, Goal
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import best
from edgent.units import BitsPerSecond, Seconds


class Dynamic:
    """Follows the link: a forecast of each direction learns from every transfer, and the controller plans for both.

    What is no matter of the link's bandwidth (round trip, queue, the machines' speed) stays as the conditions say; so
    does the bandwidth of a direction that was stated, for no transfer is reported of that.

    Args:
        scope: What may be run.
    """

    def __init__(self, scope: Scope) -> None:
        self._uplink, self._downlink = LinkBelief(_forecast), LinkBelief(_forecast)
        self._margin = scope.margin
        goal = self._goal(scope.deadline)
        self._controller = Controller(scope.candidates, goal, race=scope.race)
        self._trials = Controller(scope.candidates, _of_trials(goal), race=True)
        self._race, self._encoded = scope.race, _encoded(scope.candidates)
        self._alone = scope.candidates.keep(np.equal(scope.candidates.messages, 0))
        self._lock = threading.Lock()

    def observe(self, events: Iterable[Transfer]) -> None:
        """See `Chooser.observe`."""
        with self._lock:
            # Apart, for the bandwidth of one direction says little about the other's.
            for event in events:
                (self._uplink if event.direction == "up" else self._downlink).learn(event)

    def choose(
        self,
        now: Seconds,
        conditions: Conditions,
        deadline: Seconds,
        ready: Collection[Configuration] | None = None,
    ) -> Plan:
        """See `Chooser.choose`; while an outage is likelier than none, nobody waits for the edge who can do without."""
        with self._lock:
            # Either of them: an answer that cannot come back is worth no more than a picture that cannot go up.
            if self._uplink.dead(now) or self._downlink.dead(now):
                alone = best(self._alone, conditions, deadline, margin=self._margin(deadline))
                if alone.meets_deadline:
                    return alone
            believed = self._believed(now, conditions, deadline)
            plan = _decided(self._controller, believed, ready)
            return self._tried(plan, believed, ready) or plan if plan.configuration.device_only else plan

    def decisive(
        self, now: Seconds, conditions: Conditions, deadline: Seconds, *, unlikely: bool = False
    ) -> BitsPerSecond | None:
        """See `Chooser.decisive`: a look is wanted where a replay would probe."""
        with self._lock:
            self._controller.decide(self._believed(now, conditions, deadline))
            wanted = self._controller.unconfirmed or (unlikely and self._controller.decisive < math.inf)
            return self._controller.decisive if wanted else None

    def _tried(self, alone: Plan, believed: Conditions, ready: Collection[Configuration] | None) -> Plan | None:
        """A plan that asks the edge beside the device's own answer; None: the edge is hardly in time, or not better."""
        goal, behind = self._controller.goal, believed.device_factor * self._encoded
        if self._race and alone.stages.total + behind <= goal.deadline - goal.margin:
            return None  # asking would have given nothing up, and was not chosen
        plan = _decided(self._trials, believed, ready)
        likely = plan.chance is not None and plan.chance > TRIED_FROM
        return replace(plan, trial=True) if likely and not plan.configuration.device_only else None

    def _believed(self, now: Seconds, conditions: Conditions, deadline: Seconds) -> Conditions:
        """The conditions with the bandwidths as forecast, for a controller that is after this deadline."""
        if deadline != self._controller.goal.deadline:
            # The forecast outlives a change of the deadline: it is of the link, and the goal of the request.
            self._controller.goal = self._goal(deadline)
            self._trials.goal = _of_trials(self._controller.goal)
        return conditions.expecting(*(way.predictive(now, deadline) for way in (self._uplink, self._downlink)))

    def _goal(self, deadline: Seconds) -> Goal:
        return Goal(deadline=deadline, margin=self._margin(deadline))

    def __repr__(self) -> str:
        return f"<Dynamic: {self._controller!r}>"


def _encoded(candidates: Candidates) -> Seconds:
    """By the profile, until any form of a whole input is encoded: then the branch beside it can begin."""
    whole = (candidates.messages > 0) & (candidates.upload_cut == 0)
    return Seconds((candidates.head + candidates.encode)[whole].max(initial=0.0))


def _of_trials(goal: Goal) -> Goal:
    return replace(goal, margin=Seconds(0.0))


def _forecast(ahead: float) -> LinkForecast:
    return LinkForecast(timing_error=TIMING_ERROR, message_bytes=CALL_BYTES, ahead=ahead)


def _decided(controller: Controller, believed: Conditions, ready: Collection[Configuration] | None) -> Plan:
    if ready is not None:
        return controller.among(ready, believed)
    controller.decide(believed)
    assert controller.plan is not None, "it has just decided"
    return controller.plan
