"""Where the plan of a request is chosen: the seam at which the planner, our controller or another takes its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgent.link.transfer import Transfer
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import best
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.latency import Profile

Environment = Literal["static", "dynamic"]
"""How the link is taken: as the last transfer found it, or as moving, by the controller."""


class Chooser(Protocol):
    """Chooses the plan of each request of a device with an edge; thread-safe."""

    def observe(self, events: Iterable[Transfer]) -> None:
        """Messages went over the link, or were given up: requests, answers, probes; in the order of their ends."""
        ...

    def choose(
        self,
        now: Seconds,
        conditions: Conditions,
        deadline: Seconds,
        ready: Collection[Configuration] | None = None,
    ) -> Plan:
        """The plan of the next request.

        Args:
            now: On the clock of the events' times.
            conditions: Link, queue and the machines' speed as they seem now.
            deadline: Of the request.
            ready: Choose among these and those of the device alone; None: among all.
        """
        ...

    def decisive(
        self, now: Seconds, conditions: Conditions, deadline: Seconds, *, unlikely: bool = False
    ) -> BitsPerSecond | None:
        """The bandwidth that the next plan depends on; None where nobody would plan otherwise for a look at the link.

        Args:
            now: As in `choose`.
            conditions: Likewise.
            deadline: That the last request had.
            unlikely: Also where the link hardly has it, so that nobody would pay much for a look.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a chooser is made for.

    Attributes:
        candidates: Those that a plan may be chosen from.
        device: The profile that they were priced with.
        edge: The same of the edge.
        deadline: What requests usually have.
        race: Whether the device starts a local branch when the edge is late.
        margin: Seconds before a deadline at which that must be done.
    """

    candidates: Candidates
    device: Profile
    edge: Profile
    deadline: Seconds
    race: bool
    margin: Callable[[Seconds], Seconds]


MakeChooser = Callable[[Scope], Chooser]


class Static:
    """The planner: the best plan under the conditions as they seem now; keeps nothing.

    Args:
        scope: What may be run.
    """

    def __init__(self, scope: Scope) -> None:
        self._margin = scope.margin
        # Once for all requests: what is dominated under every bandwidth need not be priced at each.
        self._frontier = scope.candidates.frontier()
        self._rows = self._frontier.rows
        # Always at hand: a plan of the device alone needs no edge to be ready.
        self._own = np.flatnonzero(self._frontier.messages == 0).tolist()

    def observe(self, events: Iterable[Transfer]) -> None:
        """The conditions say it all."""

    def choose(
        self,
        now: Seconds,  # noqa: ARG002 - whoever keeps nothing needs no clock
        conditions: Conditions,
        deadline: Seconds,
        ready: Collection[Configuration] | None = None,
    ) -> Plan:
        """See `Chooser.choose`."""
        table = self._frontier if ready is None else self._frontier.keep(self._among(ready))
        return best(table, conditions, deadline, margin=self._margin(deadline))

    def decisive(
        self,
        now: Seconds,  # noqa: ARG002 - below
        conditions: Conditions,  # noqa: ARG002
        deadline: Seconds,  # noqa: ARG002
        *,
        unlikely: bool = False,  # noqa: ARG002
    ) -> BitsPerSecond:
        """Infinite, for every one counts: whoever goes by the last transfer alone wants that to be a recent one."""
        return BitsPerSecond(math.inf)

    def __repr__(self) -> str:
        return f"<Static on {self._frontier!r}>"

    def _among(self, ready: Collection[Configuration]) -> NDArray[np.intp]:
        rows = {row for configuration in ready for row in self._rows.get(configuration, ())}
        return np.array(sorted(rows.union(self._own)))
