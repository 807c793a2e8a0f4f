"""Many cameras, one link, one edge core, in virtual time: what becomes of every picture.

Nothing here is a copy of the product: the edge is its `EdgeQueue` with its admission, what a camera believes of link
and edge is its `LinkFollower`, and its planner chooses. Link and machines are made up of what was measured.

The link carries one message after the other, in the order of sending. A message that nobody waits for any more is not
begun, or broken off: a caller gives it up at its deadline. A camera computes one thing at a time.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edgent.device.connection.link_follower import LinkFollower
from edgent.device.drift import Factors
from edgent.edge.queue import Decision, EdgeQueue, EdgeWork, Reject, Start
from edgent.lab.cameras.parameters import DEVICE_JITTER, EDGE_JITTER, Traffic
from edgent.lab.cameras.plans import CameraMethod, CameraPlan, asks, candidates_of
from edgent.link.trace import Trace
from edgent.planning.candidates import Candidates
from edgent.planning.planner import best_row, usual_margin
from edgent.units import BITS_PER_BYTE, Seconds
from edgent.wire.edge_client import TimedReply

_PROBE_BYTES = 16_000
_SHAKE = 0.1  # of a period, by which a picture may come early or late: no two cameras keep step
_WIRE = 1.046  # bytes on the wire for each that is sent: headers
_ROUNDING = 1e-9

Choice = Callable[[int, int, float], CameraPlan]
"""Chooses a plan for a camera's picture at a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """What is simulated.

    Attributes:
        cameras: how many.
        traffic: what they do.
        link: the uplink that they share; the way down has no more than answers to carry.
        pictures: how many there are; each is seen as often as any other, but for one.
        seed: of arrivals, of which picture comes when, and of jitter.
    """

    cameras: int
    traffic: Traffic
    link: Trace
    pictures: int
    seed: int


@dataclass(slots=True)
class StreetOutcome:
    """What became of all pictures.

    Attributes:
        picture: of each request.
        right: whether it was answered rightly and in time.
        asked: how many were sent to the edge.
        refused: by the edge, or dropped there.
        nbytes: that were sent.
        edge_seconds: that the edge core was busy.
        seconds: of virtual time.
    """

    picture: NDArray[np.intp]
    right: NDArray[np.bool_]
    asked: int = 0
    refused: int = 0
    nbytes: float = 0.0
    edge_seconds: float = 0.0
    seconds: float = 0.0

    def by_picture(self, pictures: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """How often each picture was answered rightly and in time, and how often it came; shape (pictures,) each."""
        came = np.bincount(self.picture, minlength=pictures)
        return np.bincount(self.picture[self.right], minlength=pictures), came


@dataclass(slots=True, kw_only=True, eq=False)
class _Camera:
    follower: LinkFollower
    candidates: Candidates
    free_at: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Picture:
    """One request: its plan, and when which answer was there."""

    number: int
    camera: int
    picture: int
    due: float
    plan: CameraPlan
    own_at: float = math.inf
    edge_at: float = math.inf
    sent_at: float = math.inf
    uplink: float = math.inf

    @property
    def right(self) -> bool:
        """The edge's answer counts where it came in time, else the device's."""
        if self.edge_at <= self.due + _ROUNDING:
            return bool(self.plan.edge_right[self.picture])
        return self.own_at <= self.due + _ROUNDING and bool(self.plan.own_right[self.picture])


@dataclass(slots=True)
class SharedLink:
    """One message after the other, in the order of sending."""

    trace: Trace
    free_at: float = field(default=0.0)

    def send(self, at: float, nbytes: float, due: float) -> float:
        """When a message has arrived; infinite where it is given up before."""
        begins = max(at, self.free_at)
        if begins >= due:
            return math.inf
        arrives = self.trace.arrival(begins, nbytes * _WIRE * BITS_PER_BYTE)
        self.free_at = min(arrives, due)
        return arrives if arrives < due else math.inf


class StreetRun:
    """One method on one street.

    Args:
        street: what is simulated.
        method: of all cameras.
        choice: who chooses instead of the product's planner; None: that does.
    """

    def __init__(self, street: Street, method: CameraMethod, choice: Choice | None = None) -> None:
        self._street, self._method, self._choice = street, method, choice or self._planned
        # Arrivals apart from jitter, so that they are the same whatever a method does.
        self._jitter = random.Random(street.seed)
        self._edge, self._at_edge = EdgeQueue(), dict[int, _Picture]()
        self._link = SharedLink(street.link)
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        tables = [candidates_of(plans) for plans in method.plans]
        self._cameras = [_camera(street, tables[number % len(tables)]) for number in range(street.cameras)]

    def run(self) -> StreetOutcome:
        """All of it."""
        at, camera, picture = arrivals(self._street)
        self.seen = StreetOutcome(picture=picture, right=np.zeros(len(at), dtype=np.bool_), seconds=float(at[-1]))
        for number in range(len(at)):
            self._at(float(at[number]), partial(self._comes, number, int(camera[number]), int(picture[number])))
        while self._events:
            self._now, _, act = heapq.heappop(self._events)
            act()
        return self.seen

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), act))

    # On the camera.

    def _comes(self, number: int, camera: int, picture: int) -> None:
        plan, due = self._choice(camera, picture, self._now), self._now + self._street.traffic.deadline
        request = _Picture(number=number, camera=camera, picture=picture, due=due, plan=plan)
        self._at(due + _ROUNDING, lambda: self._over(request))
        if plan.own == "first":
            self._computes(request, plan.ahead + plan.answer, partial(self._answered_itself, request))
        else:
            self._computes(request, plan.ahead + plan.encode, partial(self._sends, request))

    def _planned(self, camera: int, _picture: int, now: float) -> CameraPlan:
        board, deadline = self._cameras[camera], self._street.traffic.deadline
        backlog = Seconds(max(0.0, board.free_at - now))
        believed = board.follower.conditions(Seconds(now), factors=Factors(backlog=backlog))
        assert believed is not None, "the link was probed"
        row, _ = best_row(board.candidates, believed, deadline, margin=usual_margin(deadline))
        return self._method.of(camera)[row]

    def _computes(self, request: _Picture, seconds: float, then: Callable[[], None]) -> None:
        """In its turn; what could not be in time any more is not begun."""
        board = self._cameras[request.camera]
        begins = max(self._now, board.free_at)
        if begins >= request.due:
            return
        board.free_at = begins + seconds * self._jitter.lognormvariate(0.0, DEVICE_JITTER)
        self._at(board.free_at, then)

    def _answered_itself(self, request: _Picture) -> None:
        request.own_at, plan = self._now, request.plan
        if asks(plan, request.picture):
            self._computes(request, plan.encode, partial(self._sends, request))

    def _sends(self, request: _Picture) -> None:
        plan, nbytes = request.plan, float(request.plan.nbytes[request.picture])
        request.sent_at = self._now
        self.seen.asked += 1
        self.seen.nbytes += nbytes
        arrives = self._link.send(self._now, nbytes, request.due) + self._way
        if arrives < request.due:
            request.uplink = arrives - self._now + self._way
            self._at(arrives, partial(self._arrives, request))
        if plan.own == "beside":
            self._computes(request, plan.answer, partial(self._done_itself, request))

    def _done_itself(self, request: _Picture) -> None:
        request.own_at = self._now

    @property
    def _way(self) -> float:
        return self._street.traffic.round_trip / 2

    # At the edge.

    def _arrives(self, request: _Picture) -> None:
        number = next(self._order)
        self._at_edge[number] = request
        work = (EdgeWork(key=(request.plan.codec, request.plan.edge), profiled=request.plan.edge),)
        budget = Seconds(request.due - self._now - self._way)
        self._decided(self._edge.arrive(number, Seconds(self._now), budget=budget, choices=work))

    def _decided(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Start):
                request = self._at_edge[decision.request]
                seconds = request.plan.edge * self._jitter.lognormvariate(0.0, EDGE_JITTER)
                self.seen.edge_seconds += seconds
                self._at(self._now + seconds, partial(self._computed, decision.request))
            else:
                wait = decision.wait if isinstance(decision, Reject) else None
                request = self._at_edge.pop(decision.request)
                self._at(self._now + self._way, partial(self._refused, request, wait))

    def _computed(self, number: int) -> None:
        request = self._at_edge.pop(number)
        self._decided(self._edge.done(number, Seconds(self._now)))
        load = self._edge.predicted_wait(Seconds(self._now))
        self._at(self._now + self._way, partial(self._answered, request, load))

    # Back on the camera.

    def _answered(self, request: _Picture, load: float) -> None:
        request.edge_at = self._now
        self._cameras[request.camera].follower.observe(_reply(request, self._now, load))

    def _refused(self, request: _Picture, wait: float | None) -> None:
        """A refusal says how long the queue is; who is dropped from it is told nothing."""
        self.seen.refused += 1
        if wait is not None:
            self._cameras[request.camera].follower.refused(wait, Seconds(self._now))
        if request.plan.own == "refused":
            self._computes(request, request.plan.answer, partial(self._done_itself, request))

    def _over(self, request: _Picture) -> None:
        self.seen.right[request.number] = request.right
        if request.edge_at == math.inf and math.isfinite(request.sent_at) and not math.isfinite(request.uplink):
            nbytes = int(request.plan.nbytes[request.picture])
            self._cameras[request.camera].follower.observe_late(nbytes, self._now - request.sent_at, Seconds(self._now))


def _camera(street: Street, candidates: Candidates) -> _Camera:
    return _Camera(follower=_follower(street, candidates), candidates=candidates)


def arrivals(street: Street) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """When each request comes, of which camera it is, and which picture it brings; the earliest first.

    They depend on nothing but the street: all methods see the same pictures at the same moments.
    """
    rng, traffic = np.random.default_rng(street.seed), street.traffic
    frames = math.ceil(traffic.seconds * traffic.rate)
    steps = np.arange(frames)[:, None] + rng.random(street.cameras)
    at = (steps + _SHAKE * rng.uniform(-1, 1, steps.shape)) / traffic.rate
    camera = np.broadcast_to(np.arange(street.cameras), at.shape)
    laps = math.ceil(at.size / street.pictures)
    picture = np.concatenate([rng.permutation(street.pictures) for _ in range(laps)])[: at.size]
    order = np.argsort(at, axis=None)
    return np.maximum(at.ravel()[order], 0.0), camera.ravel()[order], picture


def _follower(street: Street, candidates: Candidates) -> LinkFollower:
    """What a camera knows that has just connected: it has probed the link, alone."""
    gates, trip = candidates.gates, street.traffic.round_trip
    follower = LinkFollower(gives_way=gates is not None and gates.has_steps)
    seconds = _PROBE_BYTES * _WIRE * BITS_PER_BYTE / max(street.link.at(0.0), 1e5)
    small, up = (_exchange(nbytes, trip + on_link, 0.0) for nbytes, on_link in ((0, 0.0), (_PROBE_BYTES, seconds)))
    follower.observe_probes(small, up, _exchange(0, trip + seconds, 0.0, bytes(_PROBE_BYTES)))
    return follower


def _reply(request: _Picture, at: float, load: float) -> TimedReply:
    nbytes = int(request.plan.nbytes[request.picture])
    return _exchange(nbytes, request.uplink, at, began_at=request.sent_at, load=load)


def _exchange(
    nbytes: int, uplink: float, at: float, body: bytes = b"", began_at: float = 0.0, load: float = 0.0
) -> TimedReply:
    """An exchange as a device times it."""
    return TimedReply(
        body=body,
        bytes_up=nbytes,
        began_at=Seconds(began_at),
        uplink=uplink if not body else 0.0,
        queue=0.0,
        middle=0.0,
        downlink=uplink if body else 0.0,
        on_link=uplink,
        body_at=Seconds(at),
        behind_headers=len(body),
        load=load,
    )
