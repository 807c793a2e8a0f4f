"""F8a: the exit and the partition chosen at a deadline of 1000 ms, by bandwidth; run live."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgent.lab.figures.choosing import chains, paper_choice
from edgent.lab.figures.f8 import (
    BANDWIDTHS,
    DEADLINE,
    ChosenPoint,
    chosen_and_run,
    exits,
    interior,
    mispredicted,
    panels,
    table,
)
from edgent.lab.figures.machines import Setting, setting
from edgent.lab.figures.rig import Rig
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table, Value
from edgent.planning.paper.algorithm1 import device_first_latencies, edge_first_latencies
from edgent.report import Axis
from edgent.units import BitsPerSecond

_GRID = tuple(float(rate) for rate in np.geomspace(10e3, 100e6, 41))  # likewise, of links
_BEST_CUTS = f"Where the best cut lies, over 5 exits and {len(_GRID)} bandwidths of 10 kbit/s to 100 Mbit/s, computed"
_CUT_COLUMNS = (
    Column(key="setting", title="setting"),
    Column(key="direction", title="direction"),
    Column(key="device_only", title="device alone"),
    Column(key="inner", title="inner cut"),
    Column(key="edge_only", title="edge alone"),
)
_WHOLES = tuple(float(seconds) for seconds in np.geomspace(0.1, 10, 161))  # of devices that are only computed


def run(lab: Lab) -> Result:
    """Chooses on what the device measures of the link, and runs what was chosen."""
    papers = [setting(lab, name) for name in ("paper-pi3", "paper-pi3-resident")]
    today = [setting(lab, name, coded=True) for name in ("paper-pi3", "pi-3b+")]
    points: list[ChosenPoint] = []
    notes = []
    for one in (*papers, *today):
        with Rig(one) as rig:
            points += chosen_and_run(lab, rig, [(bandwidth, DEADLINE) for bandwidth in BANDWIDTHS])
            notes.append(str(rig))
    table = Table(title=_BEST_CUTS, columns=_CUT_COLUMNS, rows=tuple(row for one in papers for row in best_cuts(one)))
    return result(points, showing(papers[0]), table, tuple(notes))


def showing(setting: Setting) -> list[float]:
    """The seconds for the whole network that a device must need for the paper's ordering to appear, computed."""
    host = setting.host
    shown = []
    for whole in _WHOLES:
        device = host.scaled(whole / host.branches[-1].whole.median, "a device")
        branches = chains(setting.model, device, setting.edge)
        chosen = [paper_choice(branches, rate, DEADLINE, device_first=False).exit for rate in BANDWIDTHS]
        if rises(chosen):
            shown.append(whole)
    return shown


def best_cuts(setting: Setting) -> list[tuple[Value, ...]]:
    """Where the best cut of a branch lies in either direction, over exits and bandwidths; computed.

    Where the edge is faster on every layer, an inner cut of the edge-first direction never beats the edge alone: giving
    the suffix back to the edge takes away time and a transfer.
    """
    branches = chains(setting.model, setting.profile, setting.edge)
    rows: list[tuple[Value, ...]] = []
    for name, latencies in (("edge-first", edge_first_latencies), ("device-first", device_first_latencies)):
        counts = [0, 0, 0]
        for branch in branches:
            for bandwidth in _GRID:
                by_point = latencies(branch, BitsPerSecond(bandwidth))
                best = min(range(len(by_point)), key=by_point.__getitem__)
                counts[1 if 0 < best < len(by_point) - 1 else 0 if best == 0 else 2] += 1
        ends = counts if name == "edge-first" else counts[::-1]  # the first point is the device's, or the edge's
        rows.append((setting.name, name, *ends))
    return rows


def rises(chosen: Sequence[int | None]) -> bool:
    """Whether a plan was found everywhere, and the exit rises with the bandwidth from an inner one to the last."""
    known = [-1 if exit is None else exit for exit in chosen]
    return known == sorted(known) and 0 <= known[0] < known[-1] == 4


def result(points: Sequence[ChosenPoint], shown_by: Sequence[float], best: Table, notes: tuple[str, ...]) -> Result:
    """The figure, from the points, the devices that would show the paper's ordering, and where the best cuts lie."""
    settings = dict.fromkeys((point.setting, point.method) for point in points)
    return Result(
        orderings=tuple(_ordering(points, setting, method, shown_by) for setting, method in settings),
        tables=(best, table("Deadline 1000 ms", points)),
        panels=panels(points, Axis(label="bandwidth, kbit/s", log=True), lambda point: point.bandwidth / 1e3),
        notes=(f"{interior(points)} of {len(points)} choices leave work to both machines", *notes),
    )


def _ordering(points: Sequence[ChosenPoint], setting: str, method: str, shown_by: Sequence[float]) -> Ordering:
    chosen = exits(points, setting, method)
    reproduced = rises(chosen)
    of_such = f"{shown_by[0]:.2g} to {shown_by[-1]:.2g} s" if shown_by else "no time at all"
    wrong = mispredicted(points, setting, method)
    if reproduced and wrong is not None:
        predicted, latency = (1e3 * (seconds or 0.0) for seconds in (wrong.choice.predicted, wrong.latency))
        why = (
            f"only by a wrong prediction: the paper's regressions have {predicted:.0f} ms where {latency:.0f} are "
            "measured, so that an early exit seems all that fits on the device"
        )
    elif reproduced:
        why = "while the input is too slow to send, an early exit fits on the device"
    elif -1 in chosen:
        why = f"where the input is too slow to send, no exit fits on the device; one that needs {of_such} would show it"
    else:
        why = f"one exit is in time everywhere; a device that needs {of_such} for the whole network would show it"
    return Ordering(
        reported="an inner exit below about 250 kbit/s, then later ones up to the last",
        ours=f"{setting}, {method}: exits {' '.join('-' if exit < 0 else str(exit) for exit in chosen)}",
        reproduced=reproduced,
        why=why,
    )


FIGURE = Figure(id="F8a", title="exit and partition at a deadline of 1000 ms, by bandwidth", minutes=5, run=run)
