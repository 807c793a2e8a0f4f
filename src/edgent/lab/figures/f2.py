"""F2: each layer's time on the device and the size of its output."""

from __future__ import annotations

from statistics import median

from edgent.lab.emulation import emulated_profile, find_device
from edgent.lab.figures.figure import Column, Figure, Lab, Ordering, Result, Table
from edgent.lab.figures.machines import host_profile
from edgent.lab.figures.plots import Axis, Bars, Panel
from edgent.latency import Profile
from edgent.model import Model, load

_DEVICE = "paper-pi3"
_UNEVEN = 5.0  # the largest over the median: below it nobody would call the bars very uneven


def run(lab: Lab) -> Result:
    """Profiles this machine, and scales that to the device."""
    model = load("b-alexnet")
    device = find_device(_DEVICE)
    return result(model, emulated_profile(host_profile(lab, model), device), str(device))


def result(model: Model, profile: Profile, device: str) -> Result:
    """The figure, from a device's profile of the last exit's branch."""
    branch = model.branches[-1]
    up, _ = branch.boundary_bytes()  # between a cut and the end: what the layer before it has made
    names = [layer.name for layer in branch.layers]
    seconds = profile.branch(branch.exit).layers
    sizes = [*(float(size) for size in up[1:-1, -1]), sum(float(t.nbytes or 0) for t in branch.outputs)]
    rows = tuple(
        (name, layer.op, 1e3 * time, size)
        for name, layer, time, size in zip(names, branch.layers, seconds, sizes, strict=True)
    )
    columns = (
        Column(key="layer", title="layer"),
        Column(key="op", title="operator"),
        Column(key="device_ms", title="on the device", show=lambda ms: f"{ms:.1f} ms"),
        Column(key="output_bytes", title="output", show=lambda size: f"{size:.0f} B"),
    )
    return Result(
        orderings=(_ordering(seconds, sizes),),
        tables=(Table(title=f"{model.name}, its {len(names)} layers", columns=columns, rows=rows),),
        panels=(
            _bars("Time on the device", "time, ms", names, [1e3 * time for time in seconds]),
            _bars("Output of the layer", "size, kB", names, [size / 1e3 for size in sizes]),
        ),
        notes=(device,),
    )


def _ordering(seconds: tuple[float, ...], sizes: list[float]) -> Ordering:
    uneven = [max(values) / max(median(values), 1e-12) for values in (seconds, sizes)]
    return Ordering(
        reported="layers' times and the sizes of their outputs are both very uneven",
        ours=f"the largest is {uneven[0]:.0f} times the median time, and {uneven[1]:.0f} times the median size",
        reproduced=min(uneven) >= _UNEVEN,
        why="convolutions compute, pooling shrinks, fully connected layers end in a few numbers",
    )


def _bars(title: str, label: str, names: list[str], heights: list[float]) -> Panel:
    return Panel(
        title=title,
        x=Axis(label="layer"),
        y=Axis(label=label),
        marks=(Bars(name=title, heights=heights),),
        categories=names,
    )


FIGURE = Figure(id="F2", title="time of each layer on the device and size of its output", minutes=0.2, run=run)
