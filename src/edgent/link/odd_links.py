"""Odd links: named, seeded, each hard in one way that a link can be, and all of them unlike any collection of traces.

They are for finding faults: what believes a link to be of one kind fails on some other one. Levels are absolute, with
megabits where the link is well and tens to hundreds of kilobits where it is not, so a model with other needs scales
them. All numbers are round ones, set before any method was run on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgent.link.generator import Character, generated, of_pieces, uneven
from edgent.link.trace import Trace
from edgent.units import Seconds

Floats = NDArray[np.float64]
Law = Callable[[np.random.Generator, float], Trace]

_WELL, _POOR = 3e6, 60e3  # bits per second
_FINE = 0.1  # seconds for which a level holds that changes all the time


@dataclass(frozen=True, slots=True, kw_only=True)
class OddLink:
    """A link by name.

    Attributes:
        name: In tables and options.
        words: What it does.
        law: Draws one of so many seconds.
    """

    name: str
    words: str
    law: Law

    def trace(self, seed: int, seconds: float) -> Trace:
        """One of them; the same seed gives the same."""
        drawn = self.law(np.random.default_rng(seed), seconds)
        return replace(drawn, name=f"{self.name}-{seed}")


def _of(character: Character, mean: float) -> Law:
    """A generated trace of some character."""
    return lambda random, seconds: generated(
        int(random.integers(2**31)), seconds=seconds, mean=mean, character=character
    )


def _apart(downlink: float) -> Law:
    def law(random: np.random.Generator, seconds: float) -> Trace:
        return replace(_of("usual", _WELL)(random, seconds), downlink=downlink)

    return law


def _curve(level: Callable[[Floats, np.random.Generator], Floats], noise: float = 0.0) -> Law:
    """A level that is a function of the time, with noise of its own each tenth of a second."""

    def law(random: np.random.Generator, seconds: float) -> Trace:
        times = _FINE * np.arange(math.ceil(seconds / _FINE) + 2, dtype=np.float64)
        levels: Floats = level(times, random) * np.exp(noise * random.standard_normal(times.size))
        return of_pieces(random, np.full_like(times, _FINE), levels, seconds)

    return law


def _turns(first: float, then: float, lengths: Callable[[np.random.Generator, int], Floats]) -> Law:
    """Two levels in turn.

    Args:
        first: Bits per second.
        then: The same of the other one.
        lengths: Draws seconds of so many pairs of pieces, shape (pairs, 2).
    """

    def law(random: np.random.Generator, seconds: float) -> Trace:
        drawn = lengths(random, 64)
        while drawn[1:].sum() <= seconds:
            drawn = np.concatenate([drawn, lengths(random, len(drawn))])
        return of_pieces(random, drawn.ravel(), np.tile([first, then], len(drawn)), seconds)

    return law


def _fixed(*lengths: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda random, count: uneven(random, np.tile(lengths, (count, 1)))


def _exponential(*means: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda random, count: random.exponential(means, (count, 2))


def _uniform(first: tuple[float, float], then: tuple[float, float]) -> Callable[[np.random.Generator, int], Floats]:
    low, high = zip(first, then, strict=True)
    return lambda random, count: random.uniform(low, high, (count, 2))


def _steady(bandwidth: float, *, silent: float = 0.0) -> Law:
    """One level, after so many seconds of nothing."""

    def law(_random: np.random.Generator, seconds: float) -> Trace:
        pieces = [(0.0, 0.0), (silent, bandwidth)] if silent else [(0.0, bandwidth)]
        starts, bandwidths = (np.array(column) for column in zip(*pieces, strict=True))
        return Trace(name="steady", starts=starts, bandwidths=bandwidths, duration=Seconds(seconds))

    return law


def _between(low: float, high: float, share: Floats) -> Floats:
    """On equal steps of the logarithm."""
    levels: Floats = low * (high / low) ** share
    return levels


def _random_walk(times: Floats, random: np.random.Generator) -> Floats:
    steps = 0.15 * math.sqrt(_FINE) * random.standard_normal(times.size)  # a factor of 1.16 in a second
    return _WELL / 4 * np.exp(np.clip(np.cumsum(steps), -3, 3))


def _shared(times: Floats, random: np.random.Generator) -> Floats:
    """Nine others, each of whom is there for 10 s and away for 20 s on average."""
    others = np.zeros(times.size)
    for _ in range(9):
        changes = np.cumsum(random.exponential(np.tile([10.0, 20.0], 1000)))
        others += np.searchsorted(changes, times) % 2 == 0
    return _WELL / 2 / (1 + others)


def _handovers(times: Floats, random: np.random.Generator) -> Floats:
    """Another satellite each 15 s: 0.4 s of nothing, then a level of its own."""
    level = _WELL / 2 * np.exp(0.8 * random.standard_normal(int(times[-1] / 15) + 1))
    return np.where(times % 15 < 0.4, 0.0, level[(times // 15).astype(np.intp)])


def _train(times: Floats, random: np.random.Generator) -> Floats:
    """Cells that come nearer and go, every 40 s; a tunnel of 5 to 25 s about every 90 s."""
    levels = _between(_POOR, 2 * _WELL, (1 + np.cos(2 * np.pi * times / 40)) / 2)
    for begin in np.cumsum(random.exponential(90.0, math.ceil(times[-1] / 15) + 5)):
        levels[(times >= begin) & (times < begin + random.uniform(5, 25))] = 0.0
    levels[0] = max(levels[0], _POOR)
    return levels


def _elevator(times: Floats, _random: np.random.Generator) -> Floats:
    """Each 75 s the doors close: in 2 s the level falls to nothing, and is back 18 s later."""
    within = times % 75
    falling = _between(_WELL / 100, _WELL, np.clip((57 - within) / 2, 0, 1))
    return np.where(within < 57, falling, 0.0)


def _spikes(factor: float, share: float) -> Callable[[Floats, np.random.Generator], Floats]:
    def level(times: Floats, random: np.random.Generator) -> Floats:
        return np.where(random.random(times.size) < share, _WELL / 4 * factor, _WELL / 4)

    return level


def _heavy(times: Floats, random: np.random.Generator) -> Floats:
    held = np.repeat(random.standard_t(2, times.size // 5 + 1), 5)[: times.size]
    return _WELL / 6 * np.exp(0.5 * np.clip(held, -8, 8))


ODD_LINKS = (
    OddLink(
        name="alternating", words="each second the other of two levels, 30 times apart", law=_of("alternating", 4e5)
    ),
    OddLink(name="bursts", words="all passes within 10 of every 100 ms", law=_of("bursts", 1e6)),
    OddLink(name="long-outages", words="every 90 s nothing for half a minute", law=_of("long-outages", 1e6)),
    OddLink(name="steps-of-100", words="two levels, 100 times apart, for 10 to 60 s", law=_of("steps", 3e5)),
    OddLink(name="slow-down", words="the way down has a twentieth of the way up", law=_apart(1 / 20)),
    OddLink(name="slow-up", words="the way up has a twentieth of the way down", law=_apart(20.0)),
    OddLink(name="steady-poor", words="120 kbit/s, for ever", law=_steady(120e3)),
    OddLink(name="steady-good", words="3 Mbit/s, for ever", law=_steady(_WELL)),
    OddLink(name="first-fails", words="nothing for the first 3 s, then 500 kbit/s", law=_steady(5e5, silent=3.0)),
    OddLink(
        name="ramps",
        words="up by 100 in a minute, down in the next",
        law=_curve(lambda times, _: _between(_POOR, 100 * _POOR, np.abs(times % 120 - 60) / 60), 0.05),
    ),
    OddLink(
        name="sawtooth",
        words="up by 50 in 20 s, then down at once",
        law=_curve(lambda times, _: _between(_POOR, 50 * _POOR, times % 20 / 20)),
    ),
    OddLink(name="fades", words="each 30 s a twenty-fifth for 4 s", law=_turns(_WELL / 2, _POOR, _fixed(26.0, 4.0))),
    OddLink(
        name="spikes-down", words="one tenth of a second in 20 at a twentieth", law=_curve(_spikes(0.05, 0.05), 0.05)
    ),
    OddLink(name="spikes-up", words="one tenth of a second in 20 at tenfold", law=_curve(_spikes(10.0, 0.05), 0.05)),
    OddLink(
        name="slow-decay",
        words="down by 100 over the whole of it",
        law=_curve(lambda times, _: _between(_WELL / 100, _WELL, 1 - times / times[-1]), 0.1),
    ),
    OddLink(
        name="heavy-tails", words="each half second anew, with tails of two degrees of freedom", law=_curve(_heavy)
    ),
    OddLink(
        name="lunch-hour",
        words="well; its middle third at a thirtieth, and uneven",
        law=_curve(
            lambda times, random: np.where(
                np.abs(times / times[-1] - 0.5) < 1 / 6, _WELL / 30 * np.exp(random.normal(0, 0.4, times.size)), _WELL
            ),
            0.1,
        ),
    ),
    OddLink(
        name="elevator", words="each 75 s doors close: 2 s of falling, 18 s of nothing", law=_curve(_elevator, 0.1)
    ),
    OddLink(
        name="train", words="cells come and go by 100 each 40 s, and tunnels of 5 to 25 s", law=_curve(_train, 0.2)
    ),
    OddLink(
        name="handovers", words="each 15 s another satellite: 0.4 s of nothing, a new level", law=_curve(_handovers)
    ),
    # Ten more.
    OddLink(
        name="radio-sleep",
        words="nothing in the first 150 ms of every 400",
        law=_turns(0.0, _WELL / 3, _fixed(0.15, 0.25)),
    ),
    OddLink(
        name="crowded-cell",
        words="well for 0.3 s, poor for 0.7 s, on average",
        law=_turns(_WELL, _POOR, _exponential(0.3, 0.7)),
    ),
    OddLink(
        name="loose-cable",
        words="every 3 s nothing for 50 to 300 ms",
        law=_turns(_WELL, 0.0, _uniform((1.0, 5.0), (0.05, 0.3))),
    ),
    OddLink(
        name="token-bucket",
        words="each minute 10 s at full rate, then a thirtieth",
        law=_turns(_WELL, _WELL / 30, _fixed(10.0, 50.0)),
    ),
    OddLink(
        name="data-cap",
        words="well for two fifths of it, then 128 kbit/s",
        law=_curve(lambda times, _: np.where(times < 0.4 * times[-1], _WELL, 128e3)),
    ),
    OddLink(name="shared", words="with up to nine others, who come and go", law=_curve(_shared, 0.1)),
    OddLink(
        name="walking-away",
        words="a fifth less every 5 s for two minutes, then as at first",
        law=_curve(lambda times, _: _WELL * 0.8 ** (times % 120 // 5), 0.1),
    ),
    OddLink(
        name="rate-flapping",
        words="two rates, 4 times apart, for 0.1 to 0.4 s",
        law=_turns(6e5, 1.5e5, _uniform((0.1, 0.4), (0.1, 0.4))),
    ),
    OddLink(name="random-walk", words="a factor of 1.16 up or down in a second", law=_curve(_random_walk)),
    OddLink(
        name="reboot",
        words="nothing in the middle two fifths",
        law=_curve(lambda times, _: np.where(np.abs(times / times[-1] - 0.5) < 0.2, 0.0, _WELL / 3), 0.1),
    ),
)
"""All of them; each name once."""
