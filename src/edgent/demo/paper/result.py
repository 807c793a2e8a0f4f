"""The results of the demo, as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgent.demo.paper.beside import Beside
from edgent.demo.paper.cells import MOST_BORDERLINE
from edgent.demo.paper.figures import Figures, known, percentile
from edgent.demo.paper.methods import PLANNED
from edgent.demo.paper.outage import Unplugged
from edgent.demo.paper.paired import Comparison
from edgent.demo.paper.values import OURS, Cell, Chosen, DemoOptions
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup
from edgent.planning.knobs import RACE
from edgent.units import BitsPerSecond


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutcome:
    """One cell with its results.

    Attributes:
        cell: what was planned.
        borderline: whether some method's median lies within 5 % of the deadline.
        requests: how many each method was judged by.
        chosen: what each method ran, the rival included.
        figures: the result of each method.
        compared: Edgent beside each other method, request by request.
        race: whether the edge was late, without the race, where the device alone could have answered.
        decision: what the device itself decided.
    """

    cell: Cell
    borderline: bool
    requests: int
    chosen: Mapping[str, Chosen]
    figures: Mapping[str, Figures]
    compared: Mapping[str, Comparison]
    race: bool = False
    decision: Decision | None = None

    @property
    def worse_than(self) -> tuple[str, ...]:
        """The methods that Edgent is worse than."""
        return tuple(name for name, comparison in self.compared.items() if comparison.worse)

    @property
    def lower_than(self) -> tuple[str, ...]:
        """The methods that are more than half a point ahead of Edgent, perhaps by chance."""
        return tuple(name for name, comparison in self.compared.items() if comparison.lower)

    @property
    def confirmed(self) -> bool:
        """Whether the device itself decided what was planned here."""
        return self.decision is not None and self.decision.configuration == self.chosen[OURS].setup.configuration

    def document(self) -> dict[str, Any]:
        """The cell as JSON has it."""
        return {
            "bandwidth_bps": round(self.cell.bandwidth, 3),
            "deadline_ms": round(self.cell.deadline * 1e3, 6),
            "borderline": self.borderline,
            "methods": {name: figures.document() for name, figures in self.figures.items()},
            "requests": self.requests,
            "compared": {name: self._verdict(comparison) for name, comparison in self.compared.items()},
            "confirmed": self.confirmed,
        }

    def _verdict(self, compared: Comparison) -> dict[str, Any]:
        verdict = "borderline" if self.borderline else "worse" if compared.worse else "not worse"
        return {**_numbers(compared), "verdict": verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine of the demo, and how well it stood in for a slower device.

    Attributes:
        machine: in words.
        engine: what ran the graphs.
        device: the emulated device in words.
        account: how well this machine kept its pace.
        commands: the commands that repeat what is shown.
    """

    machine: str
    engine: str
    device: str
    account: EmulationReport
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """How much longer our transport takes than a bare socket with the same picture: medians, in seconds."""

    bandwidth: BitsPerSecond
    codec: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """Everything that the demo measured, and what follows from it.

    Attributes:
        options: what was asked.
        model: its name.
        digest: of the model.
        data: what the accuracies were measured on.
        host: what it ran on.
        points: the cells.
        overall: each method over all cells.
        compared: Edgent beside each other method, over all cells.
        measured: the live runs.
        beside: the second device.
        unplugged: the run with the cut link, if it was asked for.
        transport: what our transport costs.
        seconds: how long the whole demo took.
    """

    options: DemoOptions
    model: str
    digest: str
    data: str
    host: Host
    points: tuple[CellOutcome, ...]
    overall: Mapping[str, Figures]
    compared: Mapping[str, Comparison]
    measured: Mapping[Setup, LiveRuns]
    beside: Beside | None = None
    unplugged: Unplugged | None = None
    transport: tuple[Extra, ...] = ()
    seconds: float = 0.0

    @property
    def borderline(self) -> float:
        """The share of the cells that are borderline, where chance decides."""
        return sum(point.borderline for point in self.points) / len(self.points)

    @property
    def is_evidence(self) -> bool:
        """Whether few enough cells are borderline for a comparison."""
        return self.borderline <= MOST_BORDERLINE

    @property
    def knobs(self) -> dict[str, float]:
        """The share of the cells in which each knob (setting of a plan) was needed."""
        shares = {knob: sum(knob in p.cell.needed for p in self.points) / len(self.points) for knob in PLANNED}
        return shares | {RACE: sum(p.race for p in self.points) / len(self.points)}

    @property
    def prediction_errors(self) -> tuple[float, ...]:
        """Of each setup that a planner chose: |predicted - measured median| / measured median."""
        errors: dict[Setup, float] = {}
        for chosen in (c for point in self.points for c in point.chosen.values()):
            if chosen.predicted is not None and chosen.setup in self.measured:
                median = percentile(self.measured[chosen.setup].totals, 0.5)
                errors[chosen.setup] = abs(chosen.predicted - median) / median
        return tuple(errors.values())

    def to_json(self) -> dict[str, Any]:
        """The document of `edgent demo --json`."""
        return {
            "methods": {name: figures.document() for name, figures in self.overall.items()},
            "points": [point.document() for point in self.points],
            "compared": {name: _numbers(comparison) for name, comparison in self.compared.items()},
            "borderline": known(self.borderline),
            "is_evidence": self.is_evidence,
            "knobs": {knob: known(share) for knob, share in self.knobs.items()},
            "unplugged": None if self.unplugged is None else self.unplugged.document(),
            "emulated": {"device": self.host.device, **self._overruns()},
        }

    def _overruns(self) -> dict[str, float | None]:
        account = self.host.account
        worst = known(account.worst * 1e3, 3)
        return {"pieces": account.pieces, "overran": account.overran, "worst_overrun_ms": worst}


def _numbers(compared: Comparison) -> dict[str, float | None]:
    return {"ahead": known(compared.ahead), "low": known(compared.low), "high": known(compared.high)}
