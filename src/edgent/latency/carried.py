"""The latency model of one machine, carried over to another by a handful of timings there.

Machines differ most by one factor, and then by kind of work: memory is not as much slower as arithmetic is. So each
kind has a factor of its own, drawn towards a common one as far as the timings leave it open: kinds that were not timed
take the common factor. What a kind's time depends on, the shapes, stays as the first machine taught it.

Two ways to time the other machine, two ways to say so:

- kernels one by one (`carried_over`): the logarithms of the ratios are a mean for each family, and the means scatter
  around a common one by so much (a random effects model [1]); each is shrunk by the ratio of both variances.
- whole models (`carried_over_whole`): the models' times are sums over kinds, so the factors are found together, none
  negative, by least squares in relative errors with the distance to the common factor as a penalty.

[1] R. DerSimonian and N. Laird, Meta-analysis in clinical trials, 1986.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from edgent.errors import InputError
from edgent.latency.family import Family, Sample
from edgent.latency.gaussian import Array
from edgent.latency.kernel_model import KernelModel, judge
from edgent.latency.nonnegative import non_negative_least_squares
from edgent.latency.regressions import FlopsLine, PaperRegression
from edgent.latency.whole import ENOUGH, Rates, WholeLatency, check_times, fit_whole
from edgent.model.costs import LayerCost

_FEWEST_KERNELS, _FEWEST_MODELS = 5, 3
# Without a floor, ratios that happen to agree would claim certainty, and the intervals would be far too narrow.
_LEAST_SPREAD = 0.02  # of the logarithm of one timing: no machine repeats itself more exactly
_BETWEEN = 0.2  # scatter of families around the common factor where too few were timed to tell
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # of the penalty; leaving each model out in turn says which
_STRONGEST = 10.0  # where too few models were timed to leave one out
_ROUNDS = 15


class _Shift(NamedTuple):
    """The logarithm of a factor, and how uncertain it is."""

    mean: float
    deviation: float


def carried_over(fit: KernelModel, specimens: Sequence[Sequence[Sample]]) -> KernelModel:
    """The fit of another machine.

    Args:
        fit: of the first machine.
        specimens: kernels timed on the other, by the network that they were in.

    Raises:
        InputError: hardly any of them is of a family that the first machine was timed on.
    """
    known = [[sample for sample in specimen if sample.traits.family in fit.families] for specimen in specimens]
    # The form of each family's efficiency stays as the first machine taught it; only its level moves, by one shift.
    shifts = _shifts(fit.families, known)
    families = _shifted(fit.families, shifts)
    # The two reference models have no families: they are scaled by the factor that all families share.
    factor = float(np.exp(shifts[""].mean))
    return KernelModel(
        families=families,
        # One specimen is left out at a time, not a fifth of them: there may be only a handful.
        validation=judge(known, families, [_without(fit.families, known, k) for k in range(len(known))]),
        paper=PaperRegression(lines={name: tuple(factor * x for x in line) for name, line in fit.paper.lines.items()}),
        flops=FlopsLine(per_call=factor * fit.flops.per_call, per_flop=factor * fit.flops.per_flop),
    )


def _without(families: Mapping[str, Family], specimens: Sequence[Sequence[Sample]], k: int) -> dict[str, Family]:
    rest = [*specimens[:k], *specimens[k + 1 :]]
    # A slow machine has timed a single specimen in a second. Without it nothing is known of that machine, and what the
    # first one takes is off by as much as they differ, which is what an interval must then hold.
    enough = sum(map(len, rest)) >= _FEWEST_KERNELS
    return _shifted(families, _shifts(families, rest)) if enough else dict(families)


def _shifts(families: Mapping[str, Family], specimens: Sequence[Sequence[Sample]]) -> dict[str, _Shift]:
    """Of each family that was timed; and under the empty name the common one, for the others."""
    samples = [sample for specimen in specimens for sample in specimen]
    if len(samples) < _FEWEST_KERNELS:
        raise InputError(
            f"found {len(samples)} timed kernels of families that the other machine knows, expected "
            f"{_FEWEST_KERNELS} or more: give the sweep a longer budget"
        )
    # One look is the logarithm of measured over predicted. `even` removes how slow this machine was just then, so that
    # a disturbed sweep does not read as a slower machine.
    looks: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        family = families[sample.traits.family]
        predicted = family.predict([sample.traits])[0][0]
        looks[sample.traits.family].append(float(np.log(family.even([sample])[0] / predicted)))
    within = _within([np.array(ratios) for ratios in looks.values()])
    # The median per family and not the mean: one disturbed timing must not move its family.
    means = {name: float(np.median(ratios)) for name, ratios in looks.items()}
    variances = {name: within**2 / len(ratios) for name, ratios in looks.items()}
    # The random effects model of [1]: a family's ratio is the common one plus scatter between families (`between`),
    # seen through the noise of its own timings (`variances`). Families are weighted by both when the common ratio is
    # formed, so that a family with many timings does not pass its own peculiarity on to all others.
    between = _between(np.array(list(means.values())), np.array(list(variances.values())))
    weights = {name: 1 / (variance + between**2) for name, variance in variances.items()}
    common = sum(weights[name] * means[name] for name in means) / sum(weights.values())
    # A family that was never timed is as uncertain as families differ.
    shifts = {"": _Shift(common, between)}
    for name, mean in means.items():
        # The posterior of a normal mean with a normal prior: the share is near 1 where a family was timed often
        # (believe its own ratio), near 0 where it was timed hardly at all (believe the common one).
        share = between**2 / (between**2 + variances[name])
        shifts[name] = _Shift(common + share * (mean - common), float(np.sqrt(share * variances[name])))
    return shifts


def _within(looks: Sequence[Array]) -> float:
    """Deviation of one look from its family's."""
    # Pooled over families, since most of them have only two or three looks; each family's median costs one degree of
    # freedom.
    off = np.concatenate([ratios - np.median(ratios) for ratios in looks])
    free = max(1, off.size - len(looks))
    return max(_LEAST_SPREAD, float(np.sqrt(np.sum(off**2) / free)))


