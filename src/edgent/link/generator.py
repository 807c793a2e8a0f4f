"""Synthetic links, seeded: the steps that detectors are judged on, and traces that may be shipped.

The real traces have no licence to be passed on. These are no model of any of them; they have what makes real ones
hard: levels that hold for a while and then change, fades, and outages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.trace import Trace
from edgent.units import Seconds

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


_PIECE = 0.5  # seconds for which a generated trace holds a bandwidth
_HOLDS = 30.0  # seconds for which a regime holds, on average
_LEVELS = 0.7  # how far apart levels lie, in the logarithm
_JITTER = 0.1
_OUTAGE_EVERY, _OUTAGE_LASTS = 300.0, 5.0  # seconds, on average
_FADE_EVERY, _FADE_LASTS, _FADE_DEPTH = 60.0, 6.0, 0.8

# Of the other characters. They are round numbers, fixed before anything was run on them.
_LONG_EVERY, _LONG_LASTS = 90.0, 30.0  # seconds, on average
_CYCLE, _ON = 0.1, 0.01  # seconds; while it is on, a burst carries what a steady link would in the whole cycle
_ALTERNATES, _ALTERNATES_BY = 1.0, 30.0  # seconds between changes; how far apart both levels are
_STEP_HOLDS, _STEP_BY = (10.0, 60.0), 100.0  # seconds for which a level holds; how far apart both are
_UNEVEN = 0.1  # of a period, by which no two are alike
_APART = 20.0  # how many times as fast one direction is as the other

Character = Literal["usual", "long-outages", "bursts", "alternating", "steps", "apart"]


def generated(seed: int, *, seconds: float = 300.0, mean: float = 3e6, character: Character = "usual") -> Trace:
    """A synthetic trace of some character.

    - usual: regimes that switch, fades that go to a fifth and come back, short outages;
    - long-outages: the same, but every minute and a half or so nothing gets through for half a minute;
    - bursts: all that is carried passes within 10 of every 100 ms, as where a radio sleeps or a scheduler polls;
    - alternating: each second the other of two levels, a factor of 30 apart;
    - steps: two levels, a factor of 100 apart, each for 10 to 60 s;
    - apart: the usual one, with a downlink 20 times as fast as the uplink, or a twentieth of it.

    Args:
        seed: Of everything random.
        seconds: Its length, two pieces of half a second at least.
        mean: Bits per second around which the levels lie (the median of them; of two in turn their geometric mean).
        character: As above.

    Raises:
        InputError: a length, bandwidth or character that cannot be.
    """
    if not (2 * _PIECE <= seconds < math.inf and 0 < mean < math.inf):
        raise InputError(f"{seconds!r} s of {mean!r} bit/s: expected a second or more, and a positive bandwidth")
    if character not in _CHARACTERS:
        raise InputError(f"character {character!r}: expected one of {', '.join(_CHARACTERS)}")
    drawn = _CHARACTERS[character](np.random.default_rng(seed), seconds, mean)
    return replace(drawn, name=f"generated-{seed}" if character == "usual" else f"{character}-{seed}")


def _usual(
    random: np.random.Generator,
    seconds: float,
    mean: float,
    outage: tuple[float, float] = (_OUTAGE_EVERY, _OUTAGE_LASTS),
) -> Trace:
    pieces = int(seconds / _PIECE)
    switched = np.cumsum(random.random(pieces) < _PIECE / _HOLDS)
    level = random.normal(math.log(mean), _LEVELS, switched[-1] + 1)[switched]
    bandwidths = np.exp(level + _JITTER * random.standard_normal(pieces)) * _fades(random, pieces)
    bandwidths[_spans(random, pieces, *outage)] = 0.0
    bandwidths[0] = max(bandwidths[0], mean * math.exp(-3 * _LEVELS))  # something always gets through
    return Trace(
        name="usual",
        starts=_grid(random, _PIECE, pieces),
        bandwidths=bandwidths,
        duration=Seconds(_PIECE * pieces),
    )


def _long_outages(random: np.random.Generator, seconds: float, mean: float) -> Trace:
    return _usual(random, seconds, mean, (_LONG_EVERY, _LONG_LASTS))


def _bursts(random: np.random.Generator, seconds: float, mean: float) -> Trace:
    # The level is what gets through on average, so that bursts are a steady link's bits, only at other times.
    level = mean * math.exp(_LEVELS * random.standard_normal())
    cycles = np.full(math.ceil(seconds / _CYCLE * (1 + _UNEVEN)) + 3, _CYCLE)
    return of_pieces(
        random,
        uneven(random, np.stack([np.full_like(cycles, _ON), cycles - _ON], axis=1)).ravel(),
        np.stack([level * cycles / _ON, np.zeros_like(cycles)], axis=1).ravel(),
        seconds,
    )


def _alternating(random: np.random.Generator, seconds: float, mean: float) -> Trace:
    lengths = np.full(math.ceil(seconds / _ALTERNATES * (1 + _UNEVEN)) + 4, _ALTERNATES)
    return of_pieces(random, uneven(random, lengths), _in_turn(random, lengths.size, mean, _ALTERNATES_BY), seconds)


def _steps(random: np.random.Generator, seconds: float, mean: float) -> Trace:
    lengths = random.uniform(*_STEP_HOLDS, math.ceil(seconds / _STEP_HOLDS[0]) + 3)
    return of_pieces(random, lengths, _in_turn(random, lengths.size, mean, _STEP_BY), seconds)


def _apart(random: np.random.Generator, seconds: float, mean: float) -> Trace:
    downlink = _APART if random.random() < 0.5 else 1 / _APART
    return replace(_usual(random, seconds, mean), downlink=downlink)


_CHARACTERS: dict[str, Callable[[np.random.Generator, float, float], Trace]] = {
    "usual": _usual,
    "long-outages": _long_outages,
    "bursts": _bursts,
    "alternating": _alternating,
    "steps": _steps,
    "apart": _apart,
}
CHARACTERS = tuple(_CHARACTERS)
"""Of generated traces, by name."""


def _in_turn(random: np.random.Generator, count: int, mean: float, factor: float) -> Floats:
    """Two levels in turn, a factor apart; which comes first is drawn."""
    high = (np.arange(count) + random.integers(2)) % 2
    middle = mean * math.exp(_LEVELS * random.standard_normal())
    return np.where(high, middle * math.sqrt(factor), middle / math.sqrt(factor))


def uneven(random: np.random.Generator, lengths: Floats) -> Floats:
    """Lengths that differ by a tenth at the most; of several in a row, shape (m, k), all by the same.

    No clock keeps a link's time and that of requests alike: were periods exact, requests each 2 s would meet one and
    the same phase of a period of 100 ms from the first to the last.
    """
    factors = random.uniform(1 - _UNEVEN, 1 + _UNEVEN, len(lengths))
    differing: Floats = (lengths.T * factors).T
    return differing


def of_pieces(random: np.random.Generator, lengths: Floats, bandwidths: Floats, seconds: float) -> Trace:
    """Pieces in turn, begun somewhere within the first two and cut at an end.

    Args:
        random: Draws how much of the first two has passed, so that pieces begin at no whole seconds.
        lengths: Seconds, longer than `seconds` without the first two, shape (m,).
        bandwidths: Bits per second, shape (m,).
        seconds: The trace's length.
    """
    # Two, for most links are two levels in turn: a link that is on for a tenth of the time is met on as rarely at 0.
    ends = np.cumsum(lengths) - random.random() * lengths[:2].sum()
    kept = (ends > 0) & (ends - lengths < seconds)
    starts = np.maximum(ends - lengths, 0.0)[kept]
    return Trace(name="pieces", starts=starts, bandwidths=bandwidths[kept], duration=Seconds(seconds))


def varied(trace: Trace, seed: int, *, variation: float = 0.2, piece: float = 0.2) -> Trace:
    """The trace with the short-term variation that samples of a second hide.

    Args:
        trace: What was recorded.
        seed: Of the variation.
        variation: Coefficient of variation; 0 leaves the trace as it is.
        piece: Seconds for which a deviation holds.

    Raises:
        InputError: a variation or piece that cannot be.
    """
    if not (0 <= variation < math.inf and 0 < piece < math.inf):
        raise InputError(f"variation {variation!r} in pieces of {piece!r} s: expected 0 or more, and a positive time")
    if variation == 0:
        return trace
    random = np.random.default_rng(seed)
    # Drawn for pieces of its own, whatever the trace's are, or a trace of finer samples would vary faster.
    begins = _grid(random, piece, int(trace.duration / piece) + 2)
    starts = np.union1d(trace.starts, begins[begins < trace.duration])
    deviation = math.sqrt(math.log1p(variation**2))
    factors = np.exp(deviation * random.standard_normal(begins.size) - deviation**2 / 2)  # of mean 1
    recorded, held = (
        values[np.searchsorted(since, starts, side="right") - 1]
        for values, since in ((trace.bandwidths, trace.starts), (factors, begins))
    )
    return replace(trace, starts=starts, bandwidths=recorded * held)


def _grid(random: np.random.Generator, piece: float, pieces: int) -> Floats:
    """When pieces begin; how much is left of the first one is drawn, so that they begin at no whole seconds."""
    begins = piece * np.arange(pieces, dtype=np.float64)
    begins[1:] -= piece * random.random()
    return begins


def _fades(random: np.random.Generator, pieces: int) -> Floats:
    """1 outside fades, down to a fifth in the middle of each."""
    depth = np.zeros(pieces)
    at = np.arange(pieces) * _PIECE
    for middle in at[random.random(pieces) < _PIECE / _FADE_EVERY]:
        away = np.abs(at - middle) / (_FADE_LASTS / 2)
        depth = np.maximum(depth, _FADE_DEPTH * np.maximum(0.0, 1 - away))
    return 1 - depth


def _spans(random: np.random.Generator, pieces: int, every: float, lasts: float) -> NDArray[np.bool_]:
    inside = np.zeros(pieces, dtype=np.bool_)
    for begin in np.flatnonzero(random.random(pieces) < _PIECE / every):
        inside[begin : begin + max(1, int(random.exponential(lasts) / _PIECE))] = True
    return inside
