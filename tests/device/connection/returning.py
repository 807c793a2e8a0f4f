"""A device, its edge and the link between them in virtual time, and spells of trouble that begin and end by themselves.

Other than `FakeLink` by itself the link has headers, goes on at its new rate when that changes, loses packets (which
TCP sends again after a fifth of a second or two), and every message is late by chance, beside a full machine by much.
What it holds back it may swallow, as TCP does that sends again ever more seldom, until the connection is made anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from edgent.edge.edge import Edge
from edgent.errors import EdgeError
from edgent.lab.boards.emulation import Emulated
from edgent.link.transfer import CALL_BYTES, HEADER_FACTOR
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from edgent.wire.errors import LateError
from shared_fixtures import make_profile

RATE, ROUND_TRIP = 1e7, 0.01
WELL = {"bandwidth": RATE, "round_trip": ROUND_TRIP, "lost": 0.0}
EVERYTHING = (m.PROBE, m.MODEL_INFER, m.PREPARE, m.SERVER_METADATA, m.DESCRIBE)
PROBES = (m.PROBE, m.PREPARE, m.SERVER_METADATA, m.DESCRIBE)
LAYER = (
    0.0067  # seconds: within the deadline the device has its first exit, with a twelfth of it to spare, and no other
)
WINDOW = 10.0


class UnevenLink(FakeLink):
    """See the module."""

    def __init__(self, methods, *, clock, seed: int) -> None:
        super().__init__(methods, clock=clock, bandwidth=RATE, round_trip=ROUND_TRIP)
        self.lost, self._random = 0.0, Random(seed)
        self.full = 0.0  # the share of messages for which a thread wakes some hundredths of a second late
        self.swallows, self._connection = False, 0
        self.probes: list[tuple[float, float, float]] = []  # when, and bytes on the wire up and down
        self.asked_at = -math.inf

    def set(self, **changes: float) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._changed.notify_all()

    def call(self, method, message, timeout):
        at, down = self._clock.now(), 0.0
        if method == m.MODEL_INFER:
            self.asked_at = at
        try:
            reply = super().call(method, message, timeout)
            down = (len(reply.body) + CALL_BYTES) * HEADER_FACTOR
            return reply
        finally:
            if method in PROBES:
                self.probes.append((at, (len(message) + CALL_BYTES) * HEADER_FACTOR, down))

    def renew(self):
        with self._changed:
            self._connection += 1
            self._changed.notify_all()

    def _takes(self, message):
        late = min(self._random.expovariate(1000.0), 0.005)
        if self._random.random() < self.full:
            late += self._random.uniform(0.02, 0.04)
        while self._random.random() < self.lost:
            late += 0.2 * (1 + self._random.random())
        return (len(message) + CALL_BYTES) * HEADER_FACTOR * 8 / self.bandwidth + late

    def _cross(self, method, seconds, call):
        with self._changed:
            if self.swallows and method in self._held:
                connection = self._connection
                self._changed.wait_for(lambda: self._connection != connection or not self._there, call.left)
                raise LateError("swallowed") if call.left <= 0 else EdgeError("the connection is another one")
            self._changed.wait_for(lambda: not (self._there and method in self._held), call.left)
            while True:
                rate, at = self.bandwidth, self._clock.now()
                self._changed.wait_for(
                    lambda rate=rate: not self._there or self.bandwidth != rate, max(0.0, min(seconds, call.left))
                )
                seconds -= self._clock.now() - at
                if not self._there:
                    raise EdgeError("the link is cut")
                if method in self._held or (seconds > 1e-9 and call.left <= 1e-9):
                    raise LateError(f"no answer within {call.timeout} s")
                if seconds <= 1e-9:
                    return
                seconds *= rate / self.bandwidth


class Slowed:
    """The edge's pace, which can be slowed: always, or only for a while after it was asked for something."""

    def __init__(self, clock, link: Callable[[], UnevenLink]) -> None:
        self._pace, self._clock, self._link = Emulated("edge", clock=clock), clock, link
        self.factor, self.by_own_load = 1.0, False

    def hold(self, started_at, seconds):
        busy = not self.by_own_load or self._clock.now() - self._link().asked_at < 1.0
        self._pace.hold(started_at, seconds * (self.factor if busy else 1.0))


@dataclass(frozen=True)
class Setup:
    """How the link is followed, whether the device races the edge, when requests come, and seconds of its layers."""

    environment: str
    race: bool
    period: float
    by_chance: bool = False
    layer: float = LAYER

    def gaps(self, seed: int) -> Iterator[float]:
        random = Random(seed)
        while True:
            yield random.expovariate(1 / self.period) if self.by_chance else self.period


class Ends:
    """See the module; `made` makes the device."""

    def __init__(self, made, model, fast, clock, setup: Setup, seed: int) -> None:
        self.clock, slow = clock, make_profile(model, layer=setup.layer)
        self.pace = Slowed(clock, lambda: self.link)
        edge = Edge(model, profiles=[fast], engine=FakeEngine(), pace=self.pace, clock=clock)
        self.link = UnevenLink(edge.service.methods(), clock=clock, seed=seed)
        self.device = made(
            channel=self.link,
            engine=FakeEngine(),
            codecs=["float32"],
            device_profile=slow,
            host_profile=slow,
            pace=Emulated("device", clock=clock),
            environment=setup.environment,
            race=setup.race,
            deadline=LAYER * len(model.branches[0].layers) * 92 / 85,
        )
        assert self.device.wait_ready(20.0)
        self.link.probes.clear()  # a link that nothing is known of is measured once
        self._gaps, self._due = setup.gaps(seed), clock.now()
        self.seen: list[tuple[float, bool]] = []
        self.carries = [(clock.now(), 1.0)]

    def run(self, picture, until: float) -> None:
        """Requests until then: when each came, and whether the edge answered it in time."""
        while self._due < until:
            self.clock.sleep(max(0.0, self._due - self.clock.now()))
            at, gap = self.clock.now(), next(self._gaps)
            record = self.device.infer(picture).record
            self.seen.append((at, record.by == "edge" and record.deadline_met))
            self._due = max(self._due + gap, self.clock.now() - gap)
        self.clock.sleep(max(0.0, until - self.clock.now()))

    def last_without(self, since: float) -> float:
        """Seconds until the last request came that went without the edge, before the first one that used it."""
        used_at = next((at for at, used in self.seen if at >= since and used), math.inf)
        return max((at for at, _ in self.seen if since <= at < used_at), default=since) - since

    def probing(self) -> float:
        """The largest share of what the link carried over any ten seconds, up or down, outages left out."""
        whole = [at for at, *_ in self.link.probes if all(share > 0 for _, share in self._pieces(at))]
        return max((self._share(begin) for begin in whole), default=0.0)

    def _share(self, begin: float) -> float:
        carried = sum(seconds * share for seconds, share in self._pieces(begin)) * RATE / 8
        within = [probe for probe in self.link.probes if begin <= probe[0] < begin + WINDOW]
        return max(sum(up for _, up, _ in within), sum(down for _, _, down in within)) / carried

    def _pieces(self, begin: float) -> list[tuple[float, float]]:
        """Seconds of each piece of a window, and the share of the rate that the link carries in it."""
        ends = [at for at, _ in self.carries[1:]] + [math.inf]
        spans = [
            (max(0.0, min(end, begin + WINDOW) - max(at, begin)), share)
            for (at, share), end in zip(self.carries, ends, strict=True)
        ]
        return [(seconds, share) for seconds, share in spans if seconds > 0]
