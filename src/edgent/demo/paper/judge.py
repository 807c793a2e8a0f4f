"""Turns plans and live runs into results, by pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgent.demo.paper.figures import Figures, figures, is_borderline, overall, percentile
from edgent.demo.paper.paired import Comparison, Draws, Floats, compare, outcomes
from edgent.demo.paper.result import CellOutcome, Extra
from edgent.demo.paper.rivals import Rivals
from edgent.demo.paper.values import METHODS, OURS, RIVAL, Cell, Chosen, Live
from edgent.lab.processes.live_runs import LiveRuns, Setup

_LATE = 0.995  # share in time below which the edge counts as late


class Judge:
    """Compares the methods on the same requests.

    Args:
        live: the planned cells and their live runs.
        rivals: the codecs that the rival may use.
    """

    def __init__(self, live: Live, rivals: Rivals) -> None:
        self._live, self._rivals = live, rivals
        bandwidths = dict.fromkeys(cell.bandwidth for cell in live.cells)
        # One set of draws for each link state, with a seed of its own: all methods share it (see `paired`).
        self._draws = {b: Draws.of(_requests(live.measured, b), seed) for seed, b in enumerate(bandwidths)}

    def points(self) -> tuple[CellOutcome, ...]:
        """The result of every cell."""
        return tuple(self._point(cell) for cell in self._live.cells)

    def overall(self, points: Sequence[CellOutcome]) -> dict[str, Figures]:
        """The result of each method over all cells."""
        draws = self._draws_of(points)
        return {
            name: overall(
                self._outcomes(points, name),
                [self._live.measured[p.chosen[name].setup].totals[: p.requests] for p in points],
                float(np.mean([p.figures[name].deadlines_met for p in points])),
                draws,
            )
            for name in METHODS
        }

    def compared(self, points: Sequence[CellOutcome]) -> dict[str, Comparison]:
        """Edgent compared with each other method over all cells."""
        ours, draws = self._outcomes(points, OURS), self._draws_of(points)
        return {name: compare(ours, self._outcomes(points, name), draws) for name in METHODS if name != OURS}

    def _point(self, cell: Cell) -> CellOutcome:
        draws, measured = self._draws[cell.bandwidth], self._live.measured
        # The rival gets its best codec in hindsight: what it could have, not what it would have guessed.
        chosen = {**cell.chosen, RIVAL: self._rivals.best(measured, cell.bandwidth, cell.deadline)}
        ran = {name: measured[chosen[name].setup] for name in METHODS}
        worth = {name: outcomes(chosen[name], ran[name], cell.deadline, draws.requests) for name in METHODS}
        by_method = {name: figures(chosen[name], ran[name], cell.deadline, draws.requests) for name in METHODS}
        return CellOutcome(
            cell=cell,
            borderline=is_borderline([method_figures.median for method_figures in by_method.values()], cell.deadline),
            requests=draws.requests,
            chosen=chosen,
            figures=by_method,
            compared={name: compare([worth[OURS]], [worth[name]], [draws]) for name in METHODS if name != OURS},
            race=_late_without_race(chosen[OURS], by_method[OURS], chosen["right-sizing"], cell.deadline),
            decision=self._live.decisions.get((cell.bandwidth, cell.deadline)),
        )

    def _outcomes(self, points: Sequence[CellOutcome], name: str) -> list[Floats]:
        return [
            outcomes(p.chosen[name], self._live.measured[p.chosen[name].setup], p.cell.deadline, p.requests)
            for p in points
        ]

    def _draws_of(self, points: Sequence[CellOutcome]) -> list[Draws]:
        return [self._draws[point.cell.bandwidth] for point in points]


def transport(measured: Mapping[Setup, LiveRuns]) -> tuple[Extra, ...]:
    """Our median less the bare socket's, for each configuration that ran over both."""
    # The bare runs are the rival's. Where one of our methods chose the very same configuration, both sent the same
    # bytes over the same link to the same network, and what is left is our transport.
    pairs = []
    for setup, live in measured.items():
        ours = replace(setup, bare=False)
        if setup.bare and setup.bandwidth is not None and ours in measured:
            seconds = percentile(measured[ours].totals, 0.5) - percentile(live.totals, 0.5)
            pairs.append(Extra(bandwidth=setup.bandwidth, codec=setup.configuration.codec, seconds=seconds))
    return tuple(pairs)


def _requests(measured: Mapping[Setup, LiveRuns], bandwidth: float) -> int:
    """The number of requests that every setup of a link state has run, those without a link included."""
    # The fewest of all: a pair of methods is compared request by request, so both need the same ones.
    return min(len(runs.totals) for setup, runs in measured.items() if setup.bandwidth in (None, bandwidth))


def _late_without_race(ours: Chosen, achieved: Figures, alone: Chosen, deadline: float) -> bool:
    """Whether the edge was late where the device alone could have answered."""
    alone_in_time = alone.predicted is not None and alone.predicted < deadline
    return ours.setup.bandwidth is not None and achieved.deadlines_met < _LATE and alone_in_time
