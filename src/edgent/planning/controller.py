"""The controller: what is believed goes in, a new plan or nothing comes out.

It keeps no history but its last decision. What transfers have told of the link, and how old that is by now, is in the
conditions; the plan is the candidate of the highest expected accuracy in time (see `edgent.planning.expectation`).
Where the conditions are certain, that is the plan of `edgent.planning.planner`. The paper's controller is in
`edgent.planning.paper.algorithm3`.

The plan of the highest expectation may well be the device alone, and then nothing is learned of the link any more. So
the controller also says when looking at the link would pay (`unconfirmed`), and what a look must find out (`decisive`).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgent.errors import InputError
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import ALONE, Conditions
from edgent.planning.expectation import Expectation, Expectations
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import DUST, TOLERANCE, least, plan_of
from edgent.units import BitsPerSecond, Seconds, format_duration

if TYPE_CHECKING:
    from edgent.planning.gates import Gate

WORTH_A_LOOK = 0.001
"""The gain in expected accuracy in time for which a probe is worth its bytes: a tenth of a point."""

TRIED_FROM = 0.5
"""The chance of being in time from which on an edge that is not relied on is asked beside the device's own answer.

Below it most of what is sent would be in vain, and only delay the probes that tell of the link.
"""

# Beyond this all candidates are looked at, so it decides how long a decision takes, and never what is chosen.
_DRIFT = 4.0  # factor by which the machines may drift apart before all candidates are looked at, not a few dozen
_ROUNDING = 1e-9  # weights of the quantiles add up to 1 only so far, so equal chances may differ in their last digits


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
        goal: Deadline, certainty and what a switch costs.
        race: Whether the device starts a local branch when the edge may come too late.

    Attributes:
        goal: May be replaced between decisions.

    Raises:
        InputError: no candidate stays on the device.
    """

    def __init__(self, candidates: Candidates, goal: Goal, *, race: bool = True) -> None:
        # Without a race late answers are worth nothing; with one, the local branch's accuracy counts for them. That
        # changes which candidates can win, so it is fixed here and not asked at each decision.
        self._race = race
        self._all = self._of(candidates)
        # Two frontiers. The one for machines whose speeds stay within a factor of four of each other is a few dozen
        # candidates, and serves nearly every decision; the other is looked at only when one machine is far slower than
        # profiled.
        self._usual = self._of(self._all.candidates.frontier_within(_DRIFT), _DRIFT)
        self._ready: tuple[frozenset[Configuration], Expectations, Expectations] | None = None
        self.goal = goal
        self._decision: _Decision | None = None
        self._plan: Plan | None = None  # of that decision, once somebody asks

    @property
    def plan(self) -> Plan | None:
        """The present plan; None before the first decision."""
        if self._plan is None and self._decision is not None:
            self._plan = self._priced(self._decision)
        return self._plan

    @property
    def configuration(self) -> Configuration | None:
        """What the present plan runs; None before the first decision."""
        return None if self._decision is None else self._decision.configuration

    @property
    def gate(self) -> Gate | None:
        """What the present plan answers first; None: it does not look at the picture, or is not decided."""
        return None if self._decision is None else self._decision.table.gate_of(self._decision.row)

    @property
    def chance(self) -> float | None:
        """The present plan's probability of being in time; None before the first decision."""
        return None if self._decision is None else self._decision.chance

    def decide(self, conditions: Conditions | None) -> Plan | None:
        """Decides anew; a new plan, or None where the present one stays.

        Args:
            conditions: What is believed now; None: the link carries nothing, or nothing is known of it.
        """
        # The decision is kept whether or not it is a new plan: the same plan may have another chance now. Only another
        # configuration is news, for it needs other sessions.
        before = self._decision
        self._decision = latest = self._best(self._expectations(conditions), conditions, before)
        self._plan = None
        return self.plan if before is None or not before.is_of(latest.table, latest.row) else None

    @property
    def unconfirmed(self) -> bool:
        """Whether knowing the link's state would help: with a look at it, the last decision would expect clearly more.

        Until somebody has, the plan is that of the device alone, which is when the link may be probed.
        """
        latest = self._decision
        # Before the first transfer nothing is known, and a look is always worth its bytes.
        if latest is None or (conditions := latest.conditions) is None:
            return True
        # What a probe is worth: the expected accuracy in time of choosing after a look, less that of choosing now (in
        # decision theory the *expected value of perfect information*; it is never below 0, and 0 where one plan is the
        # best on every link). A look costs the link some bytes, so it is taken only for a tenth of a point or more.
        informed = self._expectations(conditions).informed(conditions, self.goal.deadline, self.goal.margin)
        return informed > latest.expected + WORTH_A_LOOK

    @property
    def decisive(self) -> BitsPerSecond:
        """The least bandwidth at which some plan over the link is in time and better than is expected; infinite: none.

        A look must tell whether the link has this bandwidth, and no more. A probe that is large enough to tell of the
        best plan of all would be given up on a link that is quick enough for the first useful one.
        """
        latest = self._decision
        if latest is None or (conditions := latest.conditions) is None:
            return BitsPerSecond(math.inf)
        goal, expectations = self.goal, self._expectations(conditions)
        return expectations.decisive(conditions, goal.deadline, goal.margin, more_than=latest.expected)

    def among(self, ready: Collection[Configuration], conditions: Conditions | None) -> Plan:
        """The best of some configurations and of those that stay on the device, while the present plan is not ready."""
        # While sessions are being made the same few are asked for at every request, so their table is kept.
        expectations, key = self._expectations(conditions), frozenset(ready)
        if self._ready is None or self._ready[:2] != (key, expectations):
            self._ready = key, expectations, self._of(_kept(expectations.candidates, key))
        # Without hysteresis: these sessions exist already, so choosing another one costs nothing.
        return self._priced(self._best(self._ready[2], conditions, None))

    def _expectations(self, conditions: Conditions | None) -> Expectations:
        # Only the ratio of both factors matters: where both machines are slower alike, the same candidates can win.
        drift = 1.0 if conditions is None else conditions.device_factor / conditions.edge_factor
        return self._usual if 1 / _DRIFT <= drift <= _DRIFT else self._all

    def _of(self, candidates: Candidates, drift: float = math.inf) -> Expectations:
        return Expectations(candidates, race=self._race, drift=drift)

    def _best(self, expectations: Expectations, conditions: Conditions | None, before: _Decision | None) -> _Decision:
        # Of the present plan only its configuration matters here (for hysteresis): its chance and its worth are taken
        # anew under the new conditions, as those of all others are.
        table = expectations.candidates
        goal = self.goal
        choosy = goal.certainty is not None or goal.least_gain > 0
        expectation = expectations.expect(conditions, goal.deadline, goal.margin, every=choosy)
        place = self._choose(table, expectation, before)
        return _Decision(
            table=table,
            row=int(expectation.rows[place]),
            conditions=conditions,
            chance=float(expectation.chance[place]),
            expected=float(expectation.expected[place]),
        )

    def _choose(self, table: Candidates, expectation: Expectation, present: _Decision | None) -> int:
        """Place of the highest expected accuracy in time; of those as good and as likely in time the fastest.

        Accuracies within the tolerance count as equal. A chance is no measured accuracy: a candidate that is likelier
        to be in time is better, however little. Only where policies are to ask the edge less it may cost as much as
        counts as equal, and what leaves most of edge and link to others comes before what is fastest.
        """
        goal, expected, chance = self.goal, expectation.expected, expectation.chance
        # Below any accuracy, and so chosen only where no plan is certain enough.
        if goal.certainty is not None and (sure := chance >= goal.certainty - _ROUNDING).any():
            expected = np.where(sure, expected, -1.0)
        # Nothing to lose: where no candidate seems to be in time, sending costs no answer. So one that would be in time
        # on a quick enough link is better than one that is late on any, for no forecast knows how quick a link may
        # become. Twice the tolerance is a stand-in: it is above 0 by more than counts as equal, and is compared with
        # nothing else.
        if not expected.any():
            expected = np.where(expectation.hopeful(), 2 * TOLERANCE, 0.0)
        first = int(expected.argmax())
        best = expected[first]
        # Hysteresis: while the present plan is nearly as good as the best, it stays, for a switch costs sessions and
        # warm-up. Without it two plans of equal worth would take turns with every small change of the belief.
        near = (best - expected < goal.least_gain).nonzero()[0].tolist() if goal.least_gain else ()
        kept = [place for place in near if present and present.is_of(table, int(expectation.rows[place]))]
        if kept:
            return int(kept[0])
        # Within the tolerance accuracies differ by less than they are known. That holds only among candidates that are
        # as likely in time as the best: an expectation that is lower because of its chance is really lower. Those that
        # differ from the best by rounding alone are equal whatever their chance.
        equal = expected >= best - TOLERANCE - DUST
        if expectation.occupancy is None:
            equal = (equal & (chance >= chance[first] - _ROUNDING)) | (expected >= best - DUST)
        else:
            equal &= expectation.occupancy <= least(expectation.occupancy[equal])
        good = equal.nonzero()[0]
        return int(good[expectation.latency[good].argmin()])

    def _priced(self, decision: _Decision) -> Plan:
        """As a plan, its stages predicted for the bandwidths in the middle."""
        # Stages are one time each and no distribution, so they are those of the middle. The chance beside them says how
        # far that can be relied on, and `meets_deadline` speaks of the stages alone.
        conditions = decision.conditions or ALONE
        priced = plan_of(decision.table, decision.row, conditions, meets_deadline=True, chance=decision.chance)
        return priced if priced.stages.total <= self.goal.deadline else replace(priced, meets_deadline=False)

    def __repr__(self) -> str:
        return f"<Controller {format_duration(self.goal.deadline)} on {self._usual.candidates!r}: {self.plan!r}>"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Decision:
    """A candidate chosen, and what was believed then."""

    table: Candidates
    row: int
    conditions: Conditions | None
    chance: float
    expected: float

    @property
    def configuration(self) -> Configuration:
        return self.table.configurations[self.row]

    def is_of(self, table: Candidates, row: int) -> bool:
        """Whether it is this candidate, perhaps of another table of the same ones."""
        same = self.table.gate[self.row] == table.gate[row]
        return bool(same) and self.configuration == table.configurations[row]


def _kept(table: Candidates, ready: frozenset[Configuration]) -> Candidates:
    """Those that are ready, and those that stay on the device."""
    rows = [row for row in range(len(table)) if not table.messages[row] or table.configurations[row] in ready]
    return table.keep(np.array(rows))
