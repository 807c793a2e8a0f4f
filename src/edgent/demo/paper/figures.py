"""From latencies to figures: accuracy in time, its interval, percentiles. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgent.demo.paper.cells import BORDER
from edgent.demo.paper.paired import Draws, Floats, interval, outcomes
from edgent.demo.paper.values import Chosen
from edgent.evaluation.measures.measure import wilson
from edgent.lab.processes.live_runs import LiveRuns

# 100 quantiles stand for each cell's latencies, so that cells weigh the same however many requests they had.
_GRID = np.linspace(0.005, 0.995, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The result of a method in one cell, or over all cells; shares are fractions, times are seconds.

    Attributes:
        deadlines_met: share of the requests in time.
        accuracy_in_time: share of the requests right and in time.
        low, high: 95 % interval of the accuracy in time.
        median, high_latency: 50th and 95th percentile of the latency.
    """

    deadlines_met: float
    accuracy_in_time: float
    low: float
    high: float
    median: float
    high_latency: float

    def document(self) -> dict[str, float | None]:
        """The numbers as JSON has them."""
        return {
            "deadlines_met": known(self.deadlines_met),
            "accuracy_in_time": known(self.accuracy_in_time),
            "p50_ms": known(self.median * 1e3, 3),
            "p95_ms": known(self.high_latency * 1e3, 3),
        }


def figures(chosen: Chosen, measured: LiveRuns, deadline: float, requests: int) -> Figures:
    """A method's result in one cell: share in time x accuracy, with Wilson's interval of the share.

    Args:
        chosen: what it ran.
        measured: the live runs of it.
        deadline: seconds.
        requests: how many of the runs count, so that all methods of a cell are judged by the same requests.
    """
    totals = measured.totals[:requests]
    met = sum(total <= deadline for total in totals)
    # Wilson's interval stays inside 0..1 and has a width even if all requests were in time, where the usual one has
    # none.
    low, high = wilson(met, len(totals))
    return Figures(
        deadlines_met=met / len(totals),
        accuracy_in_time=float(outcomes(chosen, measured, deadline, requests).mean()),
        low=low * chosen.accuracy,
        high=high * chosen.accuracy,
        median=percentile(totals, 0.5),
        high_latency=percentile(totals, 0.95),
    )


def overall(
    parts: Sequence[Floats], latencies: Sequence[Sequence[float]], met: float, draws: Sequence[Draws]
) -> Figures:
    """A method over all cells, each with the same weight; the interval is a bootstrap over the requests.

    Args:
        parts: outcomes in each cell.
        latencies: in each cell.
        met: in each cell, the share of requests in time.
        draws: the bootstrap's draws, one for the link state of each cell.
    """
    low, high = interval(np.mean([d.means(part) for d, part in zip(draws, parts, strict=True)], axis=0))
    spread = np.concatenate([np.quantile(np.array(totals), _GRID, method="higher") for totals in latencies]).tolist()
    return Figures(
        deadlines_met=met,
        accuracy_in_time=float(np.mean([part.mean() for part in parts])),
        low=low,
        high=high,
        median=percentile(spread, 0.5),
        high_latency=percentile(spread, 0.95),
    )


def percentile(totals: Sequence[float], share: float) -> float:
    """A percentile of latencies, some of which may be infinite because nobody answered."""
    # "higher" picks an actual latency: interpolating between a number and infinity would give nan.
    return float(np.quantile(np.array(totals), share, method="higher"))


def is_borderline(medians: Sequence[float], deadline: float) -> bool:
    """Whether some median lies within 5 % of the deadline, so that chance decides."""
    return any(abs(median - deadline) <= BORDER * deadline for median in medians)


def known(value: float, digits: int = 6) -> float | None:
    """A number as JSON has it: None (null) where it is unknown, or infinite because nobody answered."""
    return round(value, digits) if math.isfinite(value) else None
