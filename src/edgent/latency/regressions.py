"""Two simple models to compare ours with: the paper's regression, and a line on floating point operations.

Both are fitted to the same timings as ours, and to the kernels that the engine runs: an activation that is fused into
its convolution is no layer of its own here. That favours them, for the paper fits layers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgent.latency.family import Sample
from edgent.latency.gaussian import Array
from edgent.latency.prediction import BranchWork, Prediction
from edgent.latency.traits import WORK, Traits

_FEWEST = 4  # samples of a layer type below which its line is that of all
_ANY = "any"  # the line for layer types that have none of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRegression:
    """Ordinary least squares with intercept, one per layer type, on the paper's variables, clamped at zero.

    Deviation: the paper has four layer types; the others get its rule for ReLU, their input size.

    Attributes:
        lines: intercept and slopes by layer type; "any" is for a type that was not met.
    """

    lines: Mapping[str, tuple[float, ...]]

    def predict(self, work: BranchWork) -> Prediction:
        """The times of the layers; this model knows no spread."""
        # Kernels are booked to layers by the same shares as our own model's, so that only the formulas differ.
        seconds = [self.kernel(kernel) for kernel in work.traits()]
        return work.booked(np.array(seconds), np.zeros((len(seconds),) * 2))

    def kernel(self, kernel: Traits) -> float:
        """Seconds of one kernel."""
        kind, variables = paper_variables(kernel)
        if kind not in self.lines:
            kind, variables = _ANY, (_elements_in(kernel),)
        intercept, *slopes = self.lines[kind]
        # Deviation: ordinary least squares may go below zero for small layers, which the paper does not mention.
        return max(0.0, intercept + math.fsum(s * v for s, v in zip(slopes, variables, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopsLine:
    """Seconds per call and per floating point operation, alike for all layers."""

    per_call: float
    per_flop: float

    def predict(self, work: BranchWork) -> Prediction:
        """The times of the layers; this model knows no spread."""
        seconds = [self.kernel(kernel) for kernel in work.traits()]
        return work.booked(np.array(seconds), np.zeros((len(seconds),) * 2))

    def kernel(self, kernel: Traits) -> float:
        """Seconds of one kernel."""
        return max(0.0, self.per_call + self.per_flop * _flops(kernel))


def fit_paper(samples: Sequence[Sample]) -> PaperRegression:
    """Fits the paper's regressions."""
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        kind, variables = paper_variables(sample.traits)
        # Each sample also counts for the line of all types, which serves those that are met too rarely for one of their
        # own.
        for name, row in ((kind, variables), (_ANY, (_elements_in(sample.traits),))):
            rows[name].append((1.0, *row))
            seconds[name].append(sample.seconds)
    enough = [name for name in rows if len(rows[name]) >= _FEWEST or name == _ANY]
    return PaperRegression(
        lines={name: _line(np.array(rows[name]), np.array(seconds[name])) for name in sorted(enough)}
    )


def fit_flops(samples: Sequence[Sample]) -> FlopsLine:
    """Fits the line on floating point operations."""
    rows = np.array([(1.0, _flops(sample.traits)) for sample in samples])
    per_call, per_flop = _line(rows, np.array([sample.seconds for sample in samples]))
    return FlopsLine(per_call=per_call, per_flop=per_flop)


def paper_variables(kernel: Traits) -> tuple[str, tuple[float, ...]]:
    """A kernel's layer type in the paper, and its independent variables (section III of the paper)."""
    if kernel.convolution is not None:
        # x1 = number of input feature maps, x2 = (filter size / stride)^2 x number of filters. Neither has the size of
        # the map, so these lines do not carry over to another input resolution; that is the paper's weakness and is
        # kept.
        maps_in, filters, side, stride = kernel.convolution
        return "convolution", (maps_in, (side / stride) ** 2 * filters)
    if "Pool" in kernel.family:
        return "pooling", (_elements_in(kernel), _elements_out(kernel))
    if kernel.family.startswith(("Gemm", "MatMul")):
        return "fully connected", (_elements_in(kernel), _elements_out(kernel))
    # ReLU, local response normalisation and dropout: the input size alone; and so for every type that the paper lacks.
    return kernel.family, (_elements_in(kernel),)


def _line(rows: Array, seconds: Array) -> tuple[float, ...]:
    # Columns are scaled to one size: operations of 1e9 beside an intercept of 1 would make the solver drop the latter.
    size = np.maximum(np.abs(rows).max(axis=0), 1e-300)
    coefficients = np.linalg.lstsq(rows / size, seconds, rcond=None)[0] / size
    return tuple(float(number) for number in coefficients)


def _flops(kernel: Traits) -> float:
    return kernel.work[WORK.index("flops")]


def _elements_in(kernel: Traits) -> float:
    # The paper counts elements, a kernel's work bytes; sweeps compute in float32.
    return kernel.work[WORK.index("bytes in")] / 4


def _elements_out(kernel: Traits) -> float:
    return kernel.work[WORK.index("bytes out")] / 4
