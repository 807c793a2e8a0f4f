"""The bandwidths of both directions as one distribution.

Both directions share the air, so they are taken to move together: the lowest tenth of one goes with the lowest tenth of
the other. That gives the sum of both transfers' times its widest spread, and so the most cautious chance. Where the two
distributions have other weights, both are cut at the borders of either:

    up      |  .3  |      .4      |   .3   |
    down    |     .5     |       .5        |
    pairs   |  .3  |  .2 |   .2   |   .3   |          a bandwidth up and one down for each piece
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgent.link.predictive import NOTHING, Predictive

Floats = NDArray[np.float64]

_ROUNDING = 1e-9  # weights add up to 1 only so far


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Bandwidths:
    """Pairs of bandwidths that belong together, and how likely each pair is.

    Attributes:
        up: Bits per second, rising, shape (k,).
        down: Likewise; the same array where one distribution stands for both directions.
        weights: Probabilities of the pairs, shape (k,).
        ahead_up: Bits that a message up waits for before its own, whatever its size.
        ahead_down: The same down.
        passing: The weights, 0 for pairs at which nothing gets through.
    """

    up: Floats
    down: Floats
    weights: Floats
    ahead_up: float = 0.0
    ahead_down: float = 0.0
    passing: Floats = field(init=False)

    def __post_init__(self) -> None:
        # Asked several times of each: for the pair in the middle, and for mean latencies.
        passing = np.where(np.minimum(self.up, self.down) > NOTHING, self.weights, 0.0)
        object.__setattr__(self, "passing", passing)

    @classmethod
    def certain(cls, up: float, down: float) -> Bandwidths:
        """The one pair of who is sure."""
        return cls(up=np.array([up]), down=np.array([down]), weights=np.ones(1))

    @classmethod
    def together(cls, up: Predictive, down: Predictive) -> Bandwidths:
        """Two distributions that move together."""
        if up.weights.size == down.weights.size and (up.weights == down.weights).all():
            return cls(
                up=up.bandwidths,
                down=down.bandwidths,
                weights=up.weights,
                ahead_up=up.ahead,
                ahead_down=down.ahead,
            )
        # Where either distribution goes on to its next value, a new pair begins; rounding must not add a last one that
        # has no weight. The middle of a piece says which value of either direction it belongs to.
        ends_up, ends_down = up.weights.cumsum(), down.weights.cumsum()
        for ends in (ends_up, ends_down):
            np.minimum(ends, 1.0, out=ends)
            ends[-1] = 1.0
        # By hand and not by `union1d`, which takes a tenth of a whole decision.
        borders = np.concatenate((ends_up, ends_down))
        borders.sort()
        weights = borders.copy()
        weights[1:] -= borders[:-1]
        begins = weights > 0
        weights = weights[begins]
        middles = borders[begins] - weights / 2
        here, there = ends_up.searchsorted(middles), ends_down.searchsorted(middles)
        return cls(
            up=up.bandwidths[here],
            down=down.bandwidths[there],
            weights=weights,
            ahead_up=up.ahead,
            ahead_down=down.ahead,
        )

    @property
    def alike(self) -> bool:
        """Whether one distribution stands for both directions."""
        return self.up is self.down

    @property
    def ahead(self) -> float:
        """Bits that a message up and its answer wait for together."""
        # Where both directions have one bandwidth it is all the same which of them waits.
        return self.ahead_up + self.ahead_down

    def median(self) -> tuple[float, float]:
        """The pair in the middle of those at which something gets through: up and down, bits per second."""
        # Half of the weight, less what rounding adds, so that an even distribution has the lower one of two middles.
        reached = self.passing.cumsum()
        place = int(reached.searchsorted(reached[-1] * (0.5 - _ROUNDING)))
        return float(self.up[place]), float(self.down[place])

    def __repr__(self) -> str:
        middle = " and ".join(f"{bandwidth / 1e6:.3g}" for bandwidth in self.median())
        return f"<Bandwidths up and down {middle} Mbit/s, {self.weights.size} pairs>"
