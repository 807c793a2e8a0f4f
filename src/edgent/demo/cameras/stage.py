"""The show: more and more cameras until a core is full, then the link is unplugged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgent.demo.cameras.setting import StreetOptions
from edgent.lab.cameras.live_street import LiveStreet, Meter, Watcher
from edgent.lab.cameras.parameters import Traffic
from edgent.lab.cameras.plans import LIVE, OURS
from edgent.lab.cameras.street import Street
from edgent.link.generator import generated
from edgent.link.trace import Trace

FULL = 0.9
"""Of a core's time: with more it is full."""

CARRIER, EDGE = "the core that carries the cameras is full", "the edge core is full"

_LINK_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A method while the link was unplugged for sure: from when the cut was made to when it began to be undone."""

    meter: Meter
    cut_at: float
    restored_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """All that was seen.

    Attributes:
        meters: of each method with each number of cameras.
        outages: of each method.
        streets: that were shown, by the number of cameras.
        ended: why no more cameras came.
    """

    meters: tuple[Meter, ...]
    outages: tuple[Outage, ...]
    streets: tuple[Street, ...]
    ended: str

    @property
    def full_with(self) -> dict[str, int]:
        """The fewest cameras with which the edge core was full, of each method with which it was."""
        fewest: dict[str, int] = {}
        for meter in self.meters:
            if meter.edge >= FULL:
                fewest.setdefault(meter.method, meter.cameras)
        return fewest


def play(options: StreetOptions, live: LiveStreet, pictures: int, watcher: Watcher) -> Show:
    """Shows it.

    Args:
        options: of the demo.
        live: the processes.
        pictures: how many there are.
        watcher: shown every meter, as it fills.
    """
    link = generated(options.seed, seconds=_LINK_SECONDS, mean=options.bandwidth)
    meters: list[Meter] = []
    streets: list[Street] = []
    ended = ""
    for cameras in options.steps:
        live.grow(cameras)
        street = _street(options, cameras, link, pictures, options.seconds)
        now = [live.watch(method, street, watcher)[0] for method in LIVE]
        ended = full(now)
        # Where the boards' pace is not kept, what was seen is a measure of this machine: it counts for nothing, unless
        # there is nothing else.
        if ended == CARRIER and streets:
            ended = f"with {cameras}, {CARRIER}, and so that street is left out"
            break
        meters, streets = [*meters, *now], [*streets, street]
        if ended:
            break
    # With few cameras, so that nothing but the link is what fails.
    few = _street(options, options.steps[0], link, pictures, sum(options.outage))
    outages = tuple(_unplugged(options, live, method, few, watcher) for method in LIVE)
    return Show(meters=tuple(meters), outages=outages, streets=tuple(streets), ended=ended or "so many were asked for")


def full(meters: Sequence[Meter]) -> str:
    """Which core is full, in words; empty where none is."""
    # The cameras' own core first: where it is full, what was measured of the edge is no measure of it any more.
    if any(meter.carrier >= FULL for meter in meters):
        return CARRIER
    ours = next(meter for meter in meters if meter.method == OURS)
    return EDGE if ours.edge >= FULL else ""


def traffic_of(options: StreetOptions, seconds: float) -> Traffic:
    """What the cameras do for so long."""
    return Traffic(rate=options.rate, deadline=options.deadline, round_trip=options.round_trip, seconds=seconds)


def _street(options: StreetOptions, cameras: int, link: Trace, pictures: int, seconds: float) -> Street:
    traffic = traffic_of(options, seconds)
    return Street(cameras=cameras, traffic=traffic, link=link, pictures=pictures, seed=options.seed)


def _unplugged(options: StreetOptions, live: LiveStreet, method: str, street: Street, watcher: Watcher) -> Outage:
    before, out, _ = options.outage
    events = ((before, live.link.cut), (before + out, live.link.restore))
    meter, ((_, cut_at), (restored_at, _)) = live.watch(method, street, watcher, events)
    return Outage(meter=meter, cut_at=cut_at, restored_at=restored_at)
