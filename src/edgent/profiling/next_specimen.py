"""Which specimen a sweep times next: by turns the next one in order, and the one of which least is known.

First every block has its turn. Then each second specimen begins with the block that brings most for a second of timing:
kernels of families that were met seldom, or whose times scatter widely around what their work alone would take. The
others go on in order, so that the sizes of the common families are covered; once all families are known, all do.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from edgent.latency.family import roofline
from edgent.latency.traits import Traits
from edgent.model.specimens import FIRST_GO, first_block

_ENOUGH = 8  # kernels of a family from which its efficiency is learned
_FEWEST = 3  # kernels that a scatter can be seen of
_KNOWN = 0.2  # error of the logarithm of a family's mean efficiency below which others are looked at first
_SHORTEST = 1e-3  # seconds of a specimen, where the clock stood still
_AHEAD = 12 * FIRST_GO  # numbers to choose from: even the rarest block begins nine of them


class Timed(Protocol):
    """A specimen that was timed."""

    @property
    def number(self) -> int:
        """Which one."""
        ...

    @property
    def seconds(self) -> float:
        """What timing it took."""
        ...

    @property
    def kernels(self) -> Sequence[Traits]:
        """What it was made of."""
        ...

    @property
    def times(self) -> Sequence[float]:
        """Seconds of each kernel."""
        ...


def next_number(timed: Sequence[Timed]) -> int:
    """The number of the specimen to time next; none comes twice."""
    used = {one.number for one in timed}
    ahead = [number for number in range(len(used) + _AHEAD) if number not in used]
    # By turns, so that a family that no specimen brings again cannot hold up the rest.
    if len(timed) < FIRST_GO or len(timed) % 2 == 0:
        return ahead[0]
    worth = _worth(timed)
    # The first of the best, for `max` keeps it: where nothing is unknown that is the next in order.
    return max(ahead, key=lambda number: worth.get(first_block(number), 0.0))


def _worth(timed: Sequence[Timed]) -> Mapping[str, float]:
    """For each block: how little is known, in sum, of the kernels that a second of it may bring."""
    unknown = _unknown(timed)
    brought: dict[str, float] = defaultdict(float)
    seconds: dict[str, float] = defaultdict(float)
    for one in timed:
        block = first_block(one.number)
        seconds[block] += one.seconds
        brought[block] += sum(unknown[kernel.family] for kernel in one.kernels)
    return {block: brought[block] / max(seconds[block], _SHORTEST) for block in brought}


def _unknown(timed: Sequence[Timed]) -> Mapping[str, float]:
    """How little is known of each family, from 0 to 1."""
    samples: dict[str, list[tuple[Traits, float]]] = defaultdict(list)
    for one in timed:
        for kernel, seconds in zip(one.kernels, one.times, strict=True):
            samples[kernel.family].append((kernel, seconds))
    return {family: max(1 - len(known) / _ENOUGH, _open(known)) for family, known in samples.items()}


def _open(known: Sequence[tuple[Traits, float]]) -> float:
    """The error of a family's mean efficiency, over that at which it is known."""
    # How far its kernels scatter around their roofline is what the form of the work explains, as yet unlearned: the
    # more they do, the more of them it takes. As of any mean, the error falls with the root of their number.
    seconds = np.array([seconds for _, seconds in known])
    if len(known) < _FEWEST or min(seconds) <= 0:
        return 1.0
    work = np.array([kernel.work for kernel, _ in known])
    scatter = float(np.log(seconds / (work @ roofline(work, seconds))).std())
    return min(1.0, scatter / math.sqrt(len(known)) / _KNOWN)
