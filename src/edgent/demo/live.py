"""The live runs of the demo: link state after link state, every setup that some method chose."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgent.codec import Calibration, is_lossless
from edgent.demo.machines import DeviceProcess
from edgent.demo.methods import Methods
from edgent.demo.values import OURS, Chosen, DemoOptions, Measured, Setup, Unplugged
from edgent.lab.link import ShapedLink
from edgent.model import Model
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond, Seconds, format_bandwidth

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the whole."""

FAST = BitsPerSecond(1e9)  # while connecting and warming, which nobody measures
_UNPLUG_BANDWIDTH, _UNPLUG_DEADLINE = 5e6, 0.180
_GROUP = 8  # setups run interleaved; a device keeps the sessions of so many
_PILOTS = 2  # runs of each of the rival's codecs, to see which is worth more
_PATIENCE = 10.0  # seconds for an answer of the rival
_MOST = 40  # runs of a setup
_SLACK = 4.0  # an answer that takes this many times the predicted latency counts as none
_RIVALS = ("source", "webp-lossless", "webp-95", "webp-90", "webp-80", "webp-50", "jpeg-95", "jpeg-90", "jpeg-75")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A bandwidth, a deadline, and what each planned method would run there."""

    bandwidth: float
    deadline: float
    chosen: Mapping[str, Chosen]


class Stage:
    """Link, device and edge while they run."""

    link: ShapedLink
    bare: ShapedLink
    device: DeviceProcess

    def __init__(self, options: DemoOptions, model: Model, calibration: Calibration | None, progress: Progress) -> None:
        self._options, self._progress = options, progress
        self.rivals = rivals(model, calibration)

    def run_all(self, cells: Sequence[Cell]) -> dict[Setup, Measured]:
        """Runs every setup of every link state live."""
        predicted = {c.setup: c.predicted for cell in cells for c in cell.chosen.values() if c.predicted is not None}
        alone = [setup for setup in predicted if setup.bandwidth is None]
        share = self._options.live_seconds / (2 * len(self._options.bandwidths) + 1)
        self._done, self._whole = 0, len(predicted) + len(self._options.bandwidths)
        self.device.connect("", 1.0, 0.0, ())
        found = self._run_groups(alone, predicted, share, "the device alone")
        for bandwidth in self._options.bandwidths:
            deadlines = [cell.deadline for cell in cells if cell.bandwidth == bandwidth]
            rivals = self._pilot_rivals(bandwidth, deadlines)
            setups = [setup for setup in predicted if setup.bandwidth == bandwidth]
            found |= self._run_linked([*setups, *rivals], predicted | rivals, 2 * share, bandwidth)
        return found

    def unplug(self, methods: Methods) -> Unplugged:
        """A run of requests, the link cut in the middle of it."""
        bandwidth, deadline = _UNPLUG_BANDWIDTH, _UNPLUG_DEADLINE
        plan = methods.choose(bandwidth, deadline, self._options.round_trip)[OURS]
        self._connect(bandwidth, [] if plan.setup.bandwidth is None else [plan.setup.configuration])
        seconds, cut_at, restored_at = 10.0, 3.5, 6.5
        self.device.ready_stream(deadline)
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
        self.link.set(uplink=FAST, downlink=FAST)
        self.device.connect(self.link.address, bandwidth, self._options.round_trip, warm)
        self.link.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))

    def _run_linked(
        self, setups: Sequence[Setup], expected: Mapping[Setup, float], share: float, bandwidth: float
    ) -> dict[Setup, Measured]:
        """Runs of one link state, ours and the rival's interleaved."""
        found: dict[Setup, Measured] = {}
        for start in range(0, len(setups), _GROUP):
            group = setups[start : start + _GROUP]
            self._connect(bandwidth, [setup.configuration for setup in group if not setup.bare])
            part = share * len(group) / len(setups)
            found |= self._run_groups(group, expected, part, format_bandwidth(bandwidth))
        return found

    def _run_groups(
        self, setups: Sequence[Setup], expected: Mapping[Setup, float], share: float, what: str
    ) -> dict[Setup, Measured]:
        if not setups:
            return {}
        self._progress(what, self._done, self._whole)
        times = [expected[setup] for setup in setups]
        runs = repeats(times, share, self._options.samples)
        patience = [max(1.0, _SLACK * seconds) for seconds in times]
        found = dict(zip(setups, self.device.run(setups, runs, patience), strict=True))
        self._done += len(setups)
        self._progress(what, self._done, self._whole)
        return found

    def _pilot_rivals(self, bandwidth: float, deadlines: Sequence[float]) -> dict[Setup, float]:
        """A few runs of each of the rival's codecs: those that are the best for some deadline, and what they take."""
        self._progress(f"the rival at {format_bandwidth(bandwidth)}", self._done, self._whole)
        self.bare.set(uplink=FAST, downlink=FAST)
        self.device.meet_rival(self.bare.address, tuple(self.rivals))
        self.bare.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))
        setups = [self.rival_setup(codec, bandwidth) for codec in self.rivals]
        runs = self.device.run(setups, [_PILOTS] * len(setups), [_PATIENCE] * len(setups))
        pilots = dict(zip(setups, runs, strict=True))
        best = [self.best_rival(pilots, bandwidth, deadline).setup for deadline in deadlines]
        self._done += 1
        self._whole += len(set(best))
        return {setup: statistics.median(pilots[setup].totals) for setup in best}

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
