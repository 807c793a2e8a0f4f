"""A machine's latency model from whole models alone: for a machine that can time a model but not its layers.

The time of a model is taken to be an overhead for the run plus, for each layer, a time per layer, per floating point
operation, per byte moved and per byte unfolded, all of the layer's kind and none negative. (A convolution multiplies
its weights with its input unfolded, each value as often as a kernel covers it: with few filters that costs more than
the product itself.) Whole models tell these rates apart only as
far as the models differ, so every kind's rates are drawn towards rates that all kinds share (a hierarchical prior,
whose strength cross-validation chooses): a few timings then give nearly a line on FLOPs and bytes, many give each kind
its own. What whole models cannot tell apart (two kinds that always come together) is divided by that prior: sums are
measured, single layers are inferred.

Timings of boards are no normal distribution: most lie within a few per cent of what the machine can do, one in ten
was throttled or disturbed and took a third longer. Errors are therefore taken in the logarithm and weighted as if
drawn from a Cauchy distribution [1]: the fit follows the bulk and lets go of the rest.

[1] P. W. Holland and R. E. Welsch, Robust regression using iteratively reweighted least-squares, 1977.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.latency.nonnegative import non_negative_least_squares
from edgent.model.costs import LayerCost
from edgent.units import Seconds, format_duration

Array: TypeAlias = NDArray[np.float64]

_SHRINKAGE = (1e-4, 1e-3, 1e-2, 1e-1)  # of a kind's rates towards the common ones; which one, cross-validation says
_FOLDS = 5
ENOUGH = 2 * _FOLDS  # models to fit one from
_ITEM_BYTES = 4  # of a float32: layers are taken to compute in it
_ROUNDS = 40  # of reweighting; the rates stand still after about 20
_FINEST = 0.01  # least scale of the errors: no machine is timed more exactly than to 1 %
_STEP = 0.7  # longest step in the logarithm: a factor of two


class Work(NamedTuple):
    """The work of a layer in the units of its rates: 1, operations, bytes read and written, bytes unfolded."""

    layers: float
    flops: float
    moved: float
    unfolded: float


_TERMS = len(Work._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What layers of one kind take: seconds per layer, floating point operation, byte moved and byte unfolded."""

    per_layer: float
    per_flop: float
    per_byte: float
    per_unfolded: float

    def seconds(self, work: Work) -> float:
        """Time of a layer that does so much work."""
        return math.fsum(map(operator.mul, (self.per_layer, self.per_flop, self.per_byte, self.per_unfolded), work))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A predicted time: the likeliest, and the interval that holds 90 % of measurements."""

    seconds: Seconds
    low: Seconds
    high: Seconds


@dataclass(frozen=True, kw_only=True, repr=False)
class WholeLatency:
    """The time that a machine takes for a model, learned from timings of whole models; `fit_whole` makes it.

    Attributes:
        overhead: Seconds of a run beside its layers.
        kinds: The rates of each kind of layer that was met.
        common: The rates that kinds share, taken for a kind never met.
        low, high: Factors on a prediction between which 90 % of measurements lie.
        error: Median error of cross-validation, as a fraction.
        models: How many models it was fitted on.
    """

    overhead: float
    kinds: dict[str, Rates]
    common: Rates
    low: float
    high: float
    error: float
    models: int

    def predict(self, costs: Sequence[LayerCost]) -> Expected:
        """Time of a whole model.

        Raises:
            InputError: the costs of a layer are unknown.
        """
        return self._expected(self.overhead + math.fsum(self.layer(cost) for cost in costs))

    def layer(self, cost: LayerCost) -> Seconds:
        """The share of one layer: inferred, for no layer was timed by itself.

        Raises:
            InputError: its costs are unknown.
        """
        return Seconds(self.kinds.get(cost.kind, self.common).seconds(work(cost)))

    def _expected(self, seconds: float) -> Expected:
        return Expected(seconds=Seconds(seconds), low=Seconds(seconds * self.low), high=Seconds(seconds * self.high))

    def __repr__(self) -> str:
        kinds = ", ".join(self.kinds)
        return (
            f"<WholeLatency from {self.models} models, {self.error:.1%} off when cross-validated: "
            f"{format_duration(self.overhead)} + {kinds}>"
        )


def fit_whole(models: Sequence[Sequence[LayerCost]], seconds: Sequence[float]) -> WholeLatency:
    """Fits a machine's latency model to whole models.

    Args:
        models: The costs of each model's layers.
        seconds: What each model took.

    Raises:
        InputError: fewer than ten models, not one time for each, a time that is not positive and finite, unknown costs.
    """
    times = check_times(models, seconds, fewest=ENOUGH)
    kinds = sorted({cost.kind for costs in models for cost in costs})
    totals = np.stack([_totals(costs, kinds) for costs in models])
    # Each strength of the prior is judged by models that its fit had not seen, and by the median, for one board timing
    # in ten is disturbed.
    errors = {shrinkage: _held_out(totals, times, shrinkage) for shrinkage in _SHRINKAGE}
    best = min(errors, key=lambda shrinkage: float(np.median(np.abs(errors[shrinkage]))))
    solution = _fit(totals, times, best)
    # Errors are log(predicted / measured): the interval for the measurement is the prediction divided by them, so that
    # the 95 % quantile of the errors gives the lower end.
    low, high = np.exp(-np.quantile(errors[best], (0.95, 0.05)))
    return WholeLatency(
        overhead=float(solution[0]),
        kinds={kind: _rates(solution[1 + _TERMS * (k + 1) :]) for k, kind in enumerate(kinds)},
        common=_rates(solution[1:]),
        low=float(low),
        high=float(high),
        error=float(np.median(np.expm1(np.abs(errors[best])))),
        models=len(models),
    )


def check_times(models: Sequence[Sequence[LayerCost]], seconds: Sequence[float], *, fewest: int) -> Array:
    """The times of models.

    Raises:
        InputError: fewer models than that, not one time for each, a time that is not positive and finite.
    """
    times = np.array(seconds, dtype=np.float64)
    if len(models) != times.size or times.size < fewest:
        raise InputError(
            f"found {len(models)} models with {times.size} times, expected {fewest} or more and a time for each"
        )
    if not np.all(np.isfinite(times) & (times > 0)):
        raise InputError("a model's time is not a positive, finite number of seconds: time it again")
    return times


def work(cost: LayerCost) -> Work:
    """The work of a layer.

    A product of (M, K) weights with an unfolded input (K, N) has 2 M K N operations and M N results: so K N is known.

    Raises:
        InputError: its shapes are unknown.
    """
    if cost.flops is None or cost.bytes_in is None or cost.bytes_out is None:
        raise InputError(f"a layer of kind {cost.kind} has unknown shapes: give the model fixed ones")
    # With M x K weights and a K x N unfolded input: flops / 2 = M K N, bytes_weights = 4 M K and bytes_out = 4 M N. So
    # (M K N)^2 / (M K x M N) = K N, and 4^3 = 4 x 4 for the two byte counts and 4 to give K N in bytes again.
    product = cost.bytes_out * cost.bytes_weights
    unfolded = _ITEM_BYTES**3 * (cost.flops / 2) ** 2 / product if product else 0.0
    return Work(1.0, cost.flops, cost.bytes_in + cost.bytes_out + cost.bytes_weights, unfolded)


def _totals(costs: Iterable[LayerCost], kinds: Sequence[str]) -> Array:
    """Layers, operations and bytes of each kind: shape (4 k,)."""
    position = {kind: _TERMS * k for k, kind in enumerate(kinds)}
    totals = np.zeros(_TERMS * len(kinds))
    for cost in costs:
        at = position[cost.kind]
        totals[at : at + _TERMS] += work(cost)
    return totals


def _rates(numbers: Array) -> Rates:
    per_layer, per_flop, per_byte, per_unfolded = (float(number) for number in numbers[:_TERMS])
    return Rates(per_layer=per_layer, per_flop=per_flop, per_byte=per_byte, per_unfolded=per_unfolded)


def _held_out(totals: Array, times: Array, shrinkage: float) -> Array:
    """Log of predicted over measured of each model, by a fit that did not see it."""
    errors = np.zeros(times.size)
    for fold in range(_FOLDS):
        # Every fifth model, not a block: files list the models of one family one after another.
        out = np.arange(times.size) % _FOLDS == fold
        solution = _fit(totals[~out], times[~out], shrinkage)
        predicted = solution[0] + totals[out] @ solution[1 + _TERMS :]
        # The floor keeps the logarithm finite where a fit without these models predicts next to nothing.
        errors[out] = np.log(np.maximum(predicted, 1e-3 * times[out]) / times[out])
    return errors


def _fit(totals: Array, times: Array, shrinkage: float) -> Array:
    """Overhead, common rates and the rates of each kind: shape (1 + 4 + 4 k,), none negative.

    Reweighted Gauss-Newton in the logarithm: near p, log of (row @ x) is log p + row @ x / p - 1.
    """
    rows, scale = _scaled(totals)
    # Each row of the prior stands for one observation of strength `shrinkage` per model: with more models it would
    # otherwise fade, and cross-validation would have to choose another strength for every number of models.
    prior = _prior(totals, scale) * math.sqrt(shrinkage * times.size)
    middle = float(np.median(times))
    # The start: least squares in seconds. All is divided by the median time, to be of size 1 for the solver.
    solution = _solve(rows / middle, times / middle, prior / middle)
    for _ in range(_ROUNDS):
        predicted = np.maximum(rows @ solution, 1e-3 * times)
        errors = np.log(predicted / times)
        width = max(_FINEST, float(np.median(np.abs(errors))))  # the scale of a Cauchy distribution
        # The root of a Cauchy weight, for rows are squared: an error of many widths counts as little as one of a few.
        weights = 1 / np.sqrt(1 + (errors / width) ** 2)
        # A model whose prediction is twice too long wants a row sum of 1 - log 2, and so on: Newton's step in the
        # logarithm, bounded because the linearisation holds only near the prediction.
        wanted = 1 - np.clip(errors, -_STEP, _STEP)
        solution = _solve(rows / predicted[:, None] * weights[:, None], wanted * weights, prior / middle)
    return solution / scale


def _scaled(totals: Array) -> tuple[Array, Array]:
    """Rows over (overhead, common rates, rates of kinds), each column of mean 1; and the means.

    The common rates enter no prediction, only the prior: their columns are 0.
    """
    m, n = totals.shape
    common = totals.reshape(m, n // _TERMS, _TERMS).sum(axis=1).mean(axis=0)
    scale = np.concatenate([[1.0], common, totals.mean(axis=0)])
    # A column without any work stays 0 and takes the common rate, by the prior alone.
    scale[scale == 0] = 1.0
    rows = np.concatenate([np.ones((m, 1)), np.zeros((m, _TERMS)), totals], axis=1)
    return rows / scale, scale


def _prior(totals: Array, scale: Array) -> Array:
    """A row for each rate of each kind: its difference from the common one, as a share of the mean model's time."""
    n = totals.shape[1]
    rate = np.arange(n)
    prior = np.zeros((n, 1 + _TERMS + n))
    own, common = 1 + _TERMS + rate, 1 + rate % _TERMS
    prior[rate, own] = 1.0
    # rate_k - rate_common = 0 in units of the mean model's time. Scaled unknowns are rate x scale, so the common one is
    # converted to the scale of its kind.
    prior[rate, common] = -scale[own] / scale[common]
    return prior


def _solve(rows: Array, wanted: Array, prior: Array) -> Array:
    return non_negative_least_squares(np.concatenate([rows, prior]), np.concatenate([wanted, np.zeros(len(prior))]))
