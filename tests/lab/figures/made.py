"""Made-up figures, settings and links."""

from __future__ import annotations

from edgent.engine.loading import load
from edgent.lab.boards.emulation import find_device
from edgent.lab.figures.machines import Setting
from edgent.lab.reproduction.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.lab.reproduction.parts import Parts
from edgent.latency.profile import BranchProfile, Profile, Timing
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration
from edgent.report import Axis, Bars, Line, Panel

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


def timing(seconds):
    return Timing(median=seconds, spread=0.0, samples=1)


def host(model, layer=1e-4):
    """A profile of this machine in which every layer takes as long as any other."""
    branches = [
        BranchProfile(exit=b.exit, whole=timing(layer * len(b.layers)), layers=(layer,) * len(b.layers), unassigned=0.0)
        for b in model.branches
    ]
    return Profile(
        model=model.name, digest=model.digest, machine="made up", engine="none", threads=1, branches=tuple(branches),
        codecs=(), decode_source=timing(0.0), fit=timing(0.0), normalise=timing(0.0),
    )  # fmt: skip


def setting(device="paper-pi3", layer=1e-4):
    model = load("b-alexnet")
    return Setting(name=f"{device}, float32", model=model, device=find_device(device), host=host(model, layer))


def conditions(bandwidth, round_trip=0.005):
    link = TransferModel(bandwidth=bandwidth, round_trip=round_trip)
    return Conditions(uplink=link, downlink=link)


def lab(folder, **changes):
    made = {"parts": Parts(folder / "parts", {}), "seed": 0, "traces": None, "progress": lambda *told: None}
    return Lab(**made | changes)


def plan(exit=4, up=0, down=22, codec="float32"):
    return Configuration(exit=exit, upload_cut=up, download_cut=down, codec=codec)
