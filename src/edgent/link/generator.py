"""Synthetic links, seeded: the steps that detectors are judged on, and traces that may be shipped.

The real traces have no licence to be passed on. These are no model of any of them; they have what makes real ones
hard: levels that hold for a while and then change, fades, and outages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

Floats = NDArray[np.float64]
Noise = Literal["independent", "correlated", "heavy-tailed"]

_CORRELATION = 0.5
_DEGREES = 3  # of freedom, of the heavy tails: fewer have no variance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A stream of bandwidth samples whose changes are known.

    Attributes:
        samples: Bits per second, shape (n,).
        levels: The level of each sample, bits per second, shape (n,).
        changes: First samples of each new level.
        deviation: Standard deviation of the noise in the logarithm.
    """

    samples: Floats
    levels: Floats
    changes: tuple[int, ...]
    deviation: float


def steps(
    seed: int,
    *,
    changes: int,
    factor: float = 2.0,
    noise: Noise = "independent",
    variation: float = 0.2,
    lowest: float = 50e3,
    highest: float = 50e6,
) -> Steps:
    """Levels that change by a factor, up or down by chance, every 60 to 140 samples.

    Args:
        seed: Of everything random.
        changes: How many.
        factor: By which a level differs from the one before.
        noise: In the logarithm: Gaussian; with correlation 0.5 from sample to sample; or Student-t with 3 degrees of
            freedom, of the same standard deviation.
        variation: Coefficient of variation of the samples around their level.
        lowest: Levels stay above, bits per second.
        highest: And below.

    Raises:
        InputError: no change, or no step that fits between lowest and highest.
    """
    if changes < 1 or not 1 < factor**2 < highest / lowest:
        raise InputError(f"{changes} changes by {factor!r}: expected 1 or more that fit in {lowest:g} .. {highest:g}")
    random = np.random.default_rng(seed)
    lengths = random.integers(60, 141, changes + 1)
    level = random.uniform(math.log(lowest), math.log(highest))
    levels = [level]
    for _ in range(changes):
        step = math.log(factor) if random.random() < 0.5 else -math.log(factor)
        inside = math.log(lowest) <= level + step <= math.log(highest)
        level += step if inside else -step
        levels.append(level)
    held = np.repeat(levels, lengths)
    deviation = math.sqrt(math.log1p(variation**2))
    return Steps(
        samples=np.exp(held + deviation * _noise(random, noise, held.size)),
        levels=np.exp(held),
        changes=tuple(int(at) for at in np.cumsum(lengths)[:-1]),
        deviation=deviation,
    )


def _noise(random: np.random.Generator, noise: Noise, size: int) -> Floats:
    """Of variance 1, shape (size,)."""
    if noise == "heavy-tailed":
        return random.standard_t(_DEGREES, size) * math.sqrt((_DEGREES - 2) / _DEGREES)
    drawn: Floats = random.standard_normal(size)
    if noise == "correlated":
        for at in range(1, size):
            drawn[at] = _CORRELATION * drawn[at - 1] + math.sqrt(1 - _CORRELATION**2) * drawn[at]
    return drawn
