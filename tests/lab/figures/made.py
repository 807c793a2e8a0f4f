"""A made-up figure."""

from __future__ import annotations

from edgent.lab.figures.figure import Column, Figure, Ordering, Result, Table
from edgent.lab.figures.plots import Axis, Bars, Line, Panel

AXIS = Axis(label="time, ms")
PANELS = (
    Panel(title="lines", x=AXIS, y=Axis(label="share", log=True), marks=(
        Line(name="a", x=(1, 2), y=(1, 3), low=(1, 2), high=(2, 4)),
        Line(name="b", x=(1, 2), y=(2, 1), form="step", dashed=True),
        Line(name="c", x=(1, 2), y=(2, 1), form="points"),
    )),
    Panel(title="bars", x=AXIS, y=AXIS, marks=(Bars(name="x", heights=(1, 2)), Bars(name="y", heights=(2, 1))),
          categories=("p", "q")),
    Panel(title="more", x=AXIS, y=AXIS, marks=(Line(name="a", x=(1,), y=(1,)),)),
)  # fmt: skip


def result(value=1.5):
    columns = (
        Column(key="name", title="name"),
        Column(key="latency_ms", title="latency", show=lambda ms: f"{ms:.1f} ms"),
    )
    return Result(
        orderings=(Ordering(reported="one above two", ours="1 above 2", reproduced=True, why="since it is"),),
        tables=(Table(title="numbers", columns=columns, rows=(("a", value), ("b", None))),),
        panels=PANELS,
        notes=("the device is emulated",),
    )


def figure(run=lambda lab: result()):
    return Figure(id="F0", title="made up", minutes=0.1, run=run)
