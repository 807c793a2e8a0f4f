"""The controller: transfers and the time go in, a new plan or nothing comes out.

It keeps no history of its own. What the link will do is asked of a *forecast*, which has taken in the same transfers;
the plan is the candidate of the highest expected accuracy in time (see `edgent.planning.expectation`). Where the
forecast is certain, that is the plan of `edgent.planning.planner`. The paper's controller is in
`edgent.planning.paper.algorithm3`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.link.transfer import Transfer
from edgent.planning.belief import LinkBelief
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import ALONE, Conditions
from edgent.planning.expectation import Expectation, Expectations
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import DUST, TOLERANCE, plan_of
from edgent.units import BitsPerSecond, Seconds, format_duration

WORTH_A_LOOK = 0.001
"""The gain in expected accuracy in time for which a probe is worth its bytes: a tenth of a point."""

_DRIFT = 4.0  # factor by which the machines may drift apart before all candidates are looked at, not a few dozen
_ROUNDING = 1e-9  # weights add up to 1 only so far


class Forecast(Protocol):
    """What the link will do; `edgent.planning.belief.LearnedBelief` learns it from transfers."""

    def observe(self, event: Transfer) -> None:
        """Takes in what happened on the link: a transfer or a probe that ended, or was given up."""

    def belief(self, now: Seconds) -> LinkBelief | None:
        """What is expected now; None where nothing is known of the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The goal of a controller: deadline, certainty, and what a switch of plans costs.

    Attributes:
        deadline: From the input handed over to the answer.
        margin: Seconds before it at which a local branch must be done.
        certainty: Only plans in time with at least this probability are taken, where there are any; None: all.
        least_gain: Expected accuracy in time by which a new plan must be ahead of the present one: what a switch
            costs, spread over the requests that a plan serves. 0 where sessions are made beside the requests.
    """

    deadline: Seconds
    margin: Seconds = Seconds(0.0)
    certainty: float | None = None
    least_gain: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.deadline < math.inf and 0 <= self.margin < math.inf and 0 <= self.least_gain < math.inf):
            raise InputError(
                f"deadline {self.deadline!r}, margin {self.margin!r}, least gain {self.least_gain!r}: expected a "
                "positive, finite deadline, and 0 or more"
            )
        if self.certainty is not None and not 0 < self.certainty < 1:
            raise InputError(f"certainty {self.certainty!r} is not between 0 and 1")


class Controller:
    """Follows the link, and returns a new plan when another one is better; holds no clock.

    Args:
        candidates: What may be run.
        forecast: What the link will do.
        goal: Deadline, certainty and what a switch costs.
        race: Whether the device starts a local branch when the edge may come too late.

    Attributes:
        goal: May be replaced between decisions.

    Raises:
        InputError: no candidate stays on the device.
    """

    def __init__(self, candidates: Candidates, forecast: Forecast, goal: Goal, *, race: bool = True) -> None:
        self._race = race
        self._all = self._of(candidates)
        # Two frontiers. The one for machines whose speeds stay within a factor of four of each other is a few dozen
        # candidates, and serves nearly every decision; the other is looked at only when one machine is far slower than
        # profiled.
        self._usual = self._of(self._all.candidates.frontier_within(_DRIFT))
        self._ready: tuple[frozenset[Configuration], Expectations, Expectations] | None = None
        self._forecast = forecast
        self.goal = goal
        self._decision: _Decision | None = None

    @property
    def plan(self) -> Plan | None:
        """The present plan; None before the first decision."""
        return None if self._decision is None else self._priced(self._decision)

    @property
    def configuration(self) -> Configuration | None:
        """What the present plan runs; None before the first decision."""
        return None if self._decision is None else self._decision.configuration

    @property
    def chance(self) -> float | None:
        """The present plan's probability of being in time; None before the first decision."""
        return None if self._decision is None else self._decision.chance

    def observe(self, event: Transfer, now: Seconds) -> Plan | None:
        """Takes in what happened on the link; a new plan, or None where the present one stays."""
        self._forecast.observe(event)
        return self.decide(now)

    def decide(self, now: Seconds) -> Plan | None:
        """Looks at the time alone: what was seen of the link grows old. A new plan, or None."""
        before, belief = self._decision, self._forecast.belief(now)
        # Compared by configuration and not by plan: predicted times change with every transfer, what runs seldom does.
        self._decision = decision = self._best(self._expectations(belief), belief, before)
        return self._priced(decision) if before is None or decision.configuration != before.configuration else None

    @property
    def unconfirmed(self) -> bool:
        """Whether knowing the link's state would help: with a look at it, the last decision would expect clearly more.

        Until somebody has, the plan is that of the device alone, which is when the link may be probed.
        """
        decision = self._decision
        # Before the first transfer nothing is known, and a look is always worth its bytes.
        if decision is None or decision.belief is None:
            return True
        # What a probe is worth: the expected accuracy in time of choosing after a look, less that of choosing now. A
        # look costs the link some bytes, so it is taken only for a tenth of a point or more.
        informed = self._expectations(decision.belief).informed(decision.belief, self.goal.deadline, self.goal.margin)
        return informed > decision.expected + WORTH_A_LOOK

    @property
    def decisive(self) -> BitsPerSecond:
        """The least bandwidth at which the most accurate plan over the link is in time; infinite: none ever is."""
        decision = self._decision
        if decision is None or decision.belief is None:
            return BitsPerSecond(math.inf)
        return self._expectations(decision.belief).decisive(decision.belief, self.goal.deadline, self.goal.margin)

    def among(self, ready: Collection[Configuration], now: Seconds) -> Plan:
        """The best of some configurations and of those that stay on the device, while the present plan is not ready."""
        belief = self._forecast.belief(now)
        expectations, key = self._expectations(belief), frozenset(ready)
        # Kept from request to request: which sessions are ready changes only when one has been made.
        if self._ready is None or self._ready[:2] != (key, expectations):
            self._ready = key, expectations, self._of(_kept(expectations.candidates, key))
        # Without hysteresis: these sessions exist already, so choosing another one costs nothing.
        return self._priced(self._best(self._ready[2], belief, None))

    def _expectations(self, belief: LinkBelief | None) -> Expectations:
        drift = 1.0 if belief is None else belief.device_factor / belief.edge_factor
        return self._usual if 1 / _DRIFT <= drift <= _DRIFT else self._all

    def _of(self, candidates: Candidates) -> Expectations:
        return Expectations(candidates, race=self._race)

    def _best(self, expectations: Expectations, belief: LinkBelief | None, before: _Decision | None) -> _Decision:
        table = expectations.candidates
        expectation = expectations.expect(belief, self.goal.deadline, self.goal.margin)
        place = self._choose(table, expectation, None if before is None else before.configuration)
        return _Decision(
            table=table,
            row=int(expectation.rows[place]),
            belief=belief,
            chance=float(expectation.chance[place]),
            expected=float(expectation.expected[place]),
        )

    def _choose(self, table: Candidates, expectation: Expectation, present: Configuration | None) -> int:
        """Place of the highest expected accuracy in time; of those as good and as likely in time the fastest.

        Accuracies within the tolerance count as equal. A chance is no measured accuracy: whoever is likelier in time
        is better, however little.
        """
        goal, expected, chance = self.goal, expectation.expected, expectation.chance
        # Below any accuracy, and so chosen only where no plan is certain enough.
        if goal.certainty is not None and (sure := chance >= goal.certainty - _ROUNDING).any():
            expected = np.where(sure, expected, -1.0)
        first = int(expected.argmax())
        best = expected[first]
        # Hysteresis: while the present plan is nearly as good as the best, it stays, for a switch costs sessions and
        # warm-up.
        near = (best - expected < goal.least_gain).nonzero()[0].tolist()
        kept = [place for place in near if table.configuration(expectation.rows[place]) == present]
        if kept:
            return int(kept[0])
        # Near equals by accuracy must be no less likely in time. Exact equals in what is expected count whatever their
        # chance: with a race, a candidate less likely in time may be expected to give as much.
        equal = (expected >= best - TOLERANCE - DUST) & (chance >= chance[first] - _ROUNDING)
        good = (equal | (expected >= best - DUST)).nonzero()[0]
        return int(good[expectation.latency[good].argmin()])

    def _priced(self, decision: _Decision) -> Plan:
        """As a plan, its stages predicted for the median bandwidth."""
        conditions = ALONE if decision.belief is None else _median_conditions(decision.belief)
        # `meets_deadline` follows from the stages for the median bandwidth; the chance says the rest.
        priced = plan_of(decision.table, decision.row, conditions, meets_deadline=True, chance=decision.chance)
        return replace(priced, meets_deadline=priced.stages.total <= self.goal.deadline)

    def __repr__(self) -> str:
        return f"<Controller {format_duration(self.goal.deadline)} on {self._usual.candidates!r}: {self.plan!r}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Decision:
    """A candidate chosen, and what was expected of the link."""

    table: Candidates
    row: int
    belief: LinkBelief | None
    chance: float
    expected: float

    @property
    def configuration(self) -> Configuration:
        return self.table.configuration(self.row)


def _kept(table: Candidates, ready: frozenset[Configuration]) -> Candidates:
    """Those that are ready, and those that stay on the device."""
    rows = [row for row in range(len(table)) if not table.messages[row] or table.configuration(row) in ready]
    return table.keep(np.array(rows))


def _median_conditions(belief: LinkBelief) -> Conditions:
    up, down = belief.median()
    uplink = TransferModel(bandwidth=BitsPerSecond(up), round_trip=belief.round_trip, call_time=belief.call_time)
    return Conditions(
        uplink=uplink,
        downlink=replace(uplink, bandwidth=BitsPerSecond(down)),
        queue=belief.queue,
        device_factor=belief.device_factor,
        edge_factor=belief.edge_factor,
    )
