"""Many devices and one edge in virtual time: who goes there, who is refused, whose answer is in time.

Nothing here is a copy of the product: the edge is its `EdgeQueue` with its admission, each device its planner, its
`LinkFollower` and its `Schedule`. Only links and machines are made up, and exact: all take what is expected of them.
So what is lost is lost by what devices do with what they know of each other, which is next to nothing.

Compared is with a *fixed split*: each request goes to the edge with the same chance, whatever anybody is told.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from edgent.device.connection.link_follower import LinkFollower
from edgent.device.drift import Factors
from edgent.device.schedule import Schedule, Turn
from edgent.edge.queue import Decision, EdgeQueue, EdgeWork, Reject, Start
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import RAW
from edgent.planning.planner import TOLERANCE, choose, usual_margin
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds
from edgent.wire.edge_client import TimedReply

_ON_DEVICE, _ON_EDGE = 0, 1  # rows of the candidates
_ROUNDING = 1e-9  # sums of the same times in another order differ by less


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What is simulated.

    Attributes:
        devices: how many.
        rate: requests a second of each, Poisson arrivals.
        deadline: of each request.
        local: seconds that a device takes.
        remote: seconds that the edge takes.
        message: bytes up; the answer has none to speak of.
        bandwidth: of each device's own link.
        round_trip: likewise.
        accuracy: of the device's own answer, beside one at the edge.
        seconds: of virtual time.
        seed: of arrivals and of what devices leave to chance.
    """

    devices: int = 50
    rate: float = 10.0
    deadline: Seconds = Seconds(0.100)
    local: Seconds = Seconds(0.060)
    remote: Seconds = Seconds(0.009)
    message: int = 12_000
    bandwidth: BitsPerSecond = BitsPerSecond(20e6)
    round_trip: Seconds = Seconds(0.004)
    accuracy: float = 1.0
    seconds: float = 60.0
    seed: int = 0

    @property
    def up(self) -> float:
        """Seconds of a message to the edge."""
        return self.message * BITS_PER_BYTE / self.bandwidth + self.round_trip / 2


@dataclass(slots=True)
class Herd:
    """What became of a crowd's requests.

    Attributes:
        requests: how many.
        in_time: of them.
        sent: to the edge.
        refused: by it.
        by_second: how many went to the edge in each second: all come, and all go, where it swings.
    """

    requests: int = 0
    in_time: int = 0
    sent: int = 0
    refused: int = 0
    by_second: list[int] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the requests that were answered in time."""
        return self.in_time / self.requests

    @property
    def swing(self) -> float:
        """How uneven the seconds are: variance over mean; 1 by chance alone."""
        return statistics.pvariance(self.by_second) / max(1e-9, statistics.mean(self.by_second))


@dataclass(slots=True, kw_only=True, eq=False)
class _Board:
    """A device: what it knows of link and edge, and the turns of its own work."""

    follower: LinkFollower
    schedule: Schedule = field(default_factory=Schedule)

    def conditions(self, at: float) -> Conditions:
        """As they seem to it now."""
        seen = self.follower.conditions(Seconds(at), factors=Factors(backlog=self.schedule.backlog(at)))
        assert seen is not None, "the bandwidth is stated"
        return seen


@dataclass(slots=True, kw_only=True, eq=False)
class _Request:
    board: _Board
    due: float
    turn: Turn | None = None


class Simulation:
    """One run.

    Args:
        crowd: what is simulated.
        split: the chance with which a request goes to the edge whatever is believed; None: it is planned.
    """

    def __init__(self, crowd: Crowd, *, split: float | None = None) -> None:
        self._crowd, self._split = crowd, split
        # Two, so that the arrivals are the same whoever decides where they go.
        self._draws, self._chances = random.Random(crowd.seed), random.Random(crowd.seed)
        self._edge, self._at_edge = EdgeQueue(), dict[int, _Request]()
        self._work = (EdgeWork(key="work", profiled=crowd.remote),)
        self._candidates = _candidates(crowd)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.herd = Herd(by_second=[0] * int(crowd.seconds))
        for _ in range(crowd.devices):
            follower = LinkFollower(bandwidth=crowd.bandwidth, round_trip=crowd.round_trip)
            self._await(_Board(follower=follower))

    def run(self) -> Herd:
        """All of it."""
        while self._events:
            self._now, _, act = heapq.heappop(self._events)
            act()
        return self.herd

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._numbers), act))

    def _await(self, board: _Board) -> None:
        """Has a device's next request come."""
        seconds = self._draws.expovariate(self._crowd.rate)
        if self._now + seconds < self._crowd.seconds:
            self._after(seconds, lambda: self._asked(board))

    def _asked(self, board: _Board) -> None:
        self._await(board)
        self.herd.requests += 1
        request = _Request(board=board, due=self._now + self._crowd.deadline)
        if self._goes(board):
            self.herd.sent += 1
            self.herd.by_second[int(self._now)] += 1
            self._after(self._crowd.up, lambda: self._come(request))
        else:
            self._alone(request)

    def _goes(self, board: _Board) -> bool:
        """Whether a request goes to the edge."""
        if self._split is not None:
            return self._chances.random() < self._split
        # With the margin that devices keep: by the load alone each would still come for the last place before its
        # deadline, which somebody else has taken by the time that it is there.
        latency, deadline = board.conditions(self._now).latency(self._candidates), self._crowd.deadline
        return choose(self._candidates, latency, deadline, TOLERANCE, usual_margin(deadline)) == _ON_EDGE

    # At the edge.

    def _come(self, request: _Request) -> None:
        number = next(self._numbers)
        self._at_edge[number] = request
        budget = Seconds(request.due - self._now - self._crowd.round_trip / 2)
        self._decided(self._edge.arrive(number, Seconds(self._now), budget=budget, choices=self._work))

    def _decided(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Start):
                self._after(self._crowd.remote, partial(self._computed, decision.request))
            else:
                load = decision.wait if isinstance(decision, Reject) else None
                failed = partial(self._failed, self._at_edge.pop(decision.request), load)
                self._after(self._crowd.round_trip / 2, failed)

    def _computed(self, number: int) -> None:
        request = self._at_edge.pop(number)
        self._decided(self._edge.done(number, Seconds(self._now)))
        load = self._edge.predicted_wait(Seconds(self._now))
        self._after(self._crowd.round_trip / 2, lambda: self._answered(request, load))

    # Back at the device.

    def _answered(self, request: _Request, load: Seconds) -> None:
        request.board.follower.observe(_reply(self._crowd, load, self._now))
        self.herd.in_time += self._now <= request.due

    def _failed(self, request: _Request, load: Seconds | None) -> None:
        """A refusal says how long the queue is; who is dropped from it is told nothing."""
        if load is not None:
            self.herd.refused += 1
            request.board.follower.refused(load, Seconds(self._now))
        self._alone(request)

    def _alone(self, request: _Request) -> None:
        """On the device itself, in its turn; what cannot be in time any more is not begun, and holds up nobody."""
        schedule = request.board.schedule
        begin = partial(self._after, 0.0, lambda: self._begin(request))
        request.turn = schedule.reserve(self._now, [self._crowd.local], request.due, begin)
        if request.turn is not None:
            self._begin(request)

    def _begin(self, request: _Request) -> None:
        """Where its turn has come; else it is called again."""
        turn, schedule = request.turn, request.board.schedule
        if turn is None:
            return
        seconds = schedule.begin(turn, self._now, [self._crowd.local], 0.0)
        if seconds is not None:
            request.turn = None
            self._after(seconds, lambda: self._ended(request, turn))

    def _ended(self, request: _Request, turn: Turn) -> None:
        self.herd.in_time += self._now <= request.due + _ROUNDING
        request.board.schedule.drop(turn)


