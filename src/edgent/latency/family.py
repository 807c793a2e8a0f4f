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

# Conditioning is cubic in the number of samples, and each prediction needs an inverse of that size.
_MOST = 900  # kernels kept for each family: the file grows with them too
_LEARNING = 160  # kernels that the length scales are learned on
FEW = 60  # kernels below which the prices of relatives are asked as well
_KIN = 4.0  # kernels of its own that what the relatives take counts as
_COARSE = 1e-5  # seconds of a kernel at which what the timer and the profiler blur is as much as all other noise
_LEAST_CALL = 2e-7  # seconds: nothing is free
_FURTHEST = 1.5  # a kernel off the roofline by more than this factor (in the logarithm) was disturbed
_NARROWEST = 0.3  # spread of a size, in the logarithm, below which it says little
# Most kernels follow arithmetic more than memory; how strongly is learned, but a family that was timed only while the
# machine was steady says nothing about it, and keeps this.
_FOLLOWS, _FOLLOWS_SPREAD = np.array([0.6, 0.2]), 0.4  # prior of how strongly a family follows the references
# Of the logarithm, for a family of which nothing is known but its prices.
_LEAST_SPREAD = 0.8


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
        follows: how strongly times follow each reference: 0 not at all, 1 in proportion; shape (2,).
        spread: standard deviation of the logarithm where there is no process.
        process: the rest of the logarithm of the efficiency, while the references are at their medians; None where no
            kernel is known.
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
        # The roofline x the median efficiency: what is left for the process is centred on 0, its prior mean.
        line = np.array([kernel.work for kernel in kernels]) @ self.rates * np.exp(self.shift)
        if self.process is None:
            # Kernels of one family share their error (all are off by the same unknown efficiency), so the correlation
            # is 1 and the error of a sum grows with the number of kernels, not with its root.
            return line, np.full((len(kernels),) * 2, self.spread**2)
        mean, covariance = self.process.predict(self._points(kernels))
        return line * np.exp(mean), covariance

    def even(self, samples: Sequence[Sample]) -> Array:
        """Seconds of each sample, had the references been at their medians."""
        seconds, slowness = _columns(samples)
        # Slowness is a logarithm, 0 at the median: where a reference takes f times as long, the family takes f **
        # follows.
        evened: Array = seconds * np.exp(-slowness @ self.follows)
        return evened

    def widened(self, factor: float) -> Family:
        """The same predictions, each so many times as uncertain."""
        process = self.process.widened(factor) if self.process else None
        return replace(self, spread=self.spread * factor, process=process)

    def conditioned(self, samples: Sequence[Sample], kin: Sequence[Sample] = ()) -> Family:
        """The same family, knowing these samples and no others; `kin` as in `fit_family`."""
        if self.process is None or not samples:
            return replace(self, process=None)
        kernels = [sample.traits for sample in samples]
        work, seconds = np.array([kernel.work for kernel in kernels]), self.even(samples)
        rates, shift = self.rates, self.shift
        if len(samples) < FEW:
            # Prices of a handful change with each of them, and how far they are off elsewhere is what is asked for.
            # Length scales stay as they were fitted to all samples, and prices of many: they can hardly change.
            rates, shift = _line(work, seconds, kin)
        values = np.clip(np.log(seconds / (work @ rates)) - shift, -_FURTHEST, _FURTHEST)
        process = GaussianProcess(self._points(kernels), values, _coarse(samples), self.process.scales)
        return replace(self, rates=rates, shift=shift, process=process)

    def _points(self, kernels: Sequence[Traits]) -> Array:
        form = np.array([kernel.form for kernel in kernels])
        if form.shape[1] != len(self.centre):
            raise InputError(
                f"family {kernels[0].family!r}: found a fit on {len(self.centre)} properties of a kernel, expected "
                f"{form.shape[1]}; make the latency model again: edgent profile -o FILE"
            )
        return (form - self.centre) / self.width


def fit_family(samples: Sequence[Sample], random: np.random.Generator, kin: Sequence[Sample] = ()) -> Family:
    """Fits one family to its samples.

    Args:
        samples: one or more.
        random: which samples are kept where there are very many.
        kin: samples of its relatives, for a family of which only a few kernels were timed.
    """
    samples = some(samples, random)
    work = np.array([sample.traits.work for sample in samples])
    form = np.array([sample.traits.form for sample in samples])
    seconds, slowness = _columns(samples)
    # In this order: first the prices of work (linear), then the median efficiency, then what depends on the form.
    rates, shift = _line(work, seconds, kin)
    # Standardised with a floor: a size that was nearly the same in all samples must not be magnified into a
    # distinction.
    centre, width = form.mean(axis=0), np.maximum(form.std(axis=0), _NARROWEST)
    # Clipped, not dropped: the kernel's place still counts, its timing only as far as a kernel can be off the roofline.
    values = np.clip(np.log(seconds / (work @ rates)) - shift, -_FURTHEST, _FURTHEST)
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


