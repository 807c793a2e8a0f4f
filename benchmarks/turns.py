"""What turns on the device are worth, and what any schedule could reach: Poisson arrivals over a link that stops.

    python benchmarks/turns.py [--json] [--requests N] [--local MS] [--seed N]

In virtual time, with the runtime's own `Request` and `Schedule`; the device computes one branch at a time. The edge
answers within 14 ms, but nothing passes for 0.2 s of every second; deadlines are 100 ms. Four ways to answer:

- *by itself*: each request is raced as if it were the only one, its local branch as late as possible;
- *turns*: the same with a schedule that all share;
- *device alone*: every request is computed on the device, in turns, none is sent;
- *link known*: who knew the stops would compute at once what the edge cannot answer in time: a bound.

A few seconds.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

import command
from edgent.device.request import Action, Deliver, LocalBranch, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.device.schedule import Schedule
from edgent.units import Seconds
from tables import aligned

DEADLINE, MARGIN = Seconds(0.100), Seconds(0.003)
EDGE = 0.014  # seconds: sending, computing and returning while the link is well
PERIOD, CUT = 1.0, 0.2  # seconds: of every PERIOD the link stops for CUT
WAYS = ("by itself", "turns", "device alone", "link known")
RATES = (10.0, 30.0)  # requests a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to answer."""

    way: str
    requests_per_second: float
    local_ms: float
    deadlines_met: float
    device_ms: float


def edge_takes(at: float) -> float:
    """Seconds until the edge has answered what is sent at a moment."""
    stopped = any(moment % PERIOD >= PERIOD - CUT for moment in (at, at + EDGE))
    return (math.floor(at / PERIOD) + 1) * PERIOD + EDGE / 2 - at if stopped else EDGE


class Play:
    """Requests on one device, in virtual time."""

    def __init__(self, way: str, local: float) -> None:
        self._way, self._schedule = way, Schedule()
        self._branch = LocalBranch(exit=0, seconds=Seconds(local))
        self._events: list[tuple[float, int, Callable[[Seconds], tuple[Action, ...]], Request]] = []
        self._order = itertools.count()
        self._now = self._free_at = 0.0
        self.computed = 0.0
        self._came: dict[Request, float] = {}
        self.totals: list[float] = []

    def add(self, at: float) -> None:
        """A request comes."""
        hopeless = self._way == "link known" and edge_takes(at) > DEADLINE - MARGIN
        made = Request(
            started_at=Seconds(at),
            exit=0,
            uses_edge=not (hopeless or self._way == "device alone"),
            deadline=DEADLINE,
            margin=MARGIN,
            branches=[self._branch],
            schedule=Schedule() if self._way == "by itself" else self._schedule,
            call=lambda: self._later(self._now, made.tick, made),
            expected=Seconds(EDGE),
        )
        self._came[made] = at
        self._later(at, made.planned, made)

    def run(self) -> None:
        """Until all are answered."""
        while self._events:
            self._now, _, event, made = heapq.heappop(self._events)
            for action in event(Seconds(self._now)):
                self._act(action, made)

    def _later(self, at: float, event: Callable[[Seconds], tuple[Action, ...]], made: Request) -> None:
        heapq.heappush(self._events, (max(at, self._now), next(self._order), event, made))

    def _act(self, action: Action, made: Request) -> None:
        if isinstance(action, StartHead):
            self._later(self._now, made.head_done, made)
        elif isinstance(action, Send):
            self._send(action, made)
        elif isinstance(action, StartLocal):
            self._free_at = max(self._now, self._free_at) + self._branch.seconds
            self.computed += self._branch.seconds
            self._later(self._free_at, lambda at: made.local_done(at, 0), made)
        elif isinstance(action, WaitUntil) and math.isfinite(action.at):
            self._later(action.at, made.tick, made)
        elif isinstance(action, Deliver):
            self.totals.append(self._now - self._came[made])

    def _send(self, send: Send, made: Request) -> None:
        for action in send.meanwhile:
            self._act(action, made)
        if (takes := edge_takes(self._now)) < send.budget:
            self._later(self._now + takes, made.edge_answered, made)
        else:
            self._later(self._now + send.budget, lambda at: made.edge_failed(at, "edge late"), made)


def row(way: str, rate: float, local: float, requests: int, seed: int) -> Row:
    """What comes of one way to answer."""
    draws, at, play = random.Random(seed), 0.0, Play(way, local)
    for _ in range(requests):
        at += draws.expovariate(rate)
        play.add(at)
    play.run()
    return Row(
        way=way,
        requests_per_second=rate,
        local_ms=local * 1e3,
        deadlines_met=sum(total <= DEADLINE for total in play.totals) / requests,
        device_ms=play.computed / requests * 1e3,
    )


def main() -> int:
    """Computes and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="of each row")
    parser.add_argument("--local", type=float, action="append", help="ms that a local answer takes")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals")
    options = parser.parse_args()
    if options.requests < 1 or any(not 0 < took < math.inf for took in options.local or ()):
        parser.error("expected one request or more, and positive, finite times")
    local = [took / 1e3 for took in options.local or (22.0, 29.0)]
    rows = [
        asdict(row(way, rate, took, options.requests, options.seed))
        for rate, took, way in itertools.product(RATES, local, WAYS)
    ]
    command.show(options, {"rows": rows}, lambda: print(aligned(rows)))
    return 0


if __name__ == "__main__":
    command.run(main)
