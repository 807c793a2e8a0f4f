"""The hours of days in a report: how many answers were in time, how late they were, who gave them, what was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np

from edgent.report.page import Section, paragraph, scrolled, table
from edgent.report.panels import COLOURS, Axis, Line, Panel
from edgent.report.rows import Rows
from edgent.report.svg import lines
from edgent.text import escaped

_SLOT = 900  # seconds: all clocks of the world differ by quarters of an hour
_SHADE = 0.55  # of the colour of an hour in which all was late: what is written on it is still read
_KINDS = (("source", "camera"), ("model", "model"), ("device", "device"))

_NO_PLAN, _PLANNED_LATE, _SLOWER = "no plan", "no plan was in time", "it took longer than planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that are counted together.

    Attributes:
        name: What they have in common.
        count: How many they are.
        met: The share that was in time.
        p50_ms: Median of the latency.
        p95_ms: Its 95th percentile.
        edge: The share that the edge answered.
        misses: How many were late, by the reason, the most frequent first.
    """

    name: str
    count: int
    met: float
    p50_ms: float
    p95_ms: float
    edge: float
    misses: dict[str, int]

    @classmethod
    def of(cls, name: str, rows: Rows) -> Group:
        """The numbers of some rows, one at least."""
        p50, p95 = np.percentile(rows.values["total"], [50, 95]) * 1e3
        return cls(
            name=name,
            count=len(rows),
            met=float(rows.values["met"].mean()),
            p50_ms=float(p50),
            p95_ms=float(p95),
            edge=float(rows.values["by_edge"].mean()),
            misses=misses(rows),
        )

    def document(self) -> dict[str, object]:
        """The numbers as JSON has them, without the name."""
        return {
            "count": self.count,
            "deadlines_met": self.met,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "edge": self.edge,
            "misses": self.misses,
        }


def misses(rows: Rows) -> dict[str, int]:
    """How many answers were late, by the reason, the most frequent first."""
    # By columns: rows are wide, and to copy those that were late takes longer than to count them.
    values, late = rows.values, ~rows.values["met"]
    counts = Counter(rows.counted("why", late & (values["why"] > 0)))
    # Where the record says nothing of what went wrong, its plan tells whose fault it was.
    silent = late & (values["why"] == 0)
    planned = ~np.isnan(values["predicted"])
    for words, chosen in (
        (_NO_PLAN, silent & ~planned),
        (_PLANNED_LATE, silent & planned & ~values["promised"]),
        (_SLOWER, silent & planned & values["promised"]),
    ):
        counts[words] += int(chosen.sum())
    return {why: count for why, count in counts.most_common() if count}


