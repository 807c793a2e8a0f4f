"""What a device's answers and frames add up to since it began: the numbers of the page and of `/metrics`. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from edgent.events import Event
from edgent.names import Names
from edgent.planning.plan import ALONE, STAGES
from edgent.telemetry import Record

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the latencies that are counted together, in seconds."""

MOST_SOURCES = 32
_MOST_REASONS = 32


@dataclass(slots=True)
class SourceTally:
    """What became of one source's frames; `in_time` and `late` are those that were answered."""

    in_time: int = 0
    late: int = 0
    refined: int = 0
    replaced: int = 0
    failed: int = 0


@dataclass(slots=True)
class LatencyTally:
    """How long answers of one side took: how many up to each of `BUCKETS` and above, and the seconds of all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """One more answer."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class Tallies:
    """Counts events.

    Attributes:
        sources: by name; of many, the last ones have one name in common.
        latencies: by who may answer.
        stages: seconds of all answers, by stage; of a device without an edge those that it has.
        detours: how many answers are not by their plan, by reason.
        missed: how many answers were late, by reason.
    """

    def __init__(self, *, has_edge: bool = True) -> None:
        self.sources: dict[str, SourceTally] = {}
        self.latencies = {side: LatencyTally() for side in (("device", "edge") if has_edge else ("device",))}
        self.stages = dict.fromkeys(STAGES if has_edge else ALONE, 0.0)
        self.detours: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self._names, self._reasons = Names(MOST_SOURCES), Names(_MOST_REASONS)

    def add(self, event: Event) -> str:
        """Counts an event; the name under which its source is counted."""
        name = self._names.of(event.source)
        tally = self.sources.setdefault(name, SourceTally())
        match event.kind:
            case "answer":
                tally.in_time += int(event.record is not None and event.record.deadline_met)
                tally.late += int(event.record is not None and not event.record.deadline_met)
            case "refined":
                tally.refined += 1
            case "replaced":
                tally.replaced += 1
            case "failed":
                tally.failed += 1
        if event.kind == "answer" and event.record is not None:
            self._add_record(event.record)
        return name

    def _add_record(self, record: Record) -> None:
        self.latencies[record.by].add(record.total)
        for stage in self.stages:
            self.stages[stage] += getattr(record.stages, stage)
        if record.why:
            # What somebody said of a reason stands behind a colon, and is another one each time.
            self.detours[self._reasons.of(record.why.partition(":")[0])] += 1
        if not record.deadline_met:
            self.missed[self._reasons.of(reason_of(record))] += 1

    def __repr__(self) -> str:
        answered = sum(tally.in_time + tally.late for tally in self.sources.values())
        return f"<Tallies: {answered} answers of {len(self.sources)} sources>"


def reason_of(record: Record) -> str:
    """Why an answer was late, in a few words: what kept it from its plan, else the stage that took longest."""
    return record.why.partition(":")[0] or f"{record.stages.dominating} took longest"