def best_split(crowd: Crowd) -> tuple[float, Herd]:
    """The fixed split with the highest share in time, in hindsight: in steps of a tenth, then of a twentieth."""
    runs = {percent: _fixed(crowd, percent) for percent in range(0, 101, 10)}
    near = _best(runs)
    runs |= {percent: _fixed(crowd, percent) for percent in (near - 5, near + 5) if 0 <= percent <= 100}
    best = _best(runs)
    return best / 100, runs[best]


def _fixed(crowd: Crowd, percent: int) -> Herd:
    return Simulation(crowd, split=percent / 100).run()


def _best(runs: Mapping[int, Herd]) -> int:
    return max(runs, key=lambda percent: runs[percent].share)


def _candidates(crowd: Crowd) -> Candidates:
    """The whole network on the device, or on the edge."""
    here, there = np.array([crowd.local, 0.0]), np.array([0.0, crowd.remote])
    nothing, accuracy = np.zeros(2), np.array([crowd.accuracy, 1.0])
    return Candidates(
        codecs=(RAW,),
        exit=np.zeros(2, int),
        layers=np.ones(2, int),
        upload_cut=np.array([1, 0]),
        download_cut=np.ones(2, int),
        codec=np.zeros(2, int),
        download_codec=np.zeros(2, int),
        accuracy=accuracy,
        counts_as=accuracy,
        prepare=nothing,
        head=here,
        encode=nothing,
        middle=there,
        suffix=nothing,
        bytes_up=np.array([0.0, crowd.message]),
        bytes_down=nothing,
        messages=np.array([0, 2]),
        gate=np.full(2, -1),
    )


def _reply(crowd: Crowd, load: float, at: float) -> TimedReply:
    """An answer as a device times it, on a link that does what is known of it."""
    return TimedReply(
        body=b"",
        bytes_up=crowd.message,
        began_at=Seconds(at - crowd.up - crowd.round_trip / 2),
        uplink=crowd.up + crowd.round_trip / 2,
        queue=0.0,
        middle=0.0,
        downlink=0.0,
        on_link=crowd.up + crowd.round_trip / 2,
        body_at=Seconds(at),
        behind_headers=0,
        load=load,
    )
