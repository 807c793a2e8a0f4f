"""The report of records: latencies, who answered, what was late, where the time went, and whether plans held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.planning.plan import STAGES
from edgent.report.days import Group, hours, kinds, misses, sections
from edgent.report.page import Page, Section, paragraph, scrolled, table
from edgent.report.panels import COLOURS, Axis, Line, Panel
from edgent.report.rows import Rows
from edgent.report.svg import lines

_BY = {"edge": COLOURS[4], "device": COLOURS[5]}
_DOTS = 2000  # more in a plot only cost time


@dataclass(frozen=True, kw_only=True)  # without slots, so that what takes long is counted once
class RecordsReport:
    """Records in the order in which they happened; one at least.

    Attributes:
        source: The name of their file, or how many files there are.
        rows: The records.
        zone: On whose clocks hours are; None: this machine's.
    """

    source: str
    rows: Rows
    zone: tzinfo | None = UTC

    @cached_property
    def groups(self) -> dict[str, Rows]:
        """The records by who answered, and all together; groups without any are left out."""
        by_edge = self.rows.values["by_edge"]
        groups = {"edge": self.rows.where(by_edge), "device": self.rows.where(~by_edge)}
        return {"all": self.rows} | {name: group for name, group in groups.items() if len(group)}

    @cached_property
    def answers(self) -> dict[str, dict[str, float]]:
        """For each group: the number of records, the share of deadlines met, and latencies in milliseconds."""
        return {name: _numbers(Group.of(name, group)) for name, group in self.groups.items()}

    def document(self) -> dict[str, object]:
        """The report in numbers: fractions, milliseconds, null for unknown."""
        predicted, taken = self._followed()
        return {
            "answers": self.answers,
            "exits": {str(exit): count for exit, count in self._exits()},
            "why": self._whys(),
            "misses": misses(self.rows),
            **{f"by_{word}": {group.name: group.document() for group in groups} for word, groups in kinds(self.rows)},
            "hours": {hour.isoformat(): group.document() for hour, group in hours(self.rows, self.zone).items()},
            "prediction_median_ape": _median_error(predicted, taken),
            "promises": int(self.rows.values["promised"].sum()),
            "promises_kept": self._kept(),
        }

    def page(self) -> Page:
        """The report as a page."""
        every = self.answers["all"]
        return Page(
            title="Edgent: what happened",
            lead=f"{len(self.rows)} records of {self.source}; {every['deadlines_met']:.1%} of the deadlines were met.",
            sections=(
                self._overall(),
                *sections(self.rows, self.zone),
                self._over_time(),
                self._stages(),
                self._plans(),
                self._departures(),
            ),
        )

    def _overall(self) -> Section:
        head = ("answered by", "answers", "deadlines met, %", "p50, ms", "p95, ms")
        named = ", ".join(f"exit {exit}: {count}" for exit, count in self._exits()) or "none"
        rows = [_row(name, numbers) for name, numbers in self.answers.items()]
        return Section(title="Overall", parts=(table(head, rows), paragraph(f"Answers by exit: {named}.")))

    def _over_time(self) -> Section:
        # Every n-th record, by rounding up: a day has a hundred thousand, and a page must still open.
        step = -(-len(self.rows) // _DOTS)
        shown = self.rows.values[::step]
        numbers = np.arange(1, len(self.rows) + 1, step)
        series = [
            Line(
                name=f"answered by the {name}",
                x=numbers[shown["by_edge"] == (name == "edge")].tolist(),
                y=(shown["total"][shown["by_edge"] == (name == "edge")] * 1e3).tolist(),
                colour=colour,
                form="points",
            )
            for name, colour in _BY.items()
        ]
        thinned = (paragraph(f"One record in {step} is drawn."),) if step > 1 else ()
        panel = Panel(x=Axis(label="record, number", whole=True), y=Axis(label="latency, ms", low=0.0), marks=series)
        return Section(title="Latency", parts=(scrolled(lines(panel, width=900), "Latency by record"), *thinned))

    def _stages(self) -> Section:
        groups = self.groups
        # A stage at a time: medians of all at once would copy the records once more.
        rows = [
            (stage, *(f"{np.median(group.values['stages'][:, k]) * 1e3:.2f}" for group in groups.values()))
            for k, stage in enumerate(STAGES)
        ]
        head = ("stage, median in ms", *(name if name == "all" else f"by the {name}" for name in groups))
        return Section(title="Where the time went", parts=(table(head, rows),))

    def _plans(self) -> Section:
        title = "Whether the plans held"
        predicted, taken = self._followed()
        error, kept = _median_error(predicted, taken), self._kept()
        if error is None:
            return Section(title=title, parts=(paragraph("No plan with a prediction was followed."),))
        said = f"Median absolute error of the total: {error:.1%} over {len(predicted)} plans followed."
        if kept is not None:
            said += f" Of {self.rows.values['promised'].sum()} promised to be in time {kept:.1%} were."
        step = -(-len(predicted) // _DOTS)
        predicted_ms, taken_ms = ((times[::step] * 1e3).tolist() for times in (predicted, taken))
        ends = [min(predicted_ms + taken_ms), max(predicted_ms + taken_ms)]
        series = [
            Line(name="answers", x=predicted_ms, y=taken_ms, colour=COLOURS[4], form="points"),
            Line(name="as predicted", x=ends, y=ends, colour="#444", dashed=True),
        ]
        panel = Panel(x=Axis(label="predicted, ms", log=True), y=Axis(label="taken, ms", log=True), marks=series)
        return Section(title=title, parts=(paragraph(said), lines(panel)))

    def _departures(self) -> Section:
        rows = [(why, str(count), f"{count / len(self.rows) * 100:.1f}") for why, count in self._whys().items()]
        part = table(("why", "answers", "of all, %"), rows) if rows else paragraph("None.")
        return Section(title="Plans that were not followed", parts=(part,))

    def _exits(self) -> list[tuple[int, int]]:
        exits, counts = np.unique(self.rows.values["exit"], return_counts=True)
        return [(int(exit), int(count)) for exit, count in zip(exits, counts, strict=True) if exit >= 0]

    def _whys(self) -> dict[str, int]:
        return {why: count for why, count in self.rows.counted("why").items() if why}

    def _followed(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Seconds predicted and taken, of the requests whose plan was followed."""
        # Where a local branch stood in, or another answer came first, the plan predicted something that did not happen.
        values = self.rows.values
        followed = values[(values["why"] == 0) & ~np.isnan(values["predicted"])]
        return followed["predicted"], followed["total"]

    def _kept(self) -> float | None:
        """The share of those in time that were promised to be; None where nothing was promised."""
        values = self.rows.values
        return float(values["met"][values["promised"]].mean()) if values["promised"].any() else None


def _median_error(predicted: NDArray[Any], taken: NDArray[Any]) -> float | None:
    lasting = taken > 0
    if not lasting.any():
        return None
    return float(np.median(np.abs(predicted[lasting] - taken[lasting]) / taken[lasting]))


def _numbers(group: Group) -> dict[str, float]:
    return {
        "count": group.count,
        "deadlines_met": group.met,
        "p50_ms": group.p50_ms,
        "p95_ms": group.p95_ms,
    }


def _row(name: str, numbers: dict[str, float]) -> tuple[str, ...]:
    times = (f"{numbers[key]:.1f}" for key in ("p50_ms", "p95_ms"))
    return (name, f"{numbers['count']:g}", f"{numbers['deadlines_met'] * 100:.1f}", *times)
