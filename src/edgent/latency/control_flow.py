"""Kernels that run others inside: what an If, a Loop or a Scan takes, from what its bodies take.

A kernel with bodies takes its own time, and that of what runs inside of it: of a Loop or Scan its body as often as it
goes round, of an If one of its bodies, which only the data tell. So each kernel's time is a sum over all kernels
inside, a row of weights, and the rows carry the covariance along as they do from kernels to layers::

    kernel          row over all kernels, those inside included
    Conv            1 . . . . .
    Loop, 8 rounds  . 1 8 8 . .         itself, and eight times the two kernels of its body
    ...

What nobody knows before the run is no mean of what may happen: the row of an If comes to the geometric middle of its
cheapest and dearest body, and its doubt reaches both. The same holds for a number of rounds that only the data tell,
and for what works on as much as the data leave (the boxes that pass a threshold): on nothing, or on all there is.
Doubts add up, for all of them come from the same data: where one kernel has much to do, those behind it have too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.latency.gaussian import NINETY, Array
from edgent.latency.traits import USUAL_ROUNDS
from edgent.model.kernels import Body, Kernel

_LEAST = 1e-9  # seconds: some latency models take work for nothing


def with_inner(kernels: Sequence[Kernel]) -> Iterator[Kernel]:
    """All kernels and those inside of them, each before what is inside of it."""
    for kernel in kernels:
        yield kernel
        for body in kernel.bodies:
            yield from with_inner(body.kernels)


def gathered(kernels: Sequence[Kernel], seconds: Array, covariance: Array) -> tuple[Array, Array]:
    """Seconds of each kernel with all that runs inside, shape (n,), and the covariance of their logarithms.

    Args:
        kernels: n of them.
        seconds: of each of `with_inner`, shape (m,).
        covariance: of their logarithms, shape (m, m).
    """
    sums = list(_sums(kernels, seconds))
    # A family's error and the data's doubt have nothing to do with each other, so their variances add up.
    rows, doubts = np.stack([each.row for each in sums]), np.array([each.doubt for each in sums])
    whole = rows @ seconds
    # The covariance is that of logarithms: to first order those move as the shares that each inner kernel has.
    shares = rows * seconds / np.maximum(whole, 1e-300)[:, None]
    return whole, shares @ covariance @ shares.T + np.outer(doubts, doubts)


@dataclass(frozen=True, slots=True)
class _Sum:
    """A weighted sum of kernels: what it comes to, and a deviation of its logarithm beyond that of the kernels."""

    row: Array
    seconds: float
    doubt: float

    def times(self, factor: float, doubt: float = 0.0) -> _Sum:
        return _Sum(self.row * factor, self.seconds * factor, self.doubt + doubt)


def _sums(kernels: Sequence[Kernel], seconds: Array) -> Iterator[_Sum]:
    # The order is that of `with_inner`: a position for each kernel, then those inside of it.
    positions = iter(range(len(seconds)))
    return (_sum_of(kernel, seconds, positions) for kernel in kernels)


def _sum_of(kernel: Kernel, seconds: Array, positions: Iterator[int]) -> _Sum:
    position = next(positions)
    # A row of the identity: itself once. What is inside of it adds its own rows.
    row = np.zeros(len(seconds))
    row[position] = 1.0
    own = _Sum(row, float(seconds[position]), 0.0)
    if not kernel.sized:
        # With nothing to work on it takes about what the cheapest kernel does, a call.
        own = _either([own.times(float(seconds.min()) / max(own.seconds, _LEAST)), own])
    # The node's own time goes with each way, so that a body that only hands on is no free way but a short one.
    return _either([_added([own, _repeated(body, seconds, positions)]) for body in kernel.bodies] or [own])


def _repeated(body: Body, seconds: Array, positions: Iterator[int]) -> _Sum:
    nothing = _Sum(np.zeros(len(seconds)), 0.0, 0.0)  # a body may only hand on what it is given
    parts = [_sum_of(kernel, seconds, positions) for kernel in body.kernels]
    once = _added(parts) if parts else nothing
    if body.rounds is not None:
        return once.times(float(body.rounds))
    # Anything from one round to the square of the usual number: the middle of both, and doubt that reaches either.
    return once.times(USUAL_ROUNDS, math.log(USUAL_ROUNDS) / NINETY)


def _either(ways: Sequence[_Sum]) -> _Sum:
    """One of some ways to go, nobody knows which."""
    # Times are compared as factors, as everywhere here: the middle of 1 and 16 ms is 4 ms, and it is off by a factor of
    # 4 at most. That reach is taken for the half width of a 90 % interval.
    taken = [max(way.seconds, _LEAST) for way in ways]
    middle = math.sqrt(min(taken) * max(taken))
    mean = _Sum(
        np.mean([way.row for way in ways], axis=0), math.fsum(taken) / len(taken), max(way.doubt for way in ways)
    )
    return mean.times(middle / mean.seconds, math.log(max(taken) / min(taken)) / 2 / NINETY)


def _added(parts: Sequence[_Sum]) -> _Sum:
    # Doubts are deviations of logarithms: to first order a sum has them in proportion to its parts' shares.
    seconds = math.fsum(part.seconds for part in parts)
    doubt = math.fsum(part.doubt * part.seconds for part in parts) / max(seconds, _LEAST)
    return _Sum(np.sum([part.row for part in parts], axis=0), seconds, doubt)
