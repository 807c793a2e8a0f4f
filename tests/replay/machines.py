"""A small network, made up, on a slow device and a fast edge."""

from __future__ import annotations

import numpy as np

from edgent.latency import Profile
from edgent.latency.profile import BranchProfile, Timing
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.replay import ReplaySettings
from edgent.units import Seconds

LAYERS = 4


def branch(exit: int, accuracy: float, device: float) -> BranchCosts:
    """A branch of four equal layers, 20 times faster on the edge; 6 kB go up at any cut."""
    shape = (LAYERS + 1, LAYERS + 1)
    size = np.full(shape, 6000.0)
    up = Crossing(codec="float32", size=size, encode=np.zeros(shape), decode=np.zeros(shape))
    down = Crossing(codec="float32", size=size / 100, encode=np.zeros(shape), decode=np.zeros(shape))
    own = np.full(LAYERS, device / LAYERS)
    return BranchCosts(exit=exit, accuracy=accuracy, device=own, edge=own / 20, up=(up,), down=(down,))


def candidates() -> Candidates:
    """Exits of .6, .7 and .8, for which the device takes 40, 70 and 100 ms."""
    return Candidates.of([branch(0, 0.6, 0.040), branch(1, 0.7, 0.070), branch(2, 0.8, 0.100)])


def profile(machine: str) -> Profile:
    """Enough of a profile to tell machines apart."""
    zero = Timing(median=0.0, spread=0.0, samples=1)
    return Profile(
        model="made",
        digest="0" * 64,
        machine=machine,
        engine="none",
        threads=1,
        branches=(BranchProfile(exit=0, whole=zero, layers=(), unassigned=0.0),),
        codecs=(),
        decode_source=zero,
        fit=zero,
        normalise=zero,
    )


def request(deadline: float = 0.080, **settings: object) -> ReplaySettings:
    """A request for that network."""
    return ReplaySettings(
        candidates=candidates(),
        device=profile("device"),
        edge=profile("edge"),
        deadline=Seconds(deadline),
        **settings,  # type: ignore[arg-type]
    )
