"""The references: the paper's regression, and a line on floating point operations.

Both are fitted to the same timings as ours, and to what the engine runs: an activation that is fused into its
convolution is no layer of its own here. That is kinder to them than the paper was.
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
from edgent.latency.traits import WORK, Traits, footprint, traits

_FEWEST = 4  # samples of a layer type below which its line is that of all
_ANY = "any"


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
        seconds = [self.kernel(traits(kernel, footprint(work.kernels))) for kernel in work.kernels]
        return work.booked(np.array(seconds), np.zeros((len(seconds),) * 2))

    def kernel(self, kernel: Traits) -> float:
        """Seconds of one kernel."""
        kind, variables = paper_variables(kernel)
        if kind not in self.lines:
            kind, variables = _ANY, (_elements_in(kernel),)
        intercept, *slopes = self.lines[kind]
        return max(0.0, intercept + math.fsum(s * v for s, v in zip(slopes, variables, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopsLine:
    """Seconds per call and per floating point operation, alike for all layers."""

    per_call: float
    per_flop: float

    def predict(self, work: BranchWork) -> Prediction:
        """The times of the layers; this model knows no spread."""
        seconds = [self.kernel(traits(kernel, footprint(work.kernels))) for kernel in work.kernels]
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
        maps_in, filters, side, stride = kernel.convolution
        return "convolution", (maps_in, (side / stride) ** 2 * filters)
    if "Pool" in kernel.family:
        return "pooling", (_elements_in(kernel), _elements_out(kernel))
    if kernel.family.startswith(("Gemm", "MatMul")):
        return "fully connected", (_elements_in(kernel), _elements_out(kernel))
    return kernel.family, (_elements_in(kernel),)


def _line(rows: Array, seconds: Array) -> tuple[float, ...]:
    size = np.maximum(np.abs(rows).max(axis=0), 1e-300)
    found = np.linalg.lstsq(rows / size, seconds, rcond=None)[0] / size
    return tuple(float(number) for number in found)


def _flops(kernel: Traits) -> float:
    return kernel.work[WORK.index("flops")]


def _elements_in(kernel: Traits) -> float:
    return kernel.work[WORK.index("bytes in")] / 4


def _elements_out(kernel: Traits) -> float:
    return kernel.work[WORK.index("bytes out")] / 4
