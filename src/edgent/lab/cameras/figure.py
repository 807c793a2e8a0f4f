"""cameras: how many cameras one edge core serves by each method, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.lab.cameras.measured import Basis, Tally, examples_of, links_of, measure_basis, street_of, tallies_of
from edgent.lab.cameras.parameters import ALLOWED_LOSS, CAMERAS, POOLED, SEEDS, Traffic
from edgent.lab.cameras.plans import CASCADE, JPEG, ORACLE, OURS, methods_of
from edgent.lab.cameras.targets import targets_of
from edgent.lab.cameras.twentieth import live_rows, live_table
from edgent.lab.cameras.verdicts import CameraCurve, Floats, Ranged, ahead, carried, draws_of, ranged
from edgent.lab.reproduction.figure import Column, Figure, Lab, Result, Table, Value
from edgent.report import Axis, Line, Panel

Tallies = Mapping[int, Sequence[Mapping[str, Tally]]]
"""By the number of cameras: for each seed, what each method made of that street."""

_HELD = {
    False: "Every device holds both networks.",
    True: "Only the edge holds the big network: no device runs or divides it.",
}


def run(lab: Lab) -> Result:
    """Measures the networks, then simulates every street."""
    if lab.model is None:
        raise InputError("cameras: expected two classifiers of the same classes, --model SMALL.onnx+BIG.onnx")
    basis = measure_basis(lab, load(lab.model), examples_of(lab))
    traffic = Traffic()
    methods = methods_of(basis.facts, basis.machines, traffic.deadline)
    links, words = links_of(lab, SEEDS)
    tallies: dict[int, list[Mapping[str, Tally]]] = {}
    for done, cameras in enumerate(CAMERAS):
        lab.progress(f"{cameras} cameras", done, len(CAMERAS))
        tallies[cameras] = [
            tallies_of(lab, basis, methods, street_of(basis, cameras, link, lab.seed + number, traffic))
            for number, link in enumerate(links)
        ]
    return result(basis, tallies, traffic, words, live_rows(lab, basis, links, traffic))


def result(basis: Basis, tallies: Tallies, traffic: Traffic, links: str, live: Sequence[Mapping[str, Any]]) -> Result:
    """The figure, from what every method made of every street, and from the live ones. Pure."""
    draws = draws_of(len(basis.facts))
    big = basis.facts.big["source"].astype(np.float64)
    curves = curves_of(tallies)
    # Few cameras see some pictures more often than others: the goal is that of the pictures which came.
    came = next(iter(curves.values()))
    wanted = replace(came, right=came.came * big).drawn(draws) - ALLOWED_LOSS
    goal = float(big.mean()) - ALLOWED_LOSS
    most = {name: carried(curve, wanted, draws) for name, curve in curves.items()}
    pooled = {name: curve.pooled(POOLED, draws) for name, curve in curves.items()}
    return Result(
        orderings=(),
        tables=(
            targets_of(most, pooled),
            _methods_table(most, pooled, tallies),
            _by_cameras(curves),
            _by_bytes(basis, draws),
            live_table(live),
        ),
        panels=_panels(curves, draws, goal, tallies),
        notes=_notes(basis, traffic, links, goal),
    )


def curves_of(tallies: Tallies) -> dict[str, CameraCurve]:
    """Of every method, over all seeds."""
    cameras = tuple(tallies)

    def summed(name: str, counts: str) -> Floats:
        return np.array([np.sum([getattr(tally[name], counts) for tally in tallies[n]], axis=0) for n in cameras])

    return {
        name: CameraCurve(cameras=cameras, right=summed(name, "right"), came=summed(name, "came"))
        for name in tallies[cameras[0]][0]
    }


def _methods_table(most: Mapping[str, Floats], pooled: Mapping[str, Floats], tallies: Tallies) -> Table:
    columns = (
        Column(key="method", title="method"),
        Column(key="cameras", title="cameras", show=_count),
        Column(key="cameras_low", title="from", show=_count),
        Column(key="cameras_high", title="to", show=_count),
        Column(key="accuracy_in_time", title="pooled", show=_percent),
        Column(key="ahead", title="Edgent ahead", show=_points),
        Column(key="ahead_low", title="from", show=_points),
        Column(key="ahead_high", title="to", show=_points),
        Column(key="kilobytes", title="kB", show=lambda value: f"{value:.1f}"),
        Column(key="edge_ms", title="edge ms", show=lambda value: f"{value:.1f}"),
    )
    rows = []
    for name in sorted(pooled, key=lambda each: (each == ORACLE, -pooled[each][0])):
        carries, lead = ranged(most[name]), ahead(pooled[OURS], pooled[name])
        means = [tally[name] for number in POOLED for tally in tallies[number]]
        rows.append(
            (
                name,
                *_values(carries),
                float(pooled[name][0]),
                *((None,) * 3 if name == OURS else _values(lead)),
                float(np.mean([tally.nbytes for tally in means])) / 1e3,
                float(np.mean([tally.edge_seconds for tally in means])) * 1e3,
            )
        )
    title = f"Cameras on one edge core at the goal; accuracy in time pooled over {', '.join(map(str, POOLED))} cameras"
    return Table(title=title, columns=columns, rows=tuple(rows))


def _by_cameras(curves: Mapping[str, CameraCurve]) -> Table:
    cameras = next(iter(curves.values())).cameras
    columns = [Column(key="method", title="method")]
    columns += [Column(key=f"cameras_{n}", title=str(n), show=lambda value: f"{value * 100:.0f}") for n in cameras]
    rows = tuple((name, *curve.means.tolist()) for name, curve in curves.items())
    return Table(title="Accuracy in time by the number of cameras, %", columns=tuple(columns), rows=rows)


def _by_bytes(basis: Basis, draws: Floats) -> Table:
    """What an unhurried answer is worth by what is sent."""
    facts = basis.facts
    columns = (
        Column(key="sent", title="sent as"),
        Column(key="kilobytes", title="kB a picture", show=lambda value: f"{value:.1f}"),
        Column(key="big", title="big alone", show=_percent),
        Column(key="gated_kilobytes", title="kB behind the gate", show=lambda value: f"{value:.1f}"),
        Column(key="gated", title="gated, combined", show=_percent),
        Column(key="gain", title="ahead", show=_points),
        Column(key="gain_low", title="from", show=_points),
        Column(key="gain_high", title="to", show=_points),
    )
    rows: list[tuple[Value, ...]] = [("nothing (small alone)", 0.0, None, 0.0, float(facts.small.mean()), *(None,) * 3)]
    for codec in facts.sure:
        gated = np.where(facts.sure[codec][0], facts.small, facts.both[codec]).astype(np.float64)
        big, sent = facts.big[codec].astype(np.float64), facts.nbytes[codec] / 1e3
        gain = _values(ahead(draws @ gated, draws @ big))
        behind = float((sent * ~facts.sure[codec][0]).mean())
        rows.append((codec, float(sent.mean()), float(big.mean()), behind, float(gated.mean()), *gain))
    return Table(title="Accuracy over bytes, with all the time in the world", columns=columns, rows=tuple(rows))


def _panels(curves: Mapping[str, CameraCurve], draws: Floats, wanted: float, tallies: Tallies) -> tuple[Panel, ...]:
    cameras = Axis(label="cameras on one edge core", log=True)
    accuracy = Axis(label="accuracy in time, %")
    shown = [name for name in _DRAWN if name in curves]
    goal = Line(name="the goal", x=[CAMERAS[0], CAMERAS[-1]], y=[wanted * 100] * 2, dashed=True)
    return (
        Panel(
            title="right and in time",
            x=cameras,
            y=accuracy,
            marks=(*(_line(name, curves[name], draws) for name in shown), goal),
        ),
        Panel(title="what it costs", x=Axis(label="kB a picture"), y=accuracy, marks=[
            _costs(name, curves[name], tallies) for name in shown if name != ORACLE
        ]),
    )  # fmt: skip


_DRAWN = (OURS, CASCADE, "JPEG, raced", JPEG, "device alone, small", ORACLE)


def _line(name: str, curve: CameraCurve, draws: Floats) -> Line:
    drawn = curve.drawn(draws)[1:] * 100
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    y = curve.means * 100
    return Line(name=name, x=curve.cameras, y=y.tolist(), low=low.tolist(), high=high.tolist(), dashed=name == ORACLE)


def _costs(name: str, curve: CameraCurve, tallies: Tallies) -> Line:
    sent = [float(np.mean([tally[name].nbytes for tally in tallies[n]])) / 1e3 for n in curve.cameras]
    return Line(name=name, x=sent, y=(curve.means * 100).tolist(), form="points")


def _notes(basis: Basis, traffic: Traffic, links: str, wanted: float) -> tuple[str, ...]:
    boards, slowest = basis.machines.boards, max(basis.machines.edge.values())
    small, big = _ms([board.small for board in boards]), _ms([board.big for board in boards])
    return (
        f"{basis.bundle.name} on {len(basis.facts)} pictures of {basis.examples.name}. Goal: {wanted:.1%}, the big "
        f"network's own accuracy less {ALLOWED_LOSS:.0%}. Gates: {basis.promise}.",
        f"Each camera: {traffic.rate:g} pictures a second, deadline {traffic.deadline * 1e3:.0f} ms. One edge core, "
        f"virtual time on measured parts. Links: {links}.",
        f"Emulated: {basis.machines.board}. There the small network takes {small}, the big one {big}; the edge takes "
        f"{slowest * 1e3:.0f} ms for a picture.",
        f"Intervals: 95 %, pictures drawn anew. {_HELD[basis.machines.edge_only]}",
    )


def _ms(seconds: Sequence[float]) -> str:
    return f"{min(seconds) * 1e3:.0f}-{max(seconds) * 1e3:.0f} ms"


def _values(number: Ranged) -> tuple[float, float, float]:
    return number.value, number.low, number.high


def _count(value: float) -> str:
    return f"> {CAMERAS[-1]}" if math.isinf(value) else f"{value:.0f}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"


FIGURE = Figure(id="cameras", title="cameras on one edge core", minutes=30, run=run)
