"""The latency model of a machine: what a sweep taught about every family of kernels.

It predicts branches that were never measured. Its spread has two sources: how far a kernel lies from those that were
timed (the processes say), and what the machine itself does from run to run. Both are set by cross-validation, so that
intervals hold as much as they promise.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgent.errors import InputError
from edgent.latency.family import FEW, Family, Sample, fit_family, some
from edgent.latency.gaussian import NINETY, Array
from edgent.latency.prediction import BranchWork, Prediction
from edgent.latency.regressions import FlopsLine, PaperRegression, fit_flops, fit_paper
from edgent.latency.relatives import guess, nearest_relatives
from edgent.latency.traits import Traits

_FOLDS = 5
# Chosen on half of the models that latency models are judged on, by how far 10 to 60 s sweeps were off in common.
_PHASE, _PHASE_SPECIMENS = 0.1, 100.0  # spread of the machine's phases, and specimens that halve its variance
_UNLIKE = 0.04  # spread by which networks differ from specimens
_FEWEST = 20  # samples without which there is nothing to fit
_MANY = 30  # specimens; the 0.9 quantile of fewer is that of two or three, which may all have been easy ones
_KIN = 20  # samples of each relative, at most twice as many
_MOST_OFF = 4.0  # deviations
_EXPECTED = 4.0  # kernels that a family is taken to have beside its own, off by twice as much as it says
_FLOOR = 0.01  # least spread of the logarithm: no machine repeats a time more exactly than to 1 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How well predictions agree with measured times; errors and shares are fractions.

    Attributes:
        median_ape: median absolute relative error.
        within_10_percent: share of predictions at most 10 % off.
        coverage: share of measured times inside their predicted 90 % interval.
        count: number of predictions.
    """

    median_ape: float
    within_10_percent: float
    coverage: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What cross-validation found: specimens in five folds, each predicted by a fit to the others.

    Attributes:
        kernel: each kernel by itself.
        specimen: each specimen as a whole.
        alone: factor on the standard deviation of a kernel that makes its interval hold 90 %.
        together: the same for a sum of kernels.
    """

    kernel: Judged
    specimen: Judged
    alone: float
    together: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KernelModel:
    """What samples of timed kernels say of a machine: predicts any branch, kernel by kernel.

    Attributes:
        families: by name.
        validation: how far that can be trusted.
        paper: the paper's regression on the same samples.
        flops: the line on floating point operations.
    """

    families: Mapping[str, Family]
    validation: Validation
    paper: PaperRegression
    flops: FlopsLine

    def predict(self, work: BranchWork) -> Prediction:
        """The times of a branch's layers."""
        # Of each kernel, and of those inside of Ifs and loops: `booked` gathers them again.
        described = work.traits()
        seconds, covariance = predict_kernels(self.families, described)
        # Kernels of unknown families still get a time, a guess; the names let the caller say so.
        unknown = tuple(sorted({kernel.family for kernel in described} - self.families.keys()))
        # `together` and not `alone`: it was calibrated on sums, and a cut asks for sums. What all kernels share, no
        # validation within one sweep can see, so it comes on top.
        spread = covariance * self.validation.together**2 + _shared_variance(self.validation.specimen.count)
        return work.booked(seconds, spread, unknown)


def _shared_variance(specimens: int) -> float:
    """Variance of the logarithm that all kernels of a branch share: a sweep met one phase of the machine only.

    The longer it was, the more phases it met; that specimens are no real networks remains.
    """
    return _PHASE**2 / (1 + specimens / _PHASE_SPECIMENS) + _UNLIKE**2


def fit(specimens: Sequence[Sequence[Sample]], *, seed: int = 0) -> KernelModel:
    """Fits the latency model of a machine.

    Args:
        specimens: the samples of each specimen.
        seed: of what is drawn by chance: which samples are kept where there are very many.

    Raises:
        InputError: hardly any samples.
    """
    samples = [sample for specimen in specimens for sample in specimen]
    if len(samples) < _FEWEST:
        raise InputError(
            f"found {len(samples)} timed kernels, expected {_FEWEST} or more: give the sweep a longer budget"
        )
    families = _families(samples, np.random.default_rng(seed))
    held_out = _cross_validated(specimens, families)
    widths = _widths(held_out)
    return KernelModel(
        families={name: family.widened(widths.get(name, 1.0)) for name, family in families.items()},
        validation=_judged_by(held_out, widths),
        paper=fit_paper(samples),
        flops=fit_flops(samples),
    )