def hours(rows: Rows, zone: tzinfo | None = UTC) -> dict[datetime, Group]:
    """The groups of all hours that have rows, by their beginning on the clocks of a zone (None: of this machine)."""
    timed = rows.where(slice(int(np.count_nonzero(~np.isnan(rows.values["at"])))))  # those without a time come last
    if not len(timed):
        return {}
    slots = (timed.values["at"] // _SLOT).astype(np.int64)
    first = np.flatnonzero(np.diff(slots, prepend=slots[0] - 1))
    ends: dict[datetime, list[int]] = {}
    for begin, end in zip(first, [*first[1:], len(slots)], strict=True):
        hour = _hour(int(slots[begin]) * _SLOT, zone)
        ends.setdefault(hour, [int(begin), 0])[1] = int(end)
    return {hour: Group.of(f"{hour:%Y-%m-%d %H:00}", timed.where(slice(*pair))) for hour, pair in ends.items()}


def _hour(seconds: int, zone: tzinfo | None) -> datetime:
    local = datetime.fromtimestamp(seconds, UTC).astimezone(zone)
    # By its distance to UTC: on the night when clocks are put back, one hour comes twice.
    return local.replace(minute=0, second=0, tzinfo=timezone(local.utcoffset() or timedelta()))


def kinds(rows: Rows) -> Iterator[tuple[str, list[Group]]]:
    """The groups by camera, by model and by device, where there are several."""
    for key, word in _KINDS:
        names = rows.counted(key)
        if len(names) > 1:
            yield word, [Group.of(name or "not noted", rows.where(rows.having(key, name))) for name in sorted(names)]


def sections(rows: Rows, zone: tzinfo | None) -> tuple[Section, ...]:
    """What a page says of hours, cameras, models and devices; nothing where no record bears a time or such a name."""
    by_hour, late = hours(rows, zone), misses(rows)
    made = [Section(title=f"By {word}", parts=(_table(word, groups),)) for word, groups in kinds(rows)]
    if late:
        share = sum(late.values())
        body = [(why, str(count), f"{count / share * 100:.1f}") for why, count in late.items()]
        made.append(Section(title="What was late, and why", parts=(table(("why", "answers", "of the late, %"), body),)))
    if by_hour:
        made.append(Section(title="Hours of days", parts=tuple(_hours(by_hour, rows))))
    return tuple(made)


def _hours(by_hour: dict[datetime, Group], rows: Rows) -> Iterator[str]:
    zone = next(iter(by_hour)).tzname() or "UTC"
    yield paragraph(f"Answers in time, in percent, by the hour ({zone}); empty where there were none.")
    yield _calendar(by_hour)
    yield _over_time(by_hour)
    yield _table("hour", list(by_hour.values()))
    if untimed := int(np.isnan(rows.values["at"]).sum()):
        yield paragraph(f"{untimed} records bear no time, and are in none of these hours.")


def _calendar(by_hour: dict[datetime, Group]) -> str:
    """Days as rows and hours as columns."""
    days: dict[str, dict[int, Group]] = {}
    for hour, group in by_hour.items():
        days.setdefault(f"{hour:%Y-%m-%d, %a}", {})[hour.hour] = group
    head = "".join(f"<th>{hour:02}</th>" for hour in range(24))
    body = "".join(
        f"<tr><td>{escaped(day)}</td>{''.join(_cell(groups.get(hour)) for hour in range(24))}</tr>"
        for day, groups in days.items()
    )
    table_ = f"<table><thead><tr><th>day</th>{head}</tr></thead><tbody>{body}</tbody></table>"
    return scrolled(table_, "Answers in time by day and hour")


def _cell(group: Group | None) -> str:
    if group is None:
        return "<td></td>"
    said = f"{group.count} answers, median {group.p50_ms:.1f} ms"
    # Rounded down: 100 means all.
    return (
        f'<td style="background:rgba(192,57,43,{(1 - group.met) * _SHADE:.2f})" title="{said}">'
        f"{np.floor(group.met * 100):.0f}</td>"
    )


def _over_time(by_hour: dict[datetime, Group]) -> str:
    begin = min(by_hour).replace(hour=0)
    at = [(hour - begin).total_seconds() / 3600 for hour in by_hour]

    def line(name: str, heights: list[float], colour: str) -> Line:
        return Line(name=name, x=at, y=heights, form="points", colour=colour)

    series = [
        line("median", [group.p50_ms for group in by_hour.values()], COLOURS[5]),
        line("95th percentile", [group.p95_ms for group in by_hour.values()], COLOURS[1]),
    ]
    axis = Axis(label=f"hours since {begin:%Y-%m-%d} 00:00", whole=True, low=0.0)
    plot = lines(Panel(x=axis, y=Axis(label="latency, ms", low=0.0), marks=series), width=900)
    return scrolled(plot, "Latency by the hour")


def _table(word: str, groups: list[Group]) -> str:
    head = (word, "answers", "in time, %", "p50, ms", "p95, ms", "by the edge, %", "late", "most of them because")
    return table(head, [_row(group) for group in groups], words=(7,))


def _row(group: Group) -> tuple[str, ...]:
    late = sum(group.misses.values())
    times = (group.met * 100, group.p50_ms, group.p95_ms, group.edge * 100)
    numbers = (f"{number:.1f}" for number in times)
    return (group.name, str(group.count), *numbers, str(late), next(iter(group.misses), ""))
