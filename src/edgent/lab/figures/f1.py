"""F1: everything on the device against everything on the edge, at several bandwidths."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgent.engine.loading import load
from edgent.lab.figures.live import live_runs
from edgent.lab.figures.machines import Setting, at_the_speed_of, setting
from edgent.lab.figures.rig import Rig
from edgent.lab.figures.wide import wide_trunk
from edgent.lab.processes.live_runs import LiveRuns
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.planning.plan import Configuration
from edgent.report import Axis, Bars, Panel
from edgent.units import format_bandwidth

BANDWIDTHS = (1e6, 500e3, 250e3, 100e3, 50e3)
BOARDS = ("pi-3b+", "pi-4", "pi-5")
_ROUNDS = 3
_SOURCE = "source"  # the codec of the picture's file as it came


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the figure: a place where the answer is computed, with median times in seconds.

    Attributes:
        where: "device", or the edge's bandwidth in words.
        computing: On the device and at the edge.
        transfer: On the link and in calls.
    """

    where: str
    computing: float
    transfer: float

    @property
    def total(self) -> float:
        """The whole latency."""
        return self.computing + self.transfer


def run(lab: Lab) -> Result:
    """Runs the last exit everywhere and nowhere else."""
    papers = setting(lab, "paper-pi3")
    resident = setting(lab, "paper-pi3-resident")
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="edgent-wide-") as folder:
        wide = at_the_speed_of(resident, lab, load(wide_trunk(Path(folder))))
        shown = {one.name: _bars(lab, one, notes) for one in (papers, resident, wide)}
    boards = [setting(lab, board, coded=True) for board in BOARDS]
    today = {one.name: _bars(lab, one, notes) for one in boards}
    return result(shown, today, tuple(notes))


def _bars(lab: Lab, chosen: Setting, notes: list[str]) -> list[Bar]:
    branch = chosen.model.branches[-1]
    n = len(branch.layers)
    codec = _SOURCE if chosen.coded else "float32"
    own = Configuration(exit=branch.exit, upload_cut=n, download_cut=n)
    sent = Configuration(exit=branch.exit, upload_cut=0, download_cut=n, codec=codec)
    with Rig(chosen) as rig:
        bars = [bar("device", live_runs(lab, rig, None, [own], _ROUNDS)[own])]
        for bandwidth in BANDWIDTHS:
            runs = live_runs(lab, rig, bandwidth, [sent], _ROUNDS)[sent]
            bars.append(bar(format_bandwidth(bandwidth), runs))
        notes.append(str(rig))
    return bars


def bar(where: str, runs: LiveRuns) -> Bar:
    """The bar of some runs; all time that is not the link's counts as computing."""
    assert runs.stages is not None, "our own runs have stages"
    total, transfer = median(runs.totals), float(runs.stages.link)
    return Bar(where=where, computing=total - transfer, transfer=transfer)


def result(shown: Mapping[str, list[Bar]], today: Mapping[str, list[Bar]], notes: tuple[str, ...]) -> Result:
    """The figure, from the bars of each setting, the paper's first."""
    every = {**shown, **today}
    rows = tuple(
        (name, bar.where, 1e3 * bar.computing, 1e3 * bar.transfer, 1e3 * bar.total)
        for name, bars in every.items()
        for bar in bars
    )
    columns = (
        Column(key="setting", title="setting"),
        Column(key="where", title="where", show=lambda where: where if where == "device" else f"edge, {where}"),
        *(
            Column(key=f"{what}_ms", title=what, show=lambda ms: f"{ms:.1f} ms")
            for what in ("computing", "transfer", "total")
        ),
    )
    return Result(
        orderings=tuple(_ordering(name, bars) for name, bars in every.items()),
        tables=(Table(title="The last exit, medians", columns=columns, rows=rows),),
        panels=tuple(_panel(name, bars) for name, bars in shown.items()),
        notes=notes,
    )


def _ordering(name: str, bars: list[Bar]) -> Ordering:
    device, fast, slow = bars[0].total, bars[1].total, bars[-1].total
    reproduced = device > 4 * fast and slow > 0.8 * device
    transfer = bars[1].transfer / fast
    if reproduced:
        why = f"the transfer is {transfer:.0%} of the edge's latency at {bars[1].where}, and grows as 1 / bandwidth"
    elif device <= 4 * fast:
        why = "the device is too fast for this model: computing there costs less than, or little more than, sending"
    else:
        why = "what is sent is too small for a link of this bandwidth to matter"
    return Ordering(
        reported="the device alone is far slower than the edge at 1 Mbit/s, and about as slow as it at 50 kbit/s",
        ours=f"{name}: device {device:.3g} s; edge {fast:.3g} s at {bars[1].where}, {slow:.3g} s at {bars[-1].where}",
        reproduced=reproduced,
        why=why,
    )


def _panel(name: str, bars: list[Bar]) -> Panel:
    return Panel(
        title=name,
        x=Axis(label="the device, or the edge at a bandwidth"),
        y=Axis(label="latency, s"),
        marks=(
            Bars(name="computing", heights=[bar.computing for bar in bars]),
            Bars(name="transfer", heights=[bar.transfer for bar in bars]),
        ),
        categories=[bar.where for bar in bars],
    )


FIGURE = Figure(id="F1", title="the device alone against the edge alone, by bandwidth", minutes=4, run=run)