def predict_kernels(families: Mapping[str, Family], kernels: Sequence[Traits]) -> tuple[Array, Array]:
    """Seconds of each kernel, shape (m,), and the covariance of their logarithms, shape (m, m)."""
    seconds, covariance = np.zeros(len(kernels)), np.zeros((len(kernels),) * 2)
    for name, positions in _by_family(kernel.family for kernel in kernels).items():
        members = [kernels[position] for position in positions]
        known = families.get(name)
        times, spread = known.predict(members) if known else guess(families, name, members)
        seconds[positions] = times
        # Families are fitted independently, so the covariance has a block for each and is 0 between them.
        covariance[np.ix_(positions, positions)] = spread
    return seconds, covariance


def _families(samples: Sequence[Sample], random: np.random.Generator) -> dict[str, Family]:
    members = _members(samples)
    return {name: fit_family(own, random, _kin(name, members)) for name, own in members.items()}


def _members(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples by family."""
    by_name = _by_family(sample.traits.family for sample in samples)
    # In order, so that the same samples and seed give the same fit: the generator is shared by all families.
    return {name: [samples[k] for k in by_name[name]] for name in sorted(by_name)}


def _kin(name: str, members: Mapping[str, Sequence[Sample]]) -> list[Sample]:
    """Samples of a family's relatives, as many of each; none for a family that is known well."""
    if len(members.get(name, ())) >= FEW:
        return []
    others = {other: samples for other, samples in members.items() if other != name}
    return [
        sample
        for other in nearest_relatives(name, others)
        for sample in others[other][:: max(1, len(others[other]) // _KIN)]
    ]


def _by_family(names: Iterable[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        positions[name].append(position)
    return positions


class _HeldOut(NamedTuple):
    """A specimen as a fit predicts it that did not see it.

    Attributes:
        names: families of its kernels.
        seconds, covariance: what was predicted, as of `predict_kernels`.
        errors: logarithms of predicted over measured.
        error: that of the whole.
    """

    names: list[str]
    seconds: Array
    covariance: Array
    errors: Array
    error: float


def judge(
    specimens: Sequence[Sequence[Sample]], families: Mapping[str, Family], without: Sequence[Mapping[str, Family]]
) -> Validation:
    """Each specimen predicted by a fit that did not see it.

    Args:
        specimens: the samples of each; some may have none.
        families: fitted to all; they say what a sample would have taken with the references at
            their medians.
        without: for each specimen, the fit that did not see it.
    """
    return _judged_by(_held_out(specimens, families, without), {})


def _held_out(
    specimens: Sequence[Sequence[Sample]], families: Mapping[str, Family], without: Sequence[Mapping[str, Family]]
) -> list[_HeldOut]:
    held_out = []
    for specimen, fitted in zip(specimens, without, strict=True):
        if not specimen:
            continue
        seconds, covariance = predict_kernels(fitted, [sample.traits for sample in specimen])
        # The truth is evened too: otherwise a phase in which the machine was slow would count as an error of the model.
        truth = np.array([families[sample.traits.family].even([sample])[0] for sample in specimen])
        names = [sample.traits.family for sample in specimen]
        whole = float(np.log(seconds.sum() / truth.sum()))
        held_out.append(_HeldOut(names, seconds, covariance, np.log(seconds / truth), whole))
    return held_out


def _widths(held_out: Sequence[_HeldOut]) -> dict[str, float]:
    """The factor on each family's deviations that its errors ask for, 1 or more, and 2 before any are seen.

    One family's times are a smooth function of the form and another's are not, and a handful of its own kernels may
    look smoother than it is. A factor for all would have to be too wide for the one or too narrow for the other, and
    most of a network's time may be of the other.
    """
    squares: dict[str, list[float]] = defaultdict(list)
    for one in held_out:
        # Bounded: a single disturbed timing says nothing of a family.
        off = np.minimum(one.errors**2 / (np.diag(one.covariance) + _FLOOR**2), _MOST_OFF**2)
        for name, square in zip(one.names, off.tolist(), strict=True):
            squares[name].append(square)
    return {
        name: max(1.0, math.sqrt((math.fsum(own) + _EXPECTED * 2.0**2) / (len(own) + _EXPECTED)))
        for name, own in squares.items()
    }


def _judged_by(held_out: Sequence[_HeldOut], widths: Mapping[str, float]) -> Validation:
    kernels: list[tuple[float, float]] = []  # error and spread of the logarithm
    wholes: list[tuple[float, float]] = []
    for one in held_out:
        width = np.array([widths.get(name, 1.0) for name in one.names])
        covariance = one.covariance * np.outer(width, width)
        # To first order the logarithm of a sum moves with the mean of its parts' logarithms, weighted by their shares.
        share = one.seconds / one.seconds.sum()
        kernels += zip(one.errors.tolist(), np.sqrt(np.diag(covariance) + _FLOOR**2).tolist(), strict=True)
        wholes.append((one.error, float(np.sqrt(share @ covariance @ share + _FLOOR**2))))
    (alone, one_by_one), (together, summed) = _judged(kernels), _judged(wholes)
    # A handful may show that sums are further off than the processes say, but not that they are nearer.
    together = together if len(wholes) >= _MANY else max(1.0, together)
    return Validation(kernel=one_by_one, specimen=summed, alone=alone, together=together)


def _cross_validated(specimens: Sequence[Sequence[Sample]], families: Mapping[str, Family]) -> list[_HeldOut]:
    """In five folds of specimens; rates and length scales are not fitted again, for they are few."""
    # By specimens and not by kernels: kernels of one network were timed in the same minutes and share its shapes, so
    # that a fit that had seen some of them would be judged too kindly.
    fitted = []
    for fold in range(_FOLDS):
        kept = [sample for k, specimen in enumerate(specimens) if k % _FOLDS != fold for sample in specimen]
        fitted.append(_conditioned(families, kept))
    return _held_out(specimens, families, [fitted[k % _FOLDS] for k in range(len(specimens))])


def _conditioned(families: Mapping[str, Family], samples: Sequence[Sample]) -> dict[str, Family]:
    # Only families with more samples than a process holds draw at all; a fixed seed keeps validation repeatable.
    random = np.random.default_rng(0)
    members = {name: some(own, random) for name, own in _members(samples).items()}
    return {name: family.conditioned(members.get(name, ()), _kin(name, members)) for name, family in families.items()}


def _judged(predictions: Sequence[tuple[float, float]]) -> tuple[float, Judged]:
    """The factor on the spread that makes intervals hold 90 %, and how good the predictions are with it."""
    # An error of one spread x NINETY is exactly at the edge of a 90 % interval. The 0.9 quantile of these ratios is
    # thus the factor that makes the intervals hold what they promise.
    errors, spreads = np.abs(np.array(predictions)).T
    ratio = errors / spreads / NINETY
    halves = ratio[::2], ratio[1::2]
    # Judged on the half that the factor was not learned on, or the coverage would be 90 % by construction.
    # A single prediction has no other half, and judges itself.
    learned_on = [float(np.quantile(half if half.size else ratio, 0.9)) for half in halves]
    held = np.concatenate([halves[1] <= learned_on[0], halves[0] <= learned_on[1]])
    # From an error of the logarithm back to a share of the time.
    ape = np.expm1(errors)
    judged = Judged(
        median_ape=float(np.median(ape)),
        within_10_percent=float(np.mean(ape <= 0.1)),
        coverage=float(held.mean()),
        count=len(errors),
    )
    return float(np.quantile(ratio, 0.9)), judged
