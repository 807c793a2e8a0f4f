"""One family of kernels: how long they take on one machine.

A kernel's time is a roofline, a call plus operations plus bytes, none of them at a negative price, times an efficiency
that depends on the form of the work: how many channels, how large a map, which stride. The efficiency's logarithm is a
Gaussian process over the logarithms of the sizes, so a time is never negative, and its spread grows where no kernel
like it was seen.

A machine is not always equally fast: a neighbour on the same core slows arithmetic more than memory. So each sample
comes with how slow a reference was just then, and how strongly the family follows it is fitted along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edgent.latency.gaussian import Array, GaussianProcess, learned
from edgent.latency.nonnegative import non_negative_least_squares
from edgent.latency.traits import WORK, Traits

_MOST = 900  # kernels kept for each family: time and size of the file grow with them
_LEARNING = 160  # kernels that the length scales are learned on
_FEWEST = 8  # kernels below which no efficiency is learned
_COARSE = 1e-5  # seconds of a kernel at which what the timer and the profiler blur is as much as all other noise
_LEAST_CALL = 2e-7  # seconds: nothing is free
_FURTHEST = 1.5  # a kernel off the roofline by more than this factor (in the logarithm) was disturbed
_NARROWEST = 0.3  # spread of a size, in the logarithm, below which it says little
_FOLLOWS, _FOLLOWS_SPREAD = 0.6, 0.5  # prior of how strongly a family follows the reference
_LEAST_SPREAD = 0.3  # of a family that too few kernels were seen of


class Sample(NamedTuple):
    """A kernel that was timed: seconds, and the logarithm of how slow the reference was beside its median."""

    traits: Traits
    seconds: float
    slowness: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """The fit of one family.

    Attributes:
        usual: the median of each kind of work among its samples, shape (5,).
        rates: seconds per unit of each kind of work, shape (5,).
        shift: the median logarithm of the efficiency.
        centre, width: what sizes are standardised with, shape (d,).
        follows: 1 where times rise as the reference's do, 0 where they do not.
        spread: standard deviation of the logarithm where there is no process.
        process: the rest of the logarithm of the efficiency, while the reference is at its median; None for too few
            kernels.
    """

    usual: Array
    rates: Array
    shift: float
    centre: Array
    width: Array
    follows: float
    spread: float
    process: GaussianProcess | None

    def predict(self, kernels: Sequence[Traits]) -> tuple[Array, Array]:
        """Seconds of each kernel, and the covariance of their logarithms."""
        line = np.array([kernel.work for kernel in kernels]) @ self.rates * np.exp(self.shift)
        if self.process is None:
            return line, np.full((len(kernels),) * 2, self.spread**2)
        mean, covariance = self.process.predict(self._points(kernels))
        return line * np.exp(mean), covariance

    def even(self, samples: Sequence[Sample]) -> Array:
        """Seconds of each sample, had the reference been at its median."""
        seconds, slowness = _columns(samples)
        return seconds * np.exp(-self.follows * slowness)

    def conditioned(self, samples: Sequence[Sample]) -> Family:
        """The same family, knowing these samples and no others."""
        if self.process is None or not samples:
            return replace(self, process=None)
        kernels = [sample.traits for sample in samples]
        values = np.log(self.even(samples) / (np.array([k.work for k in kernels]) @ self.rates)) - self.shift
        values = np.clip(values, -_FURTHEST, _FURTHEST)
        process = GaussianProcess(self._points(kernels), values, _coarse(samples), self.process.scales)
        return replace(self, process=process)

    def _points(self, kernels: Sequence[Traits]) -> Array:
        return (np.array([kernel.form for kernel in kernels]) - self.centre) / self.width


def fit_family(samples: Sequence[Sample], random: np.random.Generator) -> Family:
    """Fits one family to its samples."""
    samples = some(samples, random)
    work = np.array([sample.traits.work for sample in samples])
    form = np.array([sample.traits.form for sample in samples])
    seconds, slowness = _columns(samples)
    rates = _rates(work, seconds)
    off = np.log(seconds / (work @ rates))
    shift = float(np.median(off))
    centre, width = form.mean(axis=0), np.maximum(form.std(axis=0), _NARROWEST)
    values = np.clip(off - shift, -_FURTHEST, _FURTHEST)
    process, follows = None, _FOLLOWS
    if len(samples) >= _FEWEST:
        process, follows = _efficiency((form - centre) / width, values, _coarse(samples), slowness, random)
    spread = max(_LEAST_SPREAD, float(values.std()))
    return Family(
        usual=np.median(work, axis=0),
        rates=rates,
        shift=shift,
        centre=centre,
        width=width,
        follows=follows,
        spread=spread,
        process=process,
    )


def some(samples: Sequence[Sample], random: np.random.Generator) -> Sequence[Sample]:
    """As many samples as a process can hold, rather those that were timed exactly."""
    return [samples[k] for k in _drawn(_coarse(samples), _MOST, random)]


def _drawn(coarse: Array, most: int, random: np.random.Generator) -> Sequence[int]:
    if len(coarse) <= most:
        return range(len(coarse))
    share = coarse**-0.5
    return sorted(random.choice(len(coarse), most, replace=False, p=share / share.sum()).tolist())


def _coarse(samples: Sequence[Sample]) -> Array:
    """Factors on the variance of the noise."""
    return 1 + (_COARSE / _columns(samples)[0]) ** 2


def _columns(samples: Sequence[Sample]) -> tuple[Array, Array]:
    return np.array([sample.seconds for sample in samples]), np.array([sample.slowness for sample in samples])


def _rates(work: Array, seconds: Array) -> Array:
    """Prices of the kinds of work; relative errors count alike."""
    rows = work / seconds[:, None]
    size = np.maximum(rows.mean(axis=0), 1e-300)
    rates: Array = non_negative_least_squares(rows / size, np.ones(len(seconds))) / size
    rates[WORK.index("call")] = max(rates[WORK.index("call")], _LEAST_CALL)
    return rates


def _efficiency(
    points: Array, values: Array, coarse: Array, slowness: Array, random: np.random.Generator
) -> tuple[GaussianProcess, float]:
    """The process at the reference's median, and how the family follows the reference: in turn, given the other."""
    follows, prior = _FOLLOWS, _FOLLOWS_SPREAD**-2
    part = _drawn(coarse, _LEARNING, random)
    scales = learned(points[part], (values - follows * slowness)[part], coarse[part])
    for _ in range(2):
        process = GaussianProcess(points, values - follows * slowness, coarse, scales)
        weighed = process.weigh(np.stack([slowness, values], axis=1))
        follows = float((slowness @ weighed[:, 1] + prior * _FOLLOWS) / (slowness @ weighed[:, 0] + prior))
        follows = min(max(follows, 0.0), 1.0)
        scales = learned(points[part], (values - follows * slowness)[part], coarse[part])
    return GaussianProcess(points, values - follows * slowness, coarse, scales), follows