def _between(means: Array, variances: Array) -> float:
    """Deviation of families from the common one: what their means scatter beyond their own uncertainty."""
    if means.size < 3:
        return _BETWEEN
    # DerSimonian and Laird's estimate by moments: Q, the weighted squares about the weighted mean, is expected to be k
    # - 1 if families do not differ at all. What it exceeds that by, over the scale, is the variance between them.
    weights = 1 / variances
    excess = float(weights @ (means - weights @ means / weights.sum()) ** 2) - (means.size - 1)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(_LEAST_SPREAD, float(np.sqrt(max(0.0, excess / scale))))


def _shifted(families: Mapping[str, Family], shifts: Mapping[str, _Shift]) -> dict[str, Family]:
    shifted = {}
    for name, family in families.items():
        shift = shifts.get(name, shifts[""])
        shifted[name] = replace(
            # Deviations add as squares: what the first machine left open, and what the shift itself leaves open.
            family,
            shift=family.shift + shift.mean,
            spread=float(np.hypot(family.spread, shift.deviation)),
        )
    return shifted


def carried_over_whole(
    known: WholeLatency, models: Sequence[Sequence[LayerCost]], seconds: Sequence[float]
) -> WholeLatency:
    """The latency model of another machine, from whole models timed there.

    Where the timings suffice for a model of their own, that is taken if cross-validation finds it nearer: two machines
    may have little in common.

    Args:
        known: of the first machine.
        models: the costs of each model's layers; three or more.
        seconds: what each took on the other machine.

    Raises:
        InputError: too few models, not one time for each, a time that is none, unknown costs.
    """
    times = check_times(models, seconds, fewest=_FEWEST_MODELS)
    names = sorted(known.kinds)
    parts = np.stack([_parts(known, names, costs) for costs in models])
    errors = {strength: _left_out(parts, times, strength) for strength in _strengths(times.size)}
    # The median and not the mean of the errors: one throttled timing must not choose the penalty.
    best = min(errors, key=lambda strength: float(np.median(np.abs(errors[strength]))))
    _, own_overhead, others, *scales = _scales(parts, times, best)
    alone = fit_whole(models, seconds) if times.size >= ENOUGH else None
    if alone is not None and alone.error < float(np.median(np.expm1(np.abs(errors[best])))):
        return alone
    # The interval is never narrower than the first machine's: a handful of timings cannot show that the form fits
    # better here than it did there. It is symmetric in the logarithm, for the few errors left out show no skew.
    reach = max(abs(float(np.log(known.low))), float(np.log(known.high)), float(np.quantile(np.abs(errors[best]), 0.9)))
    return WholeLatency(
        overhead=known.overhead * own_overhead,
        kinds={name: _scaled(known.kinds[name], scale) for name, scale in zip(names, scales, strict=True)},
        common=_scaled(known.common, others),
        low=float(np.exp(-reach)),
        high=float(np.exp(reach)),
        error=float(np.median(np.expm1(np.abs(errors[best])))),
        models=len(models),
    )


