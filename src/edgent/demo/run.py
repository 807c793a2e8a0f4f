"""The demo itself: profile, plan, run live, count.

Each distinct setup (a configuration in a link state) that any method chose is run live; methods that chose the same
one share its runs. Whether an answer is right is not asked of these few images: accuracies are those measured on the
data set of the calibration.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgent.demo import emulated
from edgent.demo.beside import beside
from edgent.demo.figures import figures, is_borderline, overall, percentile
from edgent.demo.live import FAST, Cell, Progress, Stage
from edgent.demo.machines import DeviceProcess, DeviceSettings, ServerProcess
from edgent.demo.methods import Methods
from edgent.demo.values import (
    METHODS,
    OURS,
    RIVAL,
    Chosen,
    DemoOptions,
    DemoResult,
    Host,
    Measured,
    Point,
    Setup,
)
from edgent.lab.link import ShapedLink
from edgent.latency import Profile
from edgent.model import Model, load
from edgent.planning.candidates import Candidates
from edgent.runtime.calibrator import calibration_for
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PROFILE_SECONDS = 6.0


def run_demo(options: DemoOptions, *, progress: Progress) -> DemoResult:
    """Runs it.

    Args:
        options: what to do.
        progress: told what happens.

    Raises:
        InputError: no such model or device.
        EdgentError: a process did not start, or died.
    """
    began = time.perf_counter()
    model = load(options.model)
    images = test_images()
    host = _profile(model, images[0], progress)
    calibration = calibration_for(model)
    device = emulated.profile_of(host, options.device)
    table = Candidates.build(
        model, device, host, calibration, source="image", source_bytes=float(np.mean([len(i) for i in images]))
    )
    methods = Methods.of(table)
    cells = [
        Cell(bandwidth=b, deadline=d, chosen=methods.choose(b, d, options.round_trip))
        for b in options.bandwidths
        for d in options.deadlines
    ]
    settings = DeviceSettings(
        model=options.model,
        host_profile=host.to_json(),
        emulated=options.device,
        calibration=None if calibration is None else calibration.to_json(),
        images=images,
    )
    stage = Stage(options, model, calibration, progress)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-demo-")))
        host.save(folder / "host.json")
        edge = stack.enter_context(ServerProcess.edge(options.model, folder / "host.json"))
        bare = stack.enter_context(ServerProcess.rival(options.model))
        stage.link = stack.enter_context(ShapedLink(edge.address, uplink=FAST, round_trip=options.round_trip))
        stage.bare = stack.enter_context(ShapedLink(bare.address, uplink=FAST, round_trip=options.round_trip))
        stage.device = stack.enter_context(DeviceProcess(settings))
        measured = stage.run_all(cells)
        unplugged = stage.unplug(methods) if options.unplug else None
        overruns = stage.device.overruns()
    second = beside(options, model, host, calibration, images, settings, progress)
    points = tuple(_point(cell, stage, measured, methods, options) for cell in cells)
    picked = [(point.deadline, point.chosen) for point in points]
    return DemoResult(
        options=options,
        model=model.name,
        digest=model.digest,
        data=calibration.data if calibration is not None else "unknown",
        host=Host(
            machine=host.machine,
            engine=f"{host.engine}, {host.threads} thread",
            device=emulated.describe(host, options.device),
            pieces=overruns[0],
            overruns=overruns[1],
            worst_overrun=overruns[2],
            commands=_commands(options),
        ),
        points=points,
        overall={name: overall(picked, measured, name) for name in METHODS},
        measured=measured,
        beside=second,
        unplugged=unplugged,
        seconds=time.perf_counter() - began,
        transport=_transport(measured),
    )


def test_images() -> tuple[bytes, ...]:
    """The shipped test images, as PNG files."""
    from importlib.resources import as_file, files

    from edgent.codec import encode_image

    with as_file(files("edgent.model") / "shipped" / "cifar10-256.npz") as path, np.load(path) as shipped:
        pixels: NDArray[np.uint8] = shipped["pixels"]
    return tuple(encode_image("png", each) for each in pixels)


def _point(
    cell: Cell, stage: Stage, measured: Mapping[Setup, Measured], methods: Methods, options: DemoOptions
) -> Point:
    chosen = {**cell.chosen, RIVAL: stage.best_rival(measured, cell.bandwidth, cell.deadline)}
    made = {name: figures(chosen[name], measured[chosen[name].setup], cell.deadline) for name in METHODS}
    needed = methods.needed(cell.bandwidth, cell.deadline, options.round_trip)
    if _late_without_race(chosen[OURS], made[OURS].deadlines_met, chosen["right-sizing"], cell.deadline):
        needed |= {"race"}
    return Point(
        bandwidth=BitsPerSecond(cell.bandwidth),
        deadline=Seconds(cell.deadline),
        borderline=is_borderline([each.median for each in made.values()], cell.deadline),
        chosen=chosen,
        figures=made,
        needed=needed,
    )


def _late_without_race(ours: Chosen, met: float, alone: Chosen, deadline: float) -> bool:
    """Whether the edge was late where the device alone could have answered."""
    return ours.setup.bandwidth is not None and met < 0.995 and (alone.predicted or deadline) < deadline


def _profile(model: Model, image: bytes, progress: Progress) -> Profile:
    from edgent.runtime.engine import Engine
    from edgent.runtime.profiler import profile

    def told(done: int, whole: int) -> None:
        progress("profiling this machine", done, whole)

    return profile(model, Engine(threads=1), source=image, budget=_PROFILE_SECONDS, progress=told)


def _transport(measured: Mapping[Setup, Measured]) -> tuple[tuple[BitsPerSecond, str, float], ...]:
    """Where the same configuration ran over both: our median minus the bare socket's."""
    from dataclasses import replace

    found = []
    for setup, live in measured.items():
        ours = replace(setup, bare=False)
        if setup.bare and setup.bandwidth is not None and ours in measured:
            difference = percentile(measured[ours].totals, 0.5) - percentile(live.totals, 0.5)
            found.append((setup.bandwidth, setup.configuration.codec, difference))
    return tuple(found)


def _commands(options: DemoOptions) -> tuple[str, ...]:
    return (
        f"edgent demo{' --unplug' if options.unplug else ''} --output report.html",
        f"edgent profile {options.model} -o host.json",
        f"edgent serve {options.model} --profile host.json",
    )
