"""After any trouble the edge is used again within two seconds of the link's being well, whatever the requests' rhythm.

Device, edge and link run in virtual time; the link's trouble is played by setting it anew.
"""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from edgent.edge.edge import Edge
from edgent.lab.boards.emulation import Emulated
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from shared_fixtures import make_profile

WELL = {"bandwidth": 1e7, "round_trip": 0.01}
DEADLINE, LAYER = 0.1, 0.0067  # seconds: within the deadline the device has its first exit, and no other
BEFORE, DURING, AFTER, WITHIN = 12.0, 6.0, 6.0, 2.0
ARRIVALS = {
    "every 0.1 s": lambda _: 0.1,
    "every 2 s": lambda _: 2.0,
    "by chance": lambda random: random.expovariate(1.0),
}
EVERYTHING = (m.PROBE, m.MODEL_INFER, m.PREPARE, m.SERVER_METADATA, m.DESCRIBE)


class Slowed:
    """The edge's pace, which can be slowed."""

    def __init__(self, clock):
        self._pace, self.factor = Emulated("edge", clock=clock), 1.0

    def hold(self, started_at, seconds):
        self._pace.hold(started_at, seconds * self.factor)


class Ends:
    """A device and its edge, and the link between them."""

    def __init__(self, made, model, fast, clock, **settings):
        self.clock, self.pace = clock, Slowed(clock)
        slow = make_profile(model, layer=LAYER)
        methods = Edge(model, profiles=[fast], engine=FakeEngine(), pace=self.pace, clock=clock).service.methods()
        self.link = FakeLink(methods, clock=clock, **WELL)
        pace = Emulated("device", clock=clock)
        self.device = made(
            channel=self.link,
            deadline=DEADLINE,
            engine=FakeEngine(),
            device_profile=slow,
            host_profile=slow,
            pace=pace,
            codecs=["float32"],
            **settings,
        )

    def set(self, **changes):
        for name, value in changes.items():
            setattr(self.link, name, value)

    def run(self, picture, gap, seconds):
        """Requests for so long: when each came after the beginning, and whether the edge answered it in time."""
        began_at, seen = self.clock.now(), []
        while self.clock.now() - began_at < seconds:
            at = self.clock.now()
            record = self.device.infer(picture).record
            seen.append((at - began_at, record.by == "edge" and record.deadline_met))
            self.clock.sleep(max(0.0, at + gap() - self.clock.now()))
        return seen


SPELLS = {
    "150 ms of delay": (lambda e: e.set(round_trip=0.16), lambda e: e.set(**WELL)),
    "300 ms of delay": (lambda e: e.set(round_trip=0.31), lambda e: e.set(**WELL)),
    "a hundredth of the rate": (lambda e: e.set(bandwidth=1e5), lambda e: e.set(**WELL)),
    "a trickle": (lambda e: e.set(bandwidth=1e3), lambda e: e.set(**WELL)),
    "nothing": (lambda e: e.link.hold(*EVERYTHING), lambda e: e.link.release()),
    "nobody": (lambda e: e.link.cut(), lambda e: e.link.mend()),
    "a slow edge": (lambda e: setattr(e.pace, "factor", 300.0), lambda e: setattr(e.pace, "factor", 1.0)),
}


@pytest.mark.parametrize("race", [True, False])
@pytest.mark.parametrize("environment", ["static", "dynamic"])
@pytest.mark.parametrize("arrivals", ARRIVALS)
@pytest.mark.parametrize("spell", SPELLS)
def test_the_edge_is_used_again_two_seconds_after_trouble(
    made, model, fast, clock, picture, spell, arrivals, environment, race
):
    begin, end = SPELLS[spell]
    ends, gap = (
        Ends(made, model, fast, clock, environment=environment, race=race),
        partial(ARRIVALS[arrivals], Random(7)),
    )
    assert ends.device.wait_ready(20.0)
    assert ends.run(picture, gap, BEFORE)[-1][1]
    begin(ends)
    during = ends.run(picture, gap, DURING)
    assert not all(used for _, used in during)
    end(ends)
    after = ends.run(picture, gap, AFTER)
    assert [used for at, used in after if at > WITHIN] == [True] * sum(at > WITHIN for at, _ in after)
