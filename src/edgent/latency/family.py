"""One family of kernels: how long they take on one machine.

A kernel's time is a roofline, a call plus operations plus bytes, none of them at a negative price, times an efficiency
that depends on the form of the work: how many channels, how large a map, which stride. The efficiency's logarithm is a
Gaussian process over the logarithms of the sizes, so a time is never negative, and its spread grows where no kernel
like it was seen.

A machine is not always equally fast: a neighbour on the same core slows arithmetic, one that fills the shared caches
slows memory, and either alone. So each sample comes with how slow two references were just then, and how strongly the
family follows each is fitted along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edgent.errors import InputError
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
_FOLLOWS, _FOLLOWS_SPREAD = np.array([0.6, 0.2]), 0.4  # prior of how strongly a family follows the references
_LEAST_SPREAD = 0.3  # of a family that too few kernels were seen of


class References(NamedTuple):
    """Two pieces of work timed beside a sample: a small convolution, and a copy that no inner cache holds.

    Seconds; or, where it says how slow the machine was, the logarithms of these over their medians.
    """

    arithmetic: float
    memory: float


class Sample(NamedTuple):
    """A kernel that was timed: seconds, and how slow the references were beside their medians (logarithms)."""

    traits: Traits
    seconds: float
    slowness: References


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """The fit of one family.

    Attributes:
        usual: the median of each kind of work among its samples, shape (5,).
        rates: seconds per unit of each kind of work, shape (5,).
        shift: the median logarithm of the efficiency.
        centre, width: what sizes are standardised with, shape (d,).
        follows: for each reference 1 where times rise as its do, 0 where they do not, shape (2,).
        spread: standard deviation of the logarithm where there is no process.
        process: the rest of the logarithm of the efficiency, while the references are at their medians; None for too
            few kernels.
    """

    usual: Array
    rates: Array
    shift: float
    centre: Array
    width: Array
    follows: Array
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
        """Seconds of each sample, had the references been at their medians."""
        seconds, slowness = _columns(samples)
        evened: Array = seconds * np.exp(-slowness @ self.follows)
        return evened

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
        form = np.array([kernel.form for kernel in kernels])
        if form.shape[1] != len(self.centre):
            raise InputError(
                f"family {kernels[0].family!r}: found a fit on {len(self.centre)} properties of a kernel, expected "
                f"{form.shape[1]}; make the latency model again: edgent profile -o FILE"
            )
        return (form - self.centre) / self.width


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
    """Seconds, shape (m,), and how slow the references were, shape (m, 2)."""
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
) -> tuple[GaussianProcess, Array]:
    """The process at the references' medians, and how the family follows them: in turn, given the other."""
    follows, prior = _FOLLOWS, np.eye(2) * _FOLLOWS_SPREAD**-2
    part = _drawn(coarse, _LEARNING, random)
    scales = learned(points[part], (values - slowness @ follows)[part], coarse[part])
    for _ in range(2):
        process = GaussianProcess(points, values - slowness @ follows, coarse, scales)
        weighed = process.weigh(np.column_stack([slowness, values]))
        found = np.linalg.solve(slowness.T @ weighed[:, :2] + prior, slowness.T @ weighed[:, 2] + prior @ _FOLLOWS)
        follows = np.clip(found, 0.0, 1.0)
        scales = learned(points[part], (values - slowness @ follows)[part], coarse[part])
    return GaussianProcess(points, values - slowness @ follows, coarse, scales), follows
