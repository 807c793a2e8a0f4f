"""The live runs of the demo: link state after link state, every setup that some method chose."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from edgent.demo.paper.methods import Methods
from edgent.demo.paper.outage import Unplugged
from edgent.demo.paper.rivals import Rivals
from edgent.demo.paper.values import OURS, Cell, DemoOptions, Live
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup
from edgent.planning.conditions import Conditions
from edgent.units import BitsPerSecond, Seconds, format_bandwidth

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the whole."""

FAST = BitsPerSecond(1e9)  # while warming, which nobody measures
_UNPLUG_BANDWIDTH, _UNPLUG_DEADLINE = 5e6, 0.180
_UNPLUG_SECONDS, _CUT_AT, _RESTORED_AT, _PERIOD = 8.0, 2.5, 5.5, 0.15
_PILOTS = 2  # runs of each of the rival's codecs, to see which are worth more
_PATIENCE = 10.0  # seconds for an answer of the rival
_MOST = 40  # requests of a link state
_SLACK = 4.0  # an answer that takes this many times the predicted latency counts as none


class Stage:
    """Link, device and edge while they run, and the orders given to them."""

    link: ShapedLink
    bare: ShapedLink
    device: DeviceProcess

    def __init__(self, options: DemoOptions, methods: Methods, rivals: Rivals, progress: Progress) -> None:
        self._options, self._methods, self._rivals, self._progress = options, methods, rivals, progress
        self._states = len(options.bandwidths) + 1

    def run_all(self) -> Live:
        """Plans every cell on what the device measures, and runs what the methods chose."""
        cells: list[Cell] = []
        measured: dict[Setup, LiveRuns] = {}
        decisions: dict[tuple[float, float], Decision] = {}
        # Planning needs a measured link, so each link state is measured, planned and run before the next.
        for done, bandwidth in enumerate(self._options.bandwidths):
            self._progress(format_bandwidth(bandwidth), done, self._states)
            planned = self._plan(bandwidth)
            measured |= self._run_linked(planned, bandwidth)
            decisions |= {(bandwidth, decision.deadline): decision for decision in self._decide(planned)}
            cells += planned
        self._progress("the device alone", self._states - 1, self._states)
        # The device alone is run as often as the linked setups, so that no method is judged by fewer requests.
        most = max((len(runs.totals) for runs in measured.values()), default=self._options.samples)
        measured |= self._run_alone(cells, most)
        return Live(cells=tuple(cells), measured=measured, decisions=decisions)

    def unplug(self) -> Unplugged:
        """A run of requests, the link cut in the middle of it."""
        self._connect(_UNPLUG_BANDWIDTH)
        self.device.ready_stream(_UNPLUG_DEADLINE)
        began = time.perf_counter()
        self.device.begin_stream(began, _UNPLUG_SECONDS, _PERIOD, _UNPLUG_DEADLINE)
        # The stream runs in the device's process; this one only cuts and restores the link.
        self._wait(began, _CUT_AT)
        self.link.cut()
        cut_at = time.perf_counter() - began
        self._wait(began, _RESTORED_AT)
        restored_at = time.perf_counter() - began
        self.link.restore()
        return Unplugged(
            bandwidth=BitsPerSecond(_UNPLUG_BANDWIDTH),
            deadline=Seconds(_UNPLUG_DEADLINE),
            cut_at=cut_at,
            restored_at=restored_at,
            requests=self.device.end_stream(),
        )

    def _wait(self, began: float, at: float) -> None:
        """Until so many seconds after the stream began."""
        while (now := time.perf_counter() - began) < at:
            self._progress("the link is cut half-way", int(now * 10), int(_UNPLUG_SECONDS * 10))
            time.sleep(min(0.1, at - now))

    def _connect(self, bandwidth: float) -> Conditions:
        """Connects the device to the edge over this link, which it then measures."""
        self.link.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))
        first = self._rivals.configuration("source") if "source" in self._rivals.accuracies else None
        return self.device.connect(self.link.address, first)

    def _plan(self, bandwidth: float) -> list[Cell]:
        conditions = self._connect(bandwidth)
        return [self._methods.cell(bandwidth, deadline, conditions) for deadline in self._options.deadlines]

    def _run_linked(self, cells: Sequence[Cell], bandwidth: float) -> dict[Setup, LiveRuns]:
        """Runs of one link state, ours and the rival's interleaved: each request goes through all of them."""
        expected = {s: at for s, at in _predicted(cells).items() if s.bandwidth is not None} | self._pilot(bandwidth)
        # Slow links take longer for the same number of requests: time is shared out among link states, not requests.
        left = self._options.live_seconds - (_UNPLUG_SECONDS if self._options.unplug else 0.0)
        return self._run(expected, repeats(expected.values(), left / self._states, self._options.samples))

    def _run_alone(self, cells: Sequence[Cell], rounds: int) -> dict[Setup, LiveRuns]:
        """Runs the setups that need no link, once for all link states."""
        expected = {setup: at for setup, at in _predicted(cells).items() if setup.bandwidth is None}
        self.device.connect("", None)
        return self._run(expected, rounds)

    def _run(self, expected: Mapping[Setup, float], rounds: int) -> dict[Setup, LiveRuns]:
        # An answer so late counts as none whatever the deadline is; waiting for it would eat the time of the others.
        patience = [max(1.0, _SLACK * seconds) for seconds in expected.values()]
        runs = self.device.run(tuple(expected), rounds, patience)
        return dict(zip(expected, runs, strict=True))

    def _pilot(self, bandwidth: float) -> dict[Setup, float]:
        """A few runs of each of the rival's codecs: those that are the best for some deadline, and what they take."""
        # Connecting and warming need no slow link, for nobody measures them.
        self.bare.set(uplink=FAST, downlink=FAST)
        self.device.meet_rival(self.bare.address, tuple(self._rivals.accuracies))
        self.bare.set(uplink=BitsPerSecond(bandwidth), downlink=BitsPerSecond(bandwidth))
        setups = tuple(self._rivals.setups(bandwidth).values())
        runs = self.device.run(setups, _PILOTS, [_PATIENCE] * len(setups))
        pilots = dict(zip(setups, runs, strict=True))
        # All thirteen codecs would take most of the time; one that is best at no deadline is never the rival's choice.
        best = [self._rivals.best(pilots, bandwidth, deadline).setup for deadline in self._options.deadlines]
        return {setup: statistics.median(pilots[setup].totals) for setup in best}

    def _decide(self, cells: Sequence[Cell]) -> list[Decision]:
        """Has the device decide for itself; the longest deadline first, as a late answer may still be on the link."""
        # Warmed beforehand, or the device would answer with what is ready instead of what it would choose.
        warm = dict.fromkeys(cell.chosen[OURS].setup.configuration for cell in cells)
        return self.device.decide(sorted((cell.deadline for cell in cells), reverse=True), tuple(warm))


def repeats(times: Iterable[float], share: float, least: int) -> int:
    """How often to run each setup, in about `share` seconds together, at least `least` times."""
    # At most so many, for more requests only narrow the interval; at least those that were asked for.
    return min(max(least, int(share / max(sum(times), 1e-4))), max(_MOST, least))


def _predicted(cells: Sequence[Cell]) -> dict[Setup, float]:
    choices = (chosen for cell in cells for chosen in cell.chosen.values())
    return {chosen.setup: chosen.predicted for chosen in choices if chosen.predicted is not None}
