"""Which fault comes when, for how long: drawn from a seed, and nothing else decides it. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgent.units import Seconds

OF_THE_LINK = ("delay", "drop", "trickle", "corrupt", "reset", "black hole")
OF_THE_EDGE = ("stop", "kill", "drain", "memory")
OF_THE_DISK = ("disk",)
KINDS = (*OF_THE_LINK, *OF_THE_EDGE, *OF_THE_DISK)
"""What `real` can do: each of them with a way back."""

ENDS_THE_EDGE = ("kill", "drain", "memory")
"""After these the edge is another process, or may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: what, how long it is quiet before it, and how long it lasts."""

    kind: str
    quiet: Seconds
    seconds: Seconds


def faults(
    seed: int,
    *,
    kinds: Sequence[str] = KINDS,
    quiet: tuple[float, float] = (0.5, 2.0),
    seconds: tuple[float, float] = (0.5, 3.0),
) -> Iterator[Fault]:
    """Faults without end: each kind comes once before any comes again, in an order of its own each time.

    Args:
        seed: the same one gives the same faults.
        kinds: to choose from.
        quiet: the shortest and the longest pause before a fault.
        seconds: the shortest and the longest fault.
    """
    chance = random.Random(seed)
    while True:
        for kind in chance.sample(list(kinds), len(kinds)):
            yield Fault(kind=kind, quiet=Seconds(chance.uniform(*quiet)), seconds=Seconds(chance.uniform(*seconds)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpell:
    """A fault that came, and from when to when it was felt."""

    kind: str
    since: float
    until: float


def during(spells: Sequence[FaultSpell], at: float) -> str:
    """Which fault there was at a moment; empty where there was none."""
    return next((spell.kind for spell in spells if spell.since <= at < spell.until), "")
