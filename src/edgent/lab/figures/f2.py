"""F2: each layer's time on the device and the size of its output."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgent.engine.loading import load
from edgent.lab.figures.choosing import chains
from edgent.lab.figures.machines import Setting, at_the_speed_of, setting
from edgent.lab.figures.wide import wide_trunk
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.report import Axis, Bars, Panel

_UNEVEN = 5.0  # the largest over the median: below it nobody would call the bars very uneven


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBar:
    """One layer of the figure: its position and operator, its time on the device, the size of its output."""

    name: str
    seconds: float
    size: float


def run(lab: Lab) -> Result:
    """Profiles this machine, and scales the times to the device."""
    narrow, resident = setting(lab, "paper-pi3"), setting(lab, "paper-pi3-resident")
    with tempfile.TemporaryDirectory(prefix="edgent-wide-") as folder:
        wide = at_the_speed_of(resident, lab, load(wide_trunk(Path(folder))))
        shown = {one.name: layers_of(one) for one in (narrow, wide)}
    return result(shown, (str(narrow.device), f"{wide.name}: {wide.device}"))


def layers_of(chosen: Setting) -> list[LayerBar]:
    """The layers of the last exit's branch."""
    chain = chains(chosen.model, chosen.profile, chosen.edge)[-1]
    branch = chosen.model.branches[-1]
    rows = zip(branch.layers, chain.device, chain.output_sizes, strict=True)
    return [
        LayerBar(name=f"{number} {layer.op}", seconds=seconds, size=size)
        for number, (layer, seconds, size) in enumerate(rows, start=1)
    ]


def result(shown: Mapping[str, Sequence[LayerBar]], notes: tuple[str, ...]) -> Result:
    """The figure, from the layers in each setting."""
    return Result(
        orderings=tuple(_ordering(name, layers) for name, layers in shown.items()),
        tables=tuple(_table(name, layers) for name, layers in shown.items()),
        panels=tuple(panel for name, layers in shown.items() for panel in _panels(name, layers)),
        notes=notes,
    )


def _ordering(name: str, layers: Sequence[LayerBar]) -> Ordering:
    columns = [layer.seconds for layer in layers], [layer.size for layer in layers]
    times, sizes = (max(values) / max(median(values), 1e-12) for values in columns)
    return Ordering(
        reported="layers' times and the sizes of their outputs are both very uneven",
        ours=f"{name}: the largest is {times:.0f} times the median time, and {sizes:.0f} times the median size",
        reproduced=min(times, sizes) >= _UNEVEN,
        why="convolutions and normalisation compute, pooling shrinks, fully connected layers end in a few numbers",
    )


def _table(name: str, layers: Sequence[LayerBar]) -> Table:
    columns = (
        Column(key="layer", title="layer"),
        Column(key="device_ms", title="on the device", show=lambda ms: f"{ms:.1f} ms"),
        Column(key="output_bytes", title="output", show=lambda size: f"{size:.0f} B"),
    )
    rows = tuple((layer.name, 1e3 * layer.seconds, layer.size) for layer in layers)
    return Table(title=f"{name}, the last exit's branch", columns=columns, rows=rows)


def _panels(name: str, layers: Sequence[LayerBar]) -> tuple[Panel, Panel]:
    names = [layer.name for layer in layers]
    times, sizes = [1e3 * layer.seconds for layer in layers], [layer.size / 1e3 for layer in layers]
    x = Axis(label="layer")
    return (
        Panel(
            title=f"{name}: time",
            x=x,
            y=Axis(label="time, ms"),
            marks=(Bars(name="time", heights=times),),
            categories=names,
        ),
        Panel(
            title=f"{name}: output",
            x=x,
            y=Axis(label="size, kB"),
            marks=(Bars(name="output", heights=sizes),),
            categories=names,
        ),
    )


FIGURE = Figure(id="F2", title="time of each layer on the device, size of its output", minutes=1, run=run)
