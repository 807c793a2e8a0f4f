"""The oracles: bounds for all experiments. Each knows something that nobody can know beforehand, and chooses by it.

Each takes the configuration of the highest accuracy in time, by what it knows; among equals the fastest. Every oracle
may use every rival's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgent.planning.planner import DUST
from edgent.units import Seconds

PLAN, REGIME, CLAIRVOYANT = "plan", "regime", "clairvoyant"

ORACLES: Mapping[str, str] = {
    PLAN: "brute force over measured parts: each head, middle, suffix and codec, and the transfer of each size",
    REGIME: (
        "knows the link's present distribution: on a recorded trace its present value before short-term variation, on "
        "a generated one the regime's law"
    ),
    CLAIRVOYANT: "knows the trace to come",
}
"""What each of them knows."""

Floats = NDArray[np.float64]

_NEVER = 1e9  # seconds: later than anything, so that of answers that never come none is the fastest


def best_in_time(accuracy_in_time: Floats, latency: Floats) -> NDArray[np.intp]:
    """An oracle's choice: the highest accuracy in time, and among equals the fastest.

    Args:
        accuracy_in_time: As it is, or is expected; configurations along the last axis.
        latency: Seconds; infinite where no answer comes. Same shape.

    Returns:
        Positions along the last axis.
    """
    # Equal up to rounding only, without the planner's tolerance: an oracle is the bound that others are measured by.
    good = accuracy_in_time >= accuracy_in_time.max(axis=-1, keepdims=True) - DUST
    # Infinite latencies compare as equal and would win ties against the mask's infinity: they count as very late
    # instead.
    positions: NDArray[np.intp] = np.where(good, np.minimum(latency, _NEVER), np.inf).argmin(axis=-1)
    return positions


def plan_oracle(accuracy: Floats, latencies: Floats, deadline: Seconds) -> int:
    """The choice of the plan oracle, which has measured every configuration.

    Args:
        accuracy: Of each configuration, shape (m,).
        latencies: Seconds of each as measured, part by part or as a whole, shape (m, runs).
        deadline: From the input handed over to the answer.
    """
    # Accuracy in time is accuracy times the share of runs in time: whether an answer is right does not depend on when
    # it comes. The median and not the mean of the latencies: one run that the host disturbed must not decide between
    # equals.
    return int(best_in_time(accuracy * (latencies <= deadline).mean(axis=1), np.median(latencies, axis=1)))
