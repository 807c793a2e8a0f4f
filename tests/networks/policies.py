"""A small network on a device and a big one that only the edge holds, made up, with gates between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.gates import LATER_ALONE, Gate, Gates

SMALL, BIG, DEVICE, EDGE = 0.78, 0.82, 0.030, 0.020
SIZES = {"source": 48_000.0, "jpeg-50": 9_000.0, "jpeg-25": 5_000.0}
BEHIND = {"source": BIG, "jpeg-50": 0.80, "jpeg-25": 0.70}


def gate(codec: str = "source", **changes) -> Gate:
    usual = Gate(
        exit=0,
        later=1,
        codec=codec,
        confidence=0.7,
        accepted=0.6,
        lost=0.01,
        accuracy=BEHIND[codec] - 0.005,
        ungated=BEHIND[codec],
        alone=BEHIND[codec],
        standing=0.5,
        asked=0.6,
        weights=LATER_ALONE,
        gain=(-0.01, 0.02),
        samples=500,
    )
    return replace(usual, **changes)


def gates(*entries: Gate) -> Gates:
    return Gates(
        model="bundle",
        digest="0" * 64,
        data="some",
        measure="accuracy",
        max_drop=0.01,
        confidence_level=0.9,
        gates=entries,
    )


def crossing(codec: str) -> Crossing:
    def plane(value: float) -> np.ndarray:
        return np.array([[np.nan, value], [np.nan, np.nan]])

    lossy = codec != "source"
    return Crossing(
        codec=codec,
        size=plane(SIZES[codec]),
        encode=np.full((2, 2), 0.004 if lossy else 0.0),
        decode=np.zeros((2, 2)),
        accuracy=plane(BEHIND[codec]) if lossy else None,
        prepare=np.full((2, 2), 0.005 if lossy else 0.0),
    )


def table(codecs=("source",), small: float = SMALL, device: float = DEVICE) -> Candidates:
    """A small network on the device and a big one that only the edge holds."""
    nothing = Crossing(codec="float32", size=np.full((2, 2), 4_000.0), encode=np.zeros((2, 2)), decode=np.zeros((2, 2)))
    here = BranchCosts(exit=0, accuracy=small, device=np.array([device]), edge=np.array([EDGE]), prepare=0.010)
    there = BranchCosts(
        exit=1,
        accuracy=BIG,
        device=np.zeros(1),
        edge=np.array([EDGE]),
        up=tuple(map(crossing, codecs)),
        down=(nothing,),
        alone=False,
    )
    return Candidates.of([here, there])


def divided(random: np.random.Generator, layers: int = 6) -> Candidates:
    """Both networks on both machines: the big one can be divided at any layers, and is also given the whole picture."""
    shape = (layers + 1, layers + 1)
    nothing = np.zeros(shape)
    file = np.full(shape, np.nan)
    file[0] = SIZES["source"]
    sizes = np.tile(random.exponential(20_000, (layers + 1, 1)), layers + 1)  # of what crosses, by the cut
    up = tuple(
        Crossing(codec=c, size=s, encode=nothing, decode=nothing) for c, s in (("float32", sizes), ("source", file))
    )
    down = (Crossing(codec="float32", size=sizes.T, encode=nothing, decode=nothing),)
    edge = random.exponential(EDGE / layers, layers)
    device = edge * random.uniform(5, 15, layers)
    here = BranchCosts(exit=0, accuracy=SMALL, device=np.array([DEVICE]), edge=np.array([EDGE]), prepare=0.010)
    there = BranchCosts(exit=1, accuracy=BIG, device=device, edge=edge, prepare=0.005, up=up, down=down)
    return Candidates.of([here, there])