def _strengths(models: int) -> tuple[float, ...]:
    # Leaving one of three models out leaves two, which say nothing about how strong the penalty should be.
    return _STRENGTHS if models > _FEWEST_MODELS else (_STRONGEST,)


def _parts(known: WholeLatency, names: Sequence[str], costs: Sequence[LayerCost]) -> Array:
    """Seconds of the overhead, of kinds not known, and of each known kind, on the first machine: shape (2 + k,)."""
    parts = np.zeros(2 + len(names))
    parts[0] = known.overhead
    at = {name: 2 + k for k, name in enumerate(names)}
    for cost in costs:
        # Kinds that the first machine never met share one part, priced at its common rates.
        parts[at.get(cost.kind, 1)] += known.layer(cost)
    return parts


def _scales(parts: Array, times: Array, strength: float) -> Array:
    """The common factor and that of each part, shape (1 + p,), by reweighted least squares in relative errors."""
    # All unknowns are relative to this factor, so that the penalty and the tolerance of the solver have one scale.
    start = float(np.median(times / parts.sum(axis=1)))
    # A row of the penalty says: sqrt(strength x models x share of the time) x (factor of the part - common factor) = 0.
    # So differing from the common factor costs by the time that it moves; parts that hardly matter are left alone.
    share = np.sqrt(parts.mean(axis=0) / parts.mean(axis=0).sum() * strength * times.size)
    share = np.maximum(share, 1e-6)  # a part that no model has takes the common factor
    penalty = np.concatenate([-share[:, None], np.diag(share)], axis=1)
    scales = np.full(1 + parts.shape[1], start)
    # Iteratively reweighted least squares, as in `whole._fit`: errors are taken in the logarithm, so a row is divided
    # by its own prediction, and the Cauchy weights let go of models that were throttled while they were timed.
    for _ in range(_ROUNDS):
        predicted = parts @ scales[1:]
        errors = np.log(predicted / times)
        width = max(_LEAST_SPREAD, float(np.median(np.abs(errors))))
        weights = 1 / np.sqrt(1 + (errors / width) ** 2)
        # Column 0 is the common factor: it enters no prediction, only the penalty.
        rows = np.concatenate([np.zeros((times.size, 1)), parts * start / predicted[:, None]], axis=1)
        # A step of at most a factor of two: further away the linearisation of the logarithm does not hold.
        wanted = (1 - np.clip(errors, -0.7, 0.7)) * weights
        stacked = np.concatenate([rows * weights[:, None], penalty])
        solution = non_negative_least_squares(stacked, np.concatenate([wanted, np.zeros(len(penalty))]))
        # No factor reaches 0: its logarithm is taken in the next round.
        scales = np.maximum(solution, 1e-6) * start
    return scales


def _left_out(parts: Array, times: Array, strength: float) -> Array:
    """Log of predicted over measured of each model, by the factors found without it."""
    errors = np.zeros(times.size)
    for k in range(times.size):
        rest = np.arange(times.size) != k
        errors[k] = np.log(parts[k] @ _scales(parts[rest], times[rest], strength)[1:] / times[k])
    return errors


def _scaled(rates: Rates, factor: float) -> Rates:
    return Rates(
        per_layer=rates.per_layer * factor,
        per_flop=rates.per_flop * factor,
        per_byte=rates.per_byte * factor,
        per_unfolded=rates.per_unfolded * factor,
    )
