"""A simulated edge and a simulated device that play against a request, in virtual time."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

from edgent.device.failures import Reason
from edgent.device.request import Deliver, LocalBranch, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.device.schedule import Schedule
from edgent.units import Seconds

DEADLINE, MARGIN = 0.100, 0.004


@dataclass
class Played:
    delivered: Deliver
    at: float
    budget: float | None
    local_started_at: float | None
    log: list


def branch(exit: int, seconds: float, accuracy: float | None = None) -> LocalBranch:
    return LocalBranch(exit=exit, seconds=Seconds(seconds), accuracy=accuracy)


def request(
    branches,
    *,
    started_at=0.0,
    uses_edge=True,
    exit=9,
    race=True,
    deadline=DEADLINE,
    margin=MARGIN,
    schedule=None,
    **settings,
) -> Request:
    return Request(
        started_at=Seconds(started_at),
        exit=exit,
        uses_edge=uses_edge,
        deadline=Seconds(deadline),
        margin=Seconds(margin),
        branches=branches,
        schedule=schedule or Schedule(),
        call=lambda: None,
        race=race,
        **settings,
    )


def play(made: Request, *, head=0.0, edge: tuple[str, float] | None = None, slowness=1.0, late_by=0.0) -> Played:
    """Runs a request; `edge` is ("answers" | "fails", seconds after sending), None for never.

    The gRPC deadline is part of the edge: what has not come within the budget fails then. `late_by`: how late the
    waiting thread wakes.
    """
    events: list = []
    order = itertools.count()
    played = Played(Deliver("edge", -1, ""), math.nan, None, None, [])

    def at(moment, name, *args):
        heapq.heappush(events, (moment, next(order), name, args))

    def act(now, actions):
        for action in actions:
            played.log.append((now, action))
            if isinstance(action, StartHead):
                at(now + head, "head_done")
            elif isinstance(action, Send):
                played.budget = action.budget
                kind, after = edge or ("fails", math.inf)
                if after >= action.budget:
                    at(now + max(0.0, action.budget), "edge_failed", Reason.LATE)
                elif kind == "answers":
                    at(now + after, "edge_answered")
                else:
                    at(now + after, "edge_failed", "edge lost")
                act(now, action.meanwhile)
            elif isinstance(action, StartLocal):
                played.local_started_at = now
                seconds = next((b.seconds for b in made.branches if b.exit == action.exit), 0.0)
                at(now + seconds * slowness, "local_done", action.exit)
            elif isinstance(action, WaitUntil):
                at(max(action.at, now) + late_by, "tick")
            elif isinstance(action, Deliver):
                assert math.isnan(played.at), "delivered twice"
                played.delivered, played.at = action, now

    act(0.0, made.planned(Seconds(0.0)))
    while events:
        now, _, name, args = heapq.heappop(events)
        act(now, getattr(made, name)(Seconds(now), *args))
    assert not math.isnan(played.at), f"never delivered: {made!r}"
    return played
