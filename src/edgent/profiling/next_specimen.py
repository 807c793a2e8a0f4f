"""Which specimen a sweep times next: by turns the next one in order, and the one of which least is known.

First every block has its turn. Then each second specimen begins with the block that is expected to bring most kernels
of families that were met too seldom to know how their efficiency depends on the form. The others go on in order, so
that the sizes of the common families are covered as before; once all families are known, all do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from edgent.latency.traits import Traits
from edgent.model.specimens import FIRST_GO, first_block

_ENOUGH = 8  # kernels of a family from which its efficiency is learned
_AHEAD = 12 * FIRST_GO  # numbers to choose from: even the rarest block begins nine of them


class Timed(Protocol):
    """A specimen that was timed."""

    @property
    def number(self) -> int:
        """Which one."""
        ...

    @property
    def kernels(self) -> Sequence[Traits]:
        """What it was made of."""
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
    """For each block, how many kernels of little known families a specimen that begins with it may bring."""
    met = Counter(kernel.family for one in timed for kernel in one.kernels)
    begun: Counter[str] = Counter(first_block(one.number) for one in timed)
    brought: dict[str, Counter[str]] = defaultdict(Counter)
    for one in timed:
        brought[first_block(one.number)].update({kernel.family for kernel in one.kernels})
    return {
        block: sum(count / begun[block] * max(0.0, 1 - met[family] / _ENOUGH) for family, count in families.items())
        for block, families in brought.items()
    }
