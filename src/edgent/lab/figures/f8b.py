"""F8b: predicted and measured latency by bandwidth, with three predictors of the layers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgent.engine.loading import load
from edgent.lab.figures.choosing import both_machines, predicted_host, price
from edgent.lab.figures.f8 import BANDWIDTHS, DEADLINE, ChosenPoint, chosen_and_run
from edgent.lab.figures.live import measured_conditions
from edgent.lab.figures.machines import Setting, at_the_speed_of, branch_works, setting, swept_machine
from edgent.lab.figures.rig import Rig
from edgent.lab.figures.wide import wide_trunk
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table, Value
from edgent.latency import Profile
from edgent.latency.prediction import LatencyModel
from edgent.planning.candidates import Candidates
from edgent.report import Axis, Line, Panel

PREDICTORS = ("paper's regressions", "our latency model", "measured profile")
_METHOD = "edge-first"
_NEAR = 0.10  # mean error within which two curves nearly overlap
_SETTINGS = ("paper-pi3", "paper-pi3-resident")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A network on the device alone: seconds by each predictor, and what was measured."""

    network: str
    exit: int
    predicted: Mapping[str, float]
    measured: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A point of F8a with what each predictor says of it, seconds; the link is predicted alike for all."""

    point: ChosenPoint
    predicted: Mapping[str, float]


def run(lab: Lab) -> Result:
    """Takes the live runs of F8a, and the branches on the device alone."""
    predictions: list[Predicted] = []
    wholes: list[Whole] = []
    notes = []
    for name in _SETTINGS:
        with Rig(setting(lab, name)) as rig:
            predictions += _predicted(lab, rig)
            notes.append(str(rig))
    resident = setting(lab, _SETTINGS[-1])
    wholes += _wholes(lab, resident)
    with tempfile.TemporaryDirectory(prefix="edgent-wide-") as folder:
        wholes += _wholes(lab, at_the_speed_of(resident, lab, load(wide_trunk(Path(folder)))))
    return result(predictions, wholes, tuple(notes))


def _hosts(lab: Lab, chosen: Setting) -> dict[str, Profile]:
    """The profile of this machine by each predictor."""
    machine, works = swept_machine(lab), branch_works(chosen.model)
    models: dict[str, LatencyModel] = dict(zip(PREDICTORS, (machine.fit.paper, machine.fit), strict=False))
    hosts = {name: predicted_host(chosen, model, works) for name, model in models.items()}
    return hosts | {PREDICTORS[-1]: chosen.host}


def _predicted(lab: Lab, rig: Rig) -> list[Predicted]:
    tables = {
        name: Candidates.build(rig.setting.model, *both_machines(rig.setting, host), source="array")
        for name, host in _hosts(lab, rig.setting).items()
    }
    points = chosen_and_run(lab, rig, [(bandwidth, DEADLINE) for bandwidth in BANDWIDTHS])
    predictions = []
    for point in points:
        if point.method == _METHOD and point.choice.configuration is not None:
            conditions = measured_conditions(lab, rig, point.bandwidth)
            prices = {name: price(table, point.choice.configuration, conditions) for name, table in tables.items()}
            predictions.append(Predicted(point=point, predicted=prices))
    return predictions


def _wholes(lab: Lab, chosen: Setting) -> list[Whole]:
    factor = chosen.device.factor_on(chosen.host)
    hosts = _hosts(lab, chosen)
    return [
        Whole(
            network=chosen.model.name,
            exit=branch.exit,
            predicted={name: factor * host.branch(branch.exit).whole.median for name, host in hosts.items()},
            measured=factor * chosen.host.branch(branch.exit).whole.median,
        )
        for branch in chosen.model.branches
    ]


def result(predictions: Sequence[Predicted], wholes: Sequence[Whole], notes: tuple[str, ...]) -> Result:
    """The figure."""
    return Result(
        orderings=tuple(_orderings(predictions, wholes)),
        tables=(_latencies(predictions), _networks(wholes)),
        panels=tuple(
            _panel(predictions, name) for name in dict.fromkeys(prediction.point.setting for prediction in predictions)
        ),
        notes=notes,
    )


def _orderings(predictions: Sequence[Predicted], wholes: Sequence[Whole]) -> list[Ordering]:
    orderings = []
    for name in PREDICTORS:
        live = median(
            abs(prediction.predicted[name] / (prediction.point.latency or 1) - 1) for prediction in predictions
        )
        layers = median(abs(prediction.predicted[name] / prediction.measured - 1) for prediction in wholes)
        orderings.append(
            Ordering(
                reported="predicted and measured latency nearly overlap",
                ours=f"{name}: {live:.1%} off in the median; {layers:.1%} for whole branches on the device",
                reproduced=live <= _NEAR,
                why=(
                    "what the edge answers is nearly all transfer, which every predictor takes from the same link: "
                    "the curves say little of the predictor; the branches on the device do"
                ),
            )
        )
    return orderings


def _latencies(predictions: Sequence[Predicted]) -> Table:
    columns = (
        Column(key="setting", title="setting"),
        Column(key="bandwidth_bps", title="kbit/s", show=lambda rate: f"{rate / 1e3:g}"),
        Column(key="exit", title="exit"),
        Column(key="measured_ms", title="measured", show=_ms),
        *(Column(key=f"{name.split()[-1]}_ms", title=name, show=_ms) for name in PREDICTORS),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            prediction.point.setting,
            prediction.point.bandwidth,
            prediction.point.choice.exit,
            1e3 * (prediction.point.latency or 0.0),
            *(1e3 * prediction.predicted[name] for name in PREDICTORS),
        )
        for prediction in predictions
    )
    return Table(title="Edge-first, deadline 1000 ms", columns=columns, rows=rows)


def _networks(wholes: Sequence[Whole]) -> Table:
    columns = (
        Column(key="network", title="network"),
        Column(key="exit", title="exit"),
        Column(key="measured_ms", title="measured", show=_ms),
        *(Column(key=f"{name.split()[-1]}_ms", title=name, show=_ms) for name in PREDICTORS[:-1]),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (whole.network, whole.exit, 1e3 * whole.measured, *(1e3 * whole.predicted[name] for name in PREDICTORS[:-1]))
        for whole in wholes
    )
    return Table(title=f"On {_SETTINGS[-1]} alone", columns=columns, rows=rows)


def _ms(value: float) -> str:
    return f"{value:.0f} ms"


def _panel(predictions: Sequence[Predicted], name: str) -> Panel:
    shown = [prediction for prediction in predictions if prediction.point.setting == name]
    x = [prediction.point.bandwidth / 1e3 for prediction in shown]
    lines = [
        Line(name=predictor, x=x, y=[1e3 * prediction.predicted[predictor] for prediction in shown], dashed=True)
        for predictor in PREDICTORS
    ]
    measured = Line(name="measured, live", x=x, y=[1e3 * (prediction.point.latency or 0.0) for prediction in shown])
    return Panel(
        title=name,
        x=Axis(label="bandwidth, kbit/s", log=True),
        y=Axis(label="latency, ms"),
        marks=(measured, *lines),
    )


FIGURE = Figure(id="F8b", title="predicted and measured latency, by bandwidth", minutes=4, run=run)
