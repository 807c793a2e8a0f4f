"""Compares the cells that were run live with the computed map, by pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgent.lab.necessity.live import Asked, Seen
from edgent.lab.reproduction.figure import Column, Table
from edgent.planning.knobs import KNOBS, NEEDED, costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One cell: its computed values, and those of its live runs."""

    asked: Asked
    seen: Seen

    @property
    def computed(self) -> dict[str, float]:
        """By the map, what it costs to leave out each knob."""
        return costs(self.asked.best, self.asked.without)

    @property
    def live(self) -> dict[str, float]:
        """What it cost live; below 0 where the plan that the map takes for the best was not."""
        return {knob: self.seen.best - value for knob, value in self.seen.without.items()}

    def agrees(self, knob: str) -> bool:
        """Whether map and live runs agree on whether a knob is needed."""
        return (self.computed[knob] >= NEEDED) == (self.live[knob] >= NEEDED)


def agreement(checked: Sequence[Checked]) -> Table:
    """A table of how often map and live runs agree on each knob, borderline cells left out."""
    counted = [one for one in checked if not one.seen.borderline]
    columns = (
        Column(key="knob", title="knob"),
        Column(key="cells", title="cells"),
        Column(key="computed", title="needed as computed"),
        Column(key="live", title="needed live"),
        Column(key="agree", title="the same", show=lambda share: f"{100 * share:.1f} %"),
    )
    rows = []
    for knob in KNOBS:
        own = [one for one in counted if knob in one.asked.without]
        if own:
            computed, live = (sum(getattr(one, how)[knob] >= NEEDED for one in own) for how in ("computed", "live"))
            rows.append((knob, len(own), computed, live, float(np.mean([one.agrees(knob) for one in own]))))
    title = f"Run live: {len(checked)} cells; {len(checked) - len(counted)} borderline, not counted"
    return Table(title=title, columns=columns, rows=tuple(rows))


def differences(checked: Sequence[Checked]) -> tuple[Table, ...]:
    """Tables of the difference between live and computed accuracy in time, and of the cells that disagree."""
    counted = [one for one in checked if not one.seen.borderline]
    if not counted:
        return ()
    off = np.abs([one.seen.best - one.asked.best.expected for one in counted])
    columns = (
        Column(key="cells", title="cells"),
        *(
            Column(key=key, title=title, show=lambda share: f"{100 * share:.2f} points")
            for key, title in (("median", "median"), ("p95", "95th percentile"), ("largest", "largest"))
        ),
    )
    row = (len(counted), float(np.median(off)), float(np.quantile(off, 0.95)), float(off.max()))
    apart = [(one, knob) for one in counted for knob in one.asked.without if not one.agrees(knob)]
    return (
        Table(title="Accuracy in time of the best plan, live less computed", columns=columns, rows=(row,)),
        _cells("Where map and live run say different things", apart),
    )


def listed(checked: Sequence[Checked]) -> Table:
    """Every cell, for JSON."""
    return _cells("every cell that was run live", [(one, knob) for one in checked for knob in one.asked.without])


def _cells(title: str, verdicts: Sequence[tuple[Checked, str]]) -> Table:
    """A row for each cell and knob."""
    columns = (
        Column(key="device", title="device"),
        Column(key="input", title="input"),
        Column(key="variation", title="variation"),
        Column(key="bandwidth_bps", title="Mbit/s", show=lambda bps: f"{bps / 1e6:g}"),
        Column(key="deadline_ms", title="ms", show=lambda ms: f"{ms:g}"),
        Column(key="borderline", title="borderline"),
        Column(key="knob", title="knob"),
        Column(key="computed", title="computed", show=_points),
        Column(key="live", title="live", show=_points),
    )
    rows = tuple(
        (
            one.asked.cell.device,
            one.asked.cell.given,
            one.asked.cell.variation,
            one.asked.cell.bandwidth,
            round(1e3 * one.asked.cell.deadline, 6),
            one.seen.borderline,
            knob,
            one.computed[knob],
            one.live[knob],
        )
        for one, knob in verdicts
    )
    return Table(title=title, columns=columns, rows=rows)


def _points(cost: float) -> str:
    return f"{100 * cost:.1f}"
