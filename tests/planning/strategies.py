"""Made-up branches: the real accuracies nearly tie, and would hide a wrong choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgent.planning.costs import BranchCosts, Crossing


def branch(random: np.random.Generator, exit: int, layers: int, accuracy: float | None) -> BranchCosts:
    """A branch with random times and sizes, a raw codec and a lossy one that some cuts lack."""
    shape = (layers + 1, layers + 1)

    def plane(scale: float) -> np.ndarray:
        return random.exponential(scale, shape)

    def crossing(codec: str, lossy: bool) -> Crossing:
        known = np.where(random.random(shape) < 0.7, random.uniform(0.1, 0.9, shape), np.nan)
        return Crossing(
            codec=codec,
            size=plane(20_000) * (0.25 if lossy else 1),
            encode=plane(0.002),
            decode=plane(0.002),
            accuracy=known if lossy and accuracy is not None else None,
            prepare=plane(0.003),
        )

    down = tuple(
        Crossing(codec=one.codec, size=one.size, encode=one.encode, decode=one.decode, accuracy=one.accuracy)
        for one in (crossing("float32", False), crossing("uint8", True))
    )
    return BranchCosts(
        exit=exit,
        accuracy=accuracy,
        device=random.exponential(0.01, layers),
        edge=random.exponential(0.001, layers),
        prepare=float(random.exponential(0.003)),
        up=(crossing("float32", False), crossing("uint8", True)),
        down=down,
    )


def branches(random: np.random.Generator, *, known: bool = True) -> tuple[BranchCosts, ...]:
    """One to four branches of one to five layers."""
    return tuple(
        branch(random, exit, int(random.integers(1, 6)), float(random.uniform(0.3, 0.95)) if known else None)
        for exit in range(int(random.integers(1, 5)))
    )


def on_a_slow_device(random: np.random.Generator) -> tuple[BranchCosts, ...]:
    """Branches for which the edge is needed: the device takes ten times as long."""
    return tuple(replace(one, device=one.device * 10) for one in branches(random))