def _line(work: Array, seconds: Array, kin: Sequence[Sample]) -> tuple[Array, float]:
    """The prices of work, and the median logarithm of the efficiency beside them."""
    rates = _prices(work, seconds, kin) if kin and len(seconds) < FEW else roofline(work, seconds)
    return rates, float(np.median(np.log(seconds / (work @ rates))))


def _prices(work: Array, seconds: Array, kin: Sequence[Sample]) -> Array:
    """Seconds per unit of each kind of work of a family of which little is known: its relatives' where it says nothing.

    A handful of kernels of like sizes cannot tell a call from an operation from a byte: the line that fits them best
    may be off by a factor of forty elsewhere. What it costs to be larger, relatives tell.
    """
    of_kin = np.array([sample.traits.work for sample in kin])
    times, _ = _columns(kin)
    # Only how the relatives' time divides among kinds of work is taken over, at this family's own level.
    level = np.exp(np.median(np.log(seconds / (work @ roofline(of_kin, times)))))
    share = np.full(len(kin), _KIN / len(kin))
    counts = np.concatenate([np.ones(len(seconds)), share])
    return roofline(np.concatenate([work, of_kin]), np.concatenate([seconds, times * level]), counts)


def some(samples: Sequence[Sample], random: np.random.Generator) -> Sequence[Sample]:
    """As many samples as a process can hold, rather those that were timed exactly."""
    return [samples[k] for k in _drawn(_coarse(samples), _MOST, random)]


def _drawn(coarse: Array, most: int, random: np.random.Generator) -> Sequence[int]:
    if len(coarse) <= most:
        return range(len(coarse))
    # Drawn with a chance of one over the standard deviation of their noise: long kernels are timed exactly.
    share = coarse**-0.5
    return sorted(random.choice(len(coarse), most, replace=False, p=share / share.sum()).tolist())


def _coarse(samples: Sequence[Sample]) -> Array:
    """The factor on the variance of the noise of each sample, 1 or more."""
    # The timer and the profiler blur a kernel by an absolute time, the rest of the noise is relative: for a kernel of
    # 10 microseconds both are equal.
    return 1 + (_COARSE / _columns(samples)[0]) ** 2


def _columns(samples: Sequence[Sample]) -> tuple[Array, Array]:
    """Seconds, shape (m,), and how slow the references were, shape (m, 2)."""
    return np.array([sample.seconds for sample in samples]), np.array([sample.slowness for sample in samples])


def roofline(work: Array, seconds: Array, counts: Array | None = None) -> Array:
    """Seconds per unit of each kind of work, none negative, of the least mean squared relative error.

    Args:
        work: of each kernel, shape (m, 5).
        seconds: of each, shape (m,).
        counts: as how many each counts, shape (m,); by default one.
    """
    weights = np.ones(len(seconds)) if counts is None else np.sqrt(counts)
    # Dividing each row by its time makes the goal 1 everywhere: a kernel of a microsecond counts like one of a second.
    rows = work * (weights / seconds)[:, None]
    # Columns of one size, which the solver's single tolerance asks for: a call is 1, operations are 1e9.
    size = np.maximum(rows.mean(axis=0), 1e-300)
    rates: Array = non_negative_least_squares(rows / size, weights) / size
    rates[WORK.index("call")] = max(rates[WORK.index("call")], _LEAST_CALL)
    return rates


def _efficiency(
    points: Array, values: Array, coarse: Array, slowness: Array, random: np.random.Generator
) -> tuple[GaussianProcess, Array]:
    """Fits the process for the references at their medians, and how strongly the family follows each reference."""
    follows, prior = _FOLLOWS, np.eye(2) * _FOLLOWS_SPREAD**-2
    part = _drawn(coarse, _LEARNING, random)
    scales = learned(points[part], (values - slowness @ follows)[part], coarse[part])
    # Generalised least squares: with the process as correlated noise K, minimise (y - S f)^T K^-1 (y - S f) plus the
    # prior. The process depends on f, and f on the process, so each is fitted in turn while the other is held.
    for _ in range(2):
        process = GaussianProcess(points, values - slowness @ follows, coarse, scales)
        weighed = process.weigh(np.column_stack([slowness, values]))
        posterior = np.linalg.solve(slowness.T @ weighed[:, :2] + prior, slowness.T @ weighed[:, 2] + prior @ _FOLLOWS)
        # Below 0 a family would get faster as the machine gets slower; above 1 it would suffer more than the reference
        # itself.
        follows = np.clip(posterior, 0.0, 1.0)
        scales = learned(points[part], (values - slowness @ follows)[part], coarse[part])
    return GaussianProcess(points, values - slowness @ follows, coarse, scales), follows
