"""The demo itself: profile, plan, run live, count.

Each distinct setup (a configuration in a link state) that any method chose is run live; methods that chose the same
one share its runs. Whether an answer is right is not asked of these few images: accuracies are those measured on the
data set of the calibration.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgent.codec import Calibration, is_lossless
from edgent.demo import emulated
from edgent.demo.figures import figures, is_borderline, overall, percentile
from edgent.demo.machines import DeviceProcess, DeviceSettings, ServerProcess
from edgent.demo.methods import Methods, conditions
from edgent.demo.values import (
    METHODS,
    OURS,
    RIVAL,
    Beside,
    Chosen,
    DemoOptions,
    DemoResult,
    Host,
    Measured,
    Point,
    Setup,
    Unplugged,
)
from edgent.demo.words import chosen_in_words
from edgent.lab.link import ShapedLink
from edgent.latency import Profile
from edgent.model import Model, load
from edgent.planning.candidates import Candidates
from edgent.planning.plan import Configuration
from edgent.planning.planner import Planner
from edgent.runtime.calibrator import calibration_for
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the whole."""

_FAST = BitsPerSecond(1e9)  # while connecting and warming, which nobody measures
_PROFILE_SECONDS = 8.0
_GROUP = 6  # setups run interleaved; a device keeps the sessions of eight
_PILOTS = 4  # runs of each of the rival's codecs, to see which is worth more
_MOST = 40  # runs of a setup
_SLACK = 4.0  # an answer that takes this many times the predicted latency counts as none
_RIVALS = ("source", "webp-lossless", "webp-95", "webp-90", "webp-80", "webp-50", "jpeg-95", "jpeg-90", "jpeg-75")


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
        _Cell(bandwidth=b, deadline=d, chosen=methods.choose(b, d, options.round_trip))
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
    stage = _Stage(options, model, calibration, progress)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-demo-")))
        host.save(folder / "host.json")
        edge = stack.enter_context(ServerProcess.edge(options.model, folder / "host.json"))
        bare = stack.enter_context(ServerProcess.rival(options.model))
        stage.link = stack.enter_context(ShapedLink(edge.address, uplink=_FAST, round_trip=options.round_trip))
        stage.bare = stack.enter_context(ShapedLink(bare.address, uplink=_FAST, round_trip=options.round_trip))
        stage.device = stack.enter_context(DeviceProcess(settings))
        measured = stage.run_all(cells)
        unplugged = stage.unplug(methods) if options.unplug else None
        overruns = stage.device.overruns()
    beside = _beside(options, model, host, calibration, images, settings, progress)
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
        beside=beside,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    bandwidth: float
    deadline: float
    chosen: Mapping[str, Chosen]


