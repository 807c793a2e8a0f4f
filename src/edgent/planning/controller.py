"""The controller: transfers and the time go in, a new plan or nothing comes out.

It keeps no history of its own. What the link will do is asked of a *forecast*, which has taken in the same transfers;
the plan is the candidate of the highest expected accuracy in time (see `edgent.planning.prospects`). Where the
forecast is certain, that is the plan of `edgent.planning.planner`. The paper's controller is in
`edgent.planning.algorithm3`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import ALONE, Conditions
from edgent.planning.outlook import Outlook, Transfer
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import DUST, TOLERANCE, plan_of
from edgent.planning.prospects import Fares, Prospects
from edgent.units import BitsPerSecond, Seconds, format_duration

_AT_ONCE = Seconds(0.0)
_ROUNDING = 1e-9  # weights add up to 1 only so far


class Forecast(Protocol):
    """What the link will do; `edgent.planning.outlook.LinkOutlook` learns it from transfers."""

    def observe(self, event: Transfer) -> None:
        """Takes in what happened on the link: a transfer or a probe that ended, or was given up."""

    def outlook(self, now: Seconds) -> Outlook | None:
        """What is expected now; None where the link carries nothing, or nothing is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the controller is after.

    Attributes:
        deadline: From the input handed over to the answer.
        certainty: Only plans in time with at least this probability are taken, where there are any; None: all.
        least_gain: Expected accuracy in time by which a new plan must be ahead of the present one: what a switch
            costs, spread over the requests that a plan serves. 0 where sessions are made beside the requests.
    """

    deadline: Seconds
    certainty: float | None = None
    least_gain: float = 0.0

    def __post_init__(self) -> None:
        if not (self.deadline > 0 and 0 <= self.least_gain < math.inf):
            raise InputError(
                f"deadline {self.deadline!r}, least gain {self.least_gain!r}: expected a positive one, and 0 or more"
            )
        if self.certainty is not None and not 0 < self.certainty < 1:
            raise InputError(f"certainty {self.certainty!r} is not between 0 and 1")


class Controller:
    """Follows the link, and says when another plan is better; holds no clock.

    Args:
        candidates: What may be run.
        forecast: What the link will do.
        goal: Deadline, certainty and what a switch costs.
        race: Whether the device starts a local branch when the edge may come too late.
        margin: Seconds before the deadline at which a local branch must be done.

    Attributes:
        goal: May be replaced between decisions.

    Raises:
        InputError: no candidate stays on the device.
    """

    def __init__(
        self,
        candidates: Candidates,
        forecast: Forecast,
        goal: Goal,
        *,
        race: bool = True,
        margin: Seconds = _AT_ONCE,
    ) -> None:
        self._race, self._margin = race, margin
        self._prospects = self._of(candidates)
        self._ready: tuple[frozenset[Configuration], Prospects] | None = None
        self._forecast = forecast
        self.goal = goal
        self._row: int | None = None
        self._plan: Plan | None = None

    @property
    def plan(self) -> Plan | None:
        """The present plan; None before the first decision."""
        return self._plan

    def observe(self, event: Transfer, now: Seconds) -> Plan | None:
        """Takes in what happened on the link; a new plan, or None where the present one stays."""
        self._forecast.observe(event)
        return self.decide(now)

    def decide(self, now: Seconds) -> Plan | None:
        """Looks at the time alone: what was seen of the link grows old. A new plan, or None."""
        before = self._row
        self._row, self._plan = self._best(self._prospects, now, before)
        return self._plan if self._row != before else None

    def among(self, ready: Collection[Configuration], now: Seconds) -> Plan:
        """The best of some configurations and of those that stay on the device, while the present plan is not ready."""
        key = frozenset(ready)
        if self._ready is None or self._ready[0] != key:
            rows = {self._rows[configuration] for configuration in key if configuration in self._rows}
            self._ready = (key, self._of(self._prospects.candidates.keep(np.array(sorted(rows.union(self._own))))))
        return self._best(self._ready[1], now, None)[1]

    @cached_property
    def _rows(self) -> dict[Configuration, int]:
        table = self._prospects.candidates
        return {table.configuration(row): row for row in range(len(table))}

    @cached_property
    def _own(self) -> list[int]:
        return [row for configuration, row in self._rows.items() if configuration.device_only]

    def _of(self, candidates: Candidates) -> Prospects:
        return Prospects(candidates, race=self._race, margin=self._margin)

    def _best(self, prospects: Prospects, now: Seconds, present: int | None) -> tuple[int, Plan]:
        outlook = self._forecast.outlook(now)
        fares = prospects.fares(outlook, self.goal.deadline)
        place = self._choose(fares, present)
        row = int(fares.rows[place])
        return row, self._priced(prospects.candidates, row, outlook, float(fares.chance[place]))

    def _choose(self, fares: Fares, present: int | None) -> int:
        """Place of the fastest of those whose expected accuracy in time is the highest, within the tolerance."""
        goal, expected = self.goal, fares.expected
        allowed = np.ones_like(expected, dtype=np.bool_)
        if goal.certainty is not None and (sure := fares.chance >= goal.certainty - _ROUNDING).any():
            allowed = sure
        best = expected[allowed].max()
        if goal.least_gain and present is not None:
            kept = np.flatnonzero(allowed & (fares.rows == present) & (best - expected < goal.least_gain))
            if kept.size:
                return int(kept[0])
        good = np.flatnonzero(allowed & (expected >= best - TOLERANCE - DUST))
        return int(good[np.argmin(fares.latency[good])])

    def _priced(self, table: Candidates, row: int, outlook: Outlook | None, chance: float) -> Plan:
        """One candidate as a plan, its stages predicted for the median bandwidth."""
        conditions = ALONE if outlook is None else _median_conditions(outlook)
        priced = plan_of(table, row, conditions, meets_deadline=True, chance=chance)
        late = priced.stages.total > self.goal.deadline
        return replace(priced, meets_deadline=False) if late else priced

    def __repr__(self) -> str:
        return f"<Controller {format_duration(self.goal.deadline)} on {self._prospects.candidates!r}: {self._plan!r}>"


def _median_conditions(outlook: Outlook) -> Conditions:
    up, down = outlook.median()
    uplink = TransferModel(bandwidth=BitsPerSecond(up), round_trip=outlook.round_trip, call_time=outlook.call_time)
    return Conditions(
        uplink=uplink,
        downlink=replace(uplink, bandwidth=BitsPerSecond(down)),
        queue=outlook.queue,
        device_factor=outlook.device_factor,
        edge_factor=outlook.edge_factor,
    )
