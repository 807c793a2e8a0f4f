"""A machine's drift followed: what predictions are off by after a step, a ramp, and under noise alone.

    python benchmarks/adaptation.py [--seed N] [--runs N] [--json]

Simulated requests: each takes its profiled time, times the machine's true factor, times independent noise of 10 %; the
factor that is believed *before* a request predicts it. All methods see the same requests.

- step 1.3, 2: after 100 steady requests the machine becomes that much slower. `bias` is the mean of predicted over
  true less 1 over requests 21-40 after the step: over all runs, and the largest of 95 % of the runs.
- ramp: 400 requests from 1 to 1.8, as a board that warms up; the largest error of the factor met by 95 % of runs.
- steady: 10,000 requests at factor 1; the share within 3 %, in the median run and in the worst.

`rivals`: no correction, an exponential mean of the ratio (one tenth at a time), and the median of the last ten.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import command
from edgent.latency.drift import Drift

NOISE = 0.1
BEFORE, AFTER = 100, 40
STEPS = (1.3, 2.0)
LONG = 10_000
LONG_RUNS = 20
RAMP = (1.8, 400)
OURS = "ours"

Array = NDArray[np.float64]


class Follower(Protocol):
    """Follows a machine's factor."""

    @property
    def factor(self) -> float:
        """The factor believed."""
        ...

    def update(self, measured: float, profiled: float) -> None:
        """Takes a look."""
        ...


class Uncorrected:
    """Believes the profile."""

    factor = 1.0

    def update(self, measured: float, profiled: float) -> None:
        """Ignores it."""


class ExponentialMean:
    """Moves a tenth of the way to each ratio."""

    def __init__(self) -> None:
        self.factor = 1.0

    def update(self, measured: float, profiled: float) -> None:
        """Moves."""
        self.factor += 0.1 * (measured / profiled - self.factor)


class LastTen:
    """The median of the last ten ratios."""

    def __init__(self) -> None:
        self._last: deque[float] = deque([1.0], maxlen=10)

    @property
    def factor(self) -> float:
        """Their median."""
        return float(np.median(self._last))

    def update(self, measured: float, profiled: float) -> None:
        """Keeps one more."""
        self._last.append(measured / profiled)


METHODS: dict[str, Callable[[], Follower]] = {
    OURS: Drift,
    "no correction": Uncorrected,
    "exponential mean": ExponentialMean,
    "median of ten": LastTen,
}


def main() -> int:
    """Runs the benchmark."""
    parser = command.options(__doc__)
    parser.add_argument("--seed", type=command.at_least(0), default=0)
    parser.add_argument("--runs", type=int, default=200, help="of each step and ramp")
    options = parser.parse_args()
    if not 1 <= options.runs <= 10_000:
        parser.error(f"--runs {options.runs}: give 1 .. 10000")
    results = {}
    for name, method in METHODS.items():
        print(name, file=sys.stderr)
        results[name] = _judged(method, options.runs, options.seed)
    rivals = {name: judged for name, judged in results.items() if name != OURS}
    document = {**results[OURS], "rivals": rivals, "noise": NOISE, "runs": options.runs}
    command.show(options, document, lambda: _print(results))
    return 0


def _judged(method: Callable[[], Follower], runs: int, seed: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step in STEPS:
        truth = np.concatenate([np.ones(BEFORE), np.full(AFTER, step)])
        off = np.array(
            [_followed(method(), truth, [seed, 1, run])[BEFORE + 20 :].mean() / step - 1 for run in range(runs)]
        )
        found[f"step_{step:g}"] = {"bias": float(off.mean()), "bias_95": float(np.quantile(np.abs(off), 0.95))}
    top, length = RAMP
    truth = np.concatenate([np.ones(BEFORE), np.geomspace(1.0, top, length)])
    worst = [np.abs(_followed(method(), truth, [seed, 2, run]) / truth - 1).max() for run in range(runs)]
    found["ramp"] = {"worst_error_95": float(np.quantile(worst, 0.95))}
    near = [np.mean(np.abs(_followed(method(), np.ones(LONG), [seed, 3, run]) - 1) <= 0.03) for run in range(LONG_RUNS)]
    found["steady"] = {"within_3_percent": float(np.median(near)), "least_within_3_percent": float(min(near))}
    return found


def _followed(method: Follower, truth: Array, seed: list[int]) -> Array:
    """The factor believed before each request."""
    looks = truth * np.maximum(0.05, 1 + NOISE * np.random.default_rng(seed).standard_normal(truth.size))
    believed = np.zeros(truth.size)
    for k, look in enumerate(looks):
        believed[k] = method.factor
        method.update(float(look), 1.0)
    return believed


def _print(results: dict[str, dict[str, Any]]) -> None:
    steps = [f"step_{step:g}" for step in STEPS]
    heads = [f"{name.replace('_', ' ')}: bias (95 %)" for name in steps]
    print(f"{'method':18}" + "".join(f"{head:>25}" for head in heads) + f"{'ramp':>8}{'steady (least)':>20}")
    for name, found in results.items():
        biases = [f"{found[step]['bias']:+.1%} ({found[step]['bias_95']:.1%})" for step in steps]
        steady = f"{found['steady']['within_3_percent']:.1%} ({found['steady']['least_within_3_percent']:.1%})"
        ramp = f"{found['ramp']['worst_error_95']:.1%}"
        print(f"{name:18}" + "".join(f"{bias:>25}" for bias in biases) + f"{ramp:>8}{steady:>20}")
    print(f"noise {NOISE:.0%}; bias over requests 21-40 after the step; steady: share of {LONG} requests within 3 %")


if __name__ == "__main__":
    command.run(main)
