"""The report of a file of records: latencies, who answered, where the time went, and whether plans held."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.planning.plan import STAGES
from edgent.report.page import Page, Section, paragraph, table
from edgent.report.panels import COLOURS, Axis, Line, Panel
from edgent.report.svg import lines
from edgent.telemetry import Record, summarise

_BY = {"edge": COLOURS[4], "device": COLOURS[5]}
_DOTS = 2000  # more in a plot only cost time


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsReport:
    """Records of one device, in the order in which they happened; one at least.

    Attributes:
        source: The name of their file.
        records: The records.
    """

    source: str
    records: Sequence[Record]

    @property
    def groups(self) -> dict[str, Sequence[Record]]:
        """The records by who answered, and all together; groups without any are left out."""
        groups = {name: [one for one in self.records if one.by == name] for name in _BY}
        return {"all": self.records} | {name: group for name, group in groups.items() if group}

    @property
    def answers(self) -> dict[str, dict[str, float]]:
        """For each group: the number of records, the share of deadlines met, and latencies in milliseconds."""
        return {name: _numbers(group) for name, group in self.groups.items()}

    @property
    def followed(self) -> list[tuple[float, float]]:
        """Seconds predicted and measured, for each request whose plan was followed."""
        # Where a local branch stood in, or another answer came first, the plan predicted something that did not happen.
        return [(one.plan.stages.total, one.total) for one in self.records if one.plan is not None and not one.why]

    def document(self) -> dict[str, object]:
        """The report in numbers: fractions, milliseconds, null for unknown."""
        errors = self._errors()
        return {
            "answers": self.answers,
            "exits": {str(exit): count for exit, count in self._exits()},
            "why": dict(self._whys()),
            "prediction_median_ape": statistics.median(errors) if errors else None,
            "promises": len(self._promised()),
            "promises_kept": self._kept(),
        }

    def page(self) -> Page:
        """The report as a page."""
        summary = summarise(self.records)
        return Page(
            title="Edgent: what happened",
            lead=f"{summary.count} records of {self.source}; {summary.deadlines_met:.1%} of the deadlines were met.",
            sections=(self._overall(), self._over_time(), self._stages(), self._plans(), self._departures()),
        )

    def _overall(self) -> Section:
        head = ("answered by", "answers", "deadlines met, %", "p50, ms", "p95, ms")
        named = ", ".join(f"exit {exit}: {count}" for exit, count in self._exits()) or "none"
        rows = [_row(name, numbers) for name, numbers in self.answers.items()]
        return Section(title="Overall", parts=(table(head, rows), paragraph(f"Answers by exit: {named}.")))

    def _over_time(self) -> Section:
        # Every n-th record, by rounding up: a day has a hundred thousand, and a page must still open.
        step = -(-len(self.records) // _DOTS)
        shown = list(enumerate(self.records, start=1))[::step]
        series = [
            Line(
                name=f"answered by the {name}",
                x=[float(number) for number, one in shown if one.by == name],
                y=[one.total * 1e3 for _, one in shown if one.by == name],
                colour=colour,
                form="points",
            )
            for name, colour in _BY.items()
        ]
        thinned = (paragraph(f"One record in {step} is drawn."),) if step > 1 else ()
        panel = Panel(x=Axis(label="record, number"), y=Axis(label="latency, ms", low=0.0), marks=series)
        return Section(title="Latency", parts=(lines(panel, width=900), *thinned))

    def _stages(self) -> Section:
        groups = self.groups
        rows = [(stage, *(_median(stage, group) for group in groups.values())) for stage in STAGES]
        head = ("stage, median in ms", *(name if name == "all" else f"by the {name}" for name in groups))
        return Section(title="Where the time went", parts=(table(head, rows),))

    def _plans(self) -> Section:
        title = "Whether the plans held"
        pairs, errors = self.followed, self._errors()
        if not pairs:
            return Section(title=title, parts=(paragraph("No plan with a prediction was followed."),))
        step = -(-len(pairs) // _DOTS)
        promised_ms = [promised * 1e3 for promised, _ in pairs[::step]]
        taken_ms = [seconds * 1e3 for _, seconds in pairs[::step]]
        ends = [min(promised_ms + taken_ms), max(promised_ms + taken_ms)]
        series = [
            Line(name="answers", x=promised_ms, y=taken_ms, colour=COLOURS[4], form="points"),
            Line(name="as predicted", x=ends, y=ends, colour="#444", dashed=True),
        ]
        promised, kept = len(self._promised()), self._kept()
        said = f"Median absolute error of the total: {statistics.median(errors):.1%} over {len(pairs)} plans followed."
        if kept is not None:
            said += f" Of {promised} promised to be in time {kept:.1%} were."
        panel = Panel(x=Axis(label="predicted, ms", log=True), y=Axis(label="taken, ms", log=True), marks=series)
        return Section(title=title, parts=(paragraph(said), lines(panel)))

    def _departures(self) -> Section:
        rows = [(why, str(count), f"{count / len(self.records) * 100:.1f}") for why, count in self._whys()]
        part = table(("why", "answers", "of all, %"), rows) if rows else paragraph("None.")
        return Section(title="Plans that were not followed", parts=(part,))

    def _exits(self) -> list[tuple[int, int]]:
        return sorted(Counter(one.exit for one in self.records if one.exit is not None).items())

    def _whys(self) -> list[tuple[str, int]]:
        return Counter(one.why for one in self.records if one.why).most_common()

    def _errors(self) -> list[float]:
        return [abs(promised - actual) / actual for promised, actual in self.followed if actual > 0]

    def _promised(self) -> list[Record]:
        return [one for one in self.records if one.plan is not None and one.plan.meets_deadline]

    def _kept(self) -> float | None:
        promised = self._promised()
        return statistics.fmean(one.deadline_met for one in promised) if promised else None


def _numbers(records: Sequence[Record]) -> dict[str, float]:
    records_summary = summarise(records)
    return {
        "count": records_summary.count,
        "deadlines_met": records_summary.deadlines_met,
        "p50_ms": records_summary.p50 * 1e3,
        "p95_ms": records_summary.p95 * 1e3,
    }


def _median(stage: str, records: Sequence[Record]) -> str:
    return f"{statistics.median(getattr(one.stages, stage) for one in records) * 1e3:.2f}"


def _row(name: str, numbers: dict[str, float]) -> tuple[str, ...]:
    times = (f"{numbers[key]:.1f}" for key in ("p50_ms", "p95_ms"))
    return (name, f"{numbers['count']:g}", f"{numbers['deadlines_met'] * 100:.1f}", *times)