class _Stage:
    """Link, device and edge while they run."""

    link: ShapedLink
    bare: ShapedLink
    device: DeviceProcess

    def __init__(
        self, options: DemoOptions, model: Model, calibration: Calibration | None, progress: Progress
    ) -> None:
        self._options, self._progress = options, progress
        self.rivals = rivals(model, calibration)

    def run_all(self, cells: Sequence[_Cell]) -> dict[Setup, Measured]:
        """Runs every setup of every link state live."""
        predicted = {c.setup: c.predicted for cell in cells for c in cell.chosen.values() if c.predicted is not None}
        alone = [setup for setup in predicted if setup.bandwidth is None]
        share = self._options.live_seconds / (2 * len(self._options.bandwidths) + 1)
        self._done, self._whole = 0, len(predicted) + len(self._options.bandwidths)
        self.device.connect("", 1.0, 0.0, ())
        found = self._run_groups(alone, predicted, share, "the device alone")
        for bandwidth in self._options.bandwidths:
            setups = [setup for setup in predicted if setup.bandwidth == bandwidth]
            found |= self._run_linked(setups, predicted, share, bandwidth)
            deadlines = [cell.deadline for cell in cells if cell.bandwidth == bandwidth]
            found |= self._run_rival(bandwidth, deadlines, share)
        return found

    def unplug(self, methods: Methods) -> Unplugged:
        """A run of requests, the link cut in the middle of it."""
        bandwidth, deadline = 2e6, emulated.UNPLUG_DEADLINE
        plan = methods.choose(bandwidth, deadline, self._options.round_trip)[OURS]
        self._connect(bandwidth, [] if plan.setup.bandwidth is None else [plan.setup.configuration])
        seconds, cut_at, restored_at = 12.0, 4.0, 7.0
        began = time.perf_counter()
        self.device.begin_stream(seconds, 0.15, deadline)
        for at, act in ((cut_at, self.link.cut), (restored_at, self.link.restore)):
            while (now := time.perf_counter() - began) < at:
                self._progress("the link is cut half-way", int(now * 10), int(seconds * 10))
                time.sleep(min(0.1, at - now))
            act()
        return Unplugged(
            bandwidth=BitsPerSecond(bandwidth),
            deadline=Seconds(deadline),
            cut_at=cut_at,
            restored_at=restored_at,
            requests=self.device.end_stream(),
        )

    def _connect(self, bandwidth: float, warm: Sequence[Configuration]) -> None:
        self.link.set(uplink=_FAST, downlink=_FAST)
        self.device.connect(self.link.address, bandwidth, self._options.round_trip, warm)
        self.link.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))

    def _run_linked(
        self, setups: Sequence[Setup], predicted: Mapping[Setup, float], share: float, bandwidth: float
    ) -> dict[Setup, Measured]:
        found: dict[Setup, Measured] = {}
        for start in range(0, len(setups), _GROUP):
            group = setups[start : start + _GROUP]
            self._connect(bandwidth, [setup.configuration for setup in group])
            part = share * len(group) / len(setups)
            found |= self._run_groups(group, predicted, part, f"{bandwidth / 1e6:g} Mbit/s")
        return found

    def _run_groups(
        self, setups: Sequence[Setup], predicted: Mapping[Setup, float], share: float, what: str
    ) -> dict[Setup, Measured]:
        if not setups:
            return {}
        self._progress(what, self._done, self._whole)
        times = [predicted[setup] for setup in setups]
        runs = repeats(times, share, self._options.samples)
        patience = [max(1.0, _SLACK * seconds) for seconds in times]
        found = dict(zip(setups, self.device.run(setups, runs, patience), strict=True))
        self._done += len(setups)
        self._progress(what, self._done, self._whole)
        return found

    def _run_rival(self, bandwidth: float, deadlines: Sequence[float], share: float) -> dict[Setup, Measured]:
        """Every codec a few times, then those that are the best for some deadline as often as the others."""
        self._progress(f"the rival at {bandwidth / 1e6:g} Mbit/s", self._done, self._whole)
        self.bare.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))
        self.device.meet_rival(self.bare.address)
        setups = [self.rival_setup(codec, bandwidth) for codec in self.rivals]
        limits = [10.0] * len(setups)
        pilots = dict(zip(setups, self.device.run(setups, [_PILOTS] * len(setups), limits), strict=True))
        best = list({self.best_rival(pilots, bandwidth, deadline).setup: None for deadline in deadlines})
        times = [statistics.median(pilots[setup].totals) for setup in best]
        runs = repeats(times, share / 2, self._options.samples)
        self._done += 1
        return dict(zip(best, self.device.run(best, runs, limits[: len(best)]), strict=True))

    def rival_setup(self, codec: str, bandwidth: float) -> Setup:
        """The rival with a codec: everything at the edge."""
        exit_, layers, _ = self.rivals[codec]
        whole = Configuration(exit=exit_, upload_cut=0, download_cut=layers, codec=codec)
        return Setup(configuration=whole, bandwidth=BitsPerSecond(bandwidth), bare=True)

    def best_rival(self, measured: Mapping[Setup, Measured], bandwidth: float, deadline: float) -> Chosen:
        """The codec of the best accuracy in time by the rival's own latencies; among equals the fastest."""
        found = []
        for codec, (_, _, accuracy) in self.rivals.items():
            setup = self.rival_setup(codec, bandwidth)
            if setup in measured:
                totals = measured[setup].totals
                met = sum(total <= deadline for total in totals) / len(totals)
                found.append((met * accuracy, -statistics.median(totals), setup, accuracy))
        _, _, setup, accuracy = max(found, key=lambda each: each[:2])
        return Chosen(setup=setup, accuracy=accuracy)


def rivals(model: Model, calibration: Calibration | None) -> dict[str, tuple[int, int, float]]:
    """The rival's image codecs whose accuracy is known: last exit, its layers, accuracy."""
    last = max(model.branches, key=lambda branch: branch.exit)
    (given,) = model.inputs
    found = {}
    for codec in _RIVALS:
        known = None if calibration is None else calibration.accuracy(last.exit, (given.name,), codec)
        accuracy = last.accuracy if is_lossless(codec) else known
        if accuracy is not None:
            found[codec] = (last.exit, len(last.layers), accuracy)
    return found


def repeats(times: Sequence[float], share: float, least: int) -> list[int]:
    """How often to run each, in about `share` seconds together, each at least `least` times."""
    each = share / max(1, len(times))
    return [min(max(least, int(each / max(seconds, 1e-4))), max(_MOST, least)) for seconds in times]


def _point(
    cell: _Cell, stage: _Stage, measured: Mapping[Setup, Measured], methods: Methods, options: DemoOptions
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


def _beside(
    options: DemoOptions,
    model: Model,
    host: Profile,
    calibration: Calibration | None,
    images: Sequence[bytes],
    settings: DeviceSettings,
    progress: Progress,
) -> Beside:
    """The second device: plans for every cell, and its own answer live."""
    from dataclasses import replace

    progress(f"the device {options.also}", 0, 1)
    profile = emulated.profile_of(host, options.also)
    size = float(np.mean([len(image) for image in images]))
    table = Candidates.build(model, profile, host, calibration, source="image", source_bytes=size)
    planner = Planner(table)
    plans = [
        (b, d, planner.plan(conditions(b, options.round_trip), Seconds(d)))
        for b in options.bandwidths
        for d in options.deadlines
    ]
    last = max(model.branches, key=lambda branch: branch.exit)
    n = len(last.layers)
    alone = Setup(configuration=Configuration(exit=last.exit, upload_cut=n, download_cut=n))
    with DeviceProcess(replace(settings, emulated=options.also)) as device:
        device.connect("", 1.0, 0.0, ())
        (live,) = device.run([alone], [options.samples], [1.0])
    progress(f"the device {options.also}", 1, 1)
    return Beside(
        name=emulated.describe(host, options.also),
        device_only=sum(plan.configuration.device_only for _, _, plan in plans) / len(plans),
        plans=tuple(
            (b, d, chosen_in_words(plan.configuration), plan.stages.total, plan.meets_deadline) for b, d, plan in plans
        ),
        totals=live.totals,
    )


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
