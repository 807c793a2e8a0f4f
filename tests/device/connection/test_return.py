"""After any trouble the edge is used again within two seconds of the link's being well, whatever the requests' rhythm.

Device, edge and link run in virtual time; the trouble is played by setting the link, or the edge's pace, anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest

from edgent.edge.edge import Edge
from edgent.lab.boards.emulation import Emulated
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from shared_fixtures import make_profile

WELL = {"bandwidth": 1e7, "round_trip": 0.01}
DEADLINE = 0.1
LAYER = 0.0067  # seconds: within the deadline the device has its first exit, and no other
ALONE_LATE = 0.07  # seconds: by this deadline it has none
BEFORE, DURING, AFTER, WITHIN = 12.0, 6.0, 6.0, 2.0
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
        self.clock, self.pace, slow = clock, Slowed(clock), make_profile(model, layer=LAYER)
        methods = Edge(model, profiles=[fast], engine=FakeEngine(), pace=self.pace, clock=clock).service.methods()
        self.link = FakeLink(methods, clock=clock, **WELL)
        machine = {"device_profile": slow, "host_profile": slow, "pace": Emulated("device", clock=clock)}
        self.device = made(channel=self.link, engine=FakeEngine(), codecs=["float32"], **machine, **settings)

    def set(self, **changes):
        for name, value in changes.items():
            setattr(self.link, name, value)

    def run(self, picture, gap, seconds):
        """Requests for so long: when each came after the beginning, and whether the edge answered it in time."""
        began_at, seen = self.clock.now(), []
        while (at := self.clock.now()) - began_at < seconds:
            record = self.device.infer(picture).record
            seen.append((at - began_at, record.by == "edge" and record.deadline_met))
            self.clock.sleep(max(0.0, at + gap() - self.clock.now()))
        return seen


@dataclass(frozen=True)
class Setup:
    """When requests come, how the link is followed, and whether the device races the edge."""

    gap: Callable[[Random], float]
    environment: str = "static"
    race: bool = True
    deadline: float = DEADLINE


def often(_):
    return 0.1


def seldom(_):
    return 2.0


def by_chance(random):
    return random.expovariate(1.0)


# Without a race the edge's answer must be worth more than a sure one of the device's own, or the device has none.
SETUPS = {
    f"{environment}, {whether}, {gap.__name__}": Setup(gap=gap, environment=environment, race=race, deadline=deadline)
    for environment in ("static", "dynamic")
    for whether, race, deadline in (
        ("race", True, DEADLINE),
        ("no race", False, DEADLINE),
        ("no race and no answer of its own", False, ALONE_LATE),
    )
    for gap in (often, seldom, by_chance)
}
SPELLS = {
    "150 ms of delay": (lambda e: e.set(round_trip=0.16), lambda e: e.set(**WELL)),
    "300 ms of delay": (lambda e: e.set(round_trip=0.31), lambda e: e.set(**WELL)),
    "a hundredth of the rate": (lambda e: e.set(bandwidth=1e5), lambda e: e.set(**WELL)),
    "a trickle": (lambda e: e.set(bandwidth=1e3), lambda e: e.set(**WELL)),
    "nothing": (lambda e: e.link.hold(*EVERYTHING), lambda e: e.link.release()),
    "nobody": (lambda e: e.link.cut(), lambda e: e.link.mend()),
    "a slow edge": (lambda e: setattr(e.pace, "factor", 300.0), lambda e: setattr(e.pace, "factor", 1.0)),
}


@pytest.fixture
def ends(made, model, fast, clock):
    """A device as a setup has it, connected."""

    def started(setup):
        told = {"environment": setup.environment, "race": setup.race, "deadline": setup.deadline}
        both = Ends(made, model, fast, clock, **told)
        assert both.device.wait_ready(20.0)
        return both

    return started


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("spell", SPELLS)
def test_the_edge_is_used_again_two_seconds_after_trouble(ends, picture, spell, setup):
    begin, end = SPELLS[spell]
    both, gap = ends(SETUPS[setup]), partial(SETUPS[setup].gap, Random(7))
    assert both.run(picture, gap, BEFORE)[-1][1]
    begin(both)
    assert not all(used for _, used in both.run(picture, gap, DURING))
    end(both)
    after = both.run(picture, gap, AFTER)
    assert [used for at, used in after if at > WITHIN] == [True] * sum(at > WITHIN for at, _ in after)


@pytest.mark.parametrize("changes", [{"round_trip": 0.31}, {"bandwidth": 3e5}, {"bandwidth": 1e6, "round_trip": 0.31}])
def test_seeking_the_edge_takes_a_fiftieth_of_the_link_at_the_most(ends, picture, changes):
    """The oracle is arithmetic: the bytes that were sent as probes, over those that the link carries in the time."""
    both, carries = ends(Setup(gap=often)), changes.get("bandwidth", WELL["bandwidth"])
    both.run(picture, lambda: 0.1, BEFORE)
    both.set(**changes)
    both.run(picture, lambda: 0.1, DURING)
    sent, plain = [], both.link.call

    def call(method, message, timeout):
        if method == m.PROBE:
            sent.append(len(message))
        return plain(method, message, timeout)

    both.link.call = call
    both.run(picture, lambda: 0.1, 10.0)
    assert sent
    assert sum(sent) * 8 <= 0.02 * carries * 10.0


def test_a_slow_edge_is_not_taken_for_a_slow_link(ends, picture):
    both = ends(Setup(gap=often))
    both.run(picture, lambda: 0.1, BEFORE)
    believed = both.device.conditions.uplink.bandwidth
    SPELLS["a slow edge"][0](both)
    both.run(picture, lambda: 0.1, DURING)
    assert both.device.conditions.edge_factor > 50
    assert both.device.conditions.uplink.bandwidth > believed / 2
    assert both.device.conditions.uplink.round_trip == pytest.approx(0.01, abs=0.005)


def test_a_delayed_link_is_not_taken_for_a_slow_one(ends, picture):
    both = ends(Setup(gap=often))
    both.run(picture, lambda: 0.1, BEFORE)
    believed = both.device.conditions.uplink.bandwidth
    SPELLS["300 ms of delay"][0](both)
    both.run(picture, lambda: 0.1, DURING)
    assert both.device.conditions.uplink.round_trip == pytest.approx(0.31, abs=0.02)
    assert both.device.conditions.uplink.bandwidth > believed / 2


def test_what_the_edge_could_not_ready_for_the_links_sake_is_readied_when_it_is_wanted_again(ends, picture, clock):
    both = ends(Setup(gap=often))
    both.link.hold(m.PREPARE)
    both.link.cut()
    clock.sleep(1.0)
    both.link.mend()
    both.run(picture, lambda: 0.1, 12.0)  # longer than what is to be readied is waited for
    both.link.release()
    assert both.run(picture, lambda: 0.1, 3.0)[-1][1]
