"""The street live: a real edge process on one core, real devices on another, a link that moves between them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgent.demo.cameras.setting import StreetOptions
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.cameras.calibrated import calibration_of
from edgent.lab.cameras.camera_process import CameraProcess
from edgent.lab.cameras.cores import computed_by, pin, two_cores
from edgent.lab.cameras.live import CameraSettings, LiveAnswer, Load
from edgent.lab.cameras.measured import Basis
from edgent.lab.cameras.parameters import BOARD, BOARDS, Traffic
from edgent.lab.cameras.plans import LIVE, OURS
from edgent.lab.cameras.street import Street
from edgent.lab.links.driven import Driven
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.latency import Profile
from edgent.link.generator import generated
from edgent.link.trace import Trace
from edgent.units import BitsPerSecond

_FAST = BitsPerSecond(1e9)  # while cameras connect, which nobody watches
_LOOK = 0.5  # seconds between two looks at what has been answered
FULL = 0.9
"""Of a core's time: with more it is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What was seen of one method with so many cameras.

    Attributes:
        method: whose it is.
        cameras: how many.
        seconds: that it was watched.
        answers: to all pictures.
        nbytes: that crossed the link upwards, headers apart.
        edge: share of its core that the edge used.
        carrier: share of its core that the cameras used.
        overran: share of the emulated work that this machine finished later than the board would have.
    """

    method: str
    cameras: int
    seconds: float
    answers: tuple[LiveAnswer, ...]
    nbytes: int
    edge: float
    carrier: float
    overran: float

    @property
    def good(self) -> float:
        """Share of the pictures that were answered rightly and in time."""
        return float(np.mean([answer.right and answer.in_time for answer in self.answers])) if self.answers else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A method while the link was unplugged, and when that was."""

    meter: Meter
    cut_at: float
    restored_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """All that was seen.

    Attributes:
        meters: of each method with each number of cameras.
        outages: of each method.
        link: the one that all cameras shared.
        ended: why no more cameras came.
    """

    meters: tuple[Meter, ...]
    outages: tuple[Outage, ...]
    link: Trace
    ended: str


Events = Sequence[tuple[float, Callable[[], None]]]
"""What happens, and after how many seconds."""

Watcher = Callable[[Meter], None]
"""Shown what has been seen so far."""


class Stage:
    """The processes of the street; a context manager.

    Args:
        options: of the demo.
        basis: what was measured.
        host: this machine's profile of the bundle.
        watcher: shown every meter, as it fills.
    """

    def __init__(self, options: StreetOptions, basis: Basis, host: Profile, watcher: Watcher) -> None:
        self._options, self._basis, self._host, self._watcher = options, basis, host, watcher
        self._stack, self._cores = contextlib.ExitStack(), two_cores()
        self._trace = generated(options.seed, seconds=600.0, mean=options.bandwidth)
        self._cameras: dict[str, CameraProcess] = {}

    def __enter__(self) -> Stage:
        """Starts the edge, the link and the methods' cameras."""
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="edgent-demo-")))
            self._host.save(folder / "host.json")
            model = "+".join(map(str, self._basis.bundle.members))
            self._edge = undo.enter_context(ServerProcess.edge(model, folder / "host.json"))
            pin(self._edge.pid, self._cores.edge)
            self._link = undo.enter_context(
                ShapedLink(self._edge.address, uplink=_FAST, round_trip=self._options.round_trip)
            )
            for method in LIVE:
                settings = self._settings(model, gated=method == OURS)
                self._cameras[method] = undo.enter_context(CameraProcess(settings))
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def play(self) -> Show:
        """More and more cameras, until a core is full; then the link is unplugged."""
        meters: list[Meter] = []
        ended, cameras = "", self._options.steps[0]
        for cameras in self._options.steps:
            self._grow(cameras)
            now = [self._watch(method, cameras, self._options.seconds)[0] for method in LIVE]
            meters += now
            if ended := full(now):
                break
        # Few enough that nothing but the link is what fails.
        outages = tuple(self._unplugged(method, self._options.steps[0]) for method in LIVE)
        return Show(meters=tuple(meters), outages=outages, link=self._trace, ended=ended or "no more were asked for")

    def street(self, cameras: int, seconds: float) -> Street:
        """What is shown, as it would be simulated: the same pictures at the same moments."""
        options = self._options
        traffic = Traffic(rate=options.rate, deadline=options.deadline, round_trip=options.round_trip, seconds=seconds)
        return Street(
            cameras=cameras,
            traffic=traffic,
            link=self._trace,
            pictures=len(self._basis.shown),
            seed=options.seed,
        )

    def _grow(self, cameras: int) -> None:
        self._link.set(uplink=_FAST, downlink=_FAST)
        for process in self._cameras.values():
            process.grow(cameras, self._link.address)

    def _watch(self, method: str, cameras: int, seconds: float, events: Events = ()) -> tuple[Meter, list[float]]:
        """Shows a method's cameras the street's pictures; events happen at their seconds, or a little later.

        Returns:
            What was seen, and when the events were over.
        """
        process, street = self._cameras[method], self.street(cameras, seconds)
        before = process.load(), computed_by(self._edge.pid), self._link.counts().up_bytes
        answers: list[LiveAnswer] = []
        ahead, moments = list(events), list[float]()
        with Driven(self._link, self._trace):
            began = time.perf_counter()
            process.film(street)
            over = False
            while not over:
                passed = time.perf_counter() - began
                time.sleep(max(0.0, min(_LOOK, ahead[0][0] - passed)) if ahead else _LOOK)
                while ahead and time.perf_counter() - began >= ahead[0][0]:
                    ahead.pop(0)[1]()
                    moments.append(time.perf_counter() - began)
                more, over = process.seen(len(answers))
                answers += more
                used = process.load().since(before[0]), computed_by(self._edge.pid) - before[1]
                passed, nbytes = time.perf_counter() - began, self._link.counts().up_bytes - before[2]
                meter = _meter(method, cameras, passed, tuple(answers), nbytes, *used)
                self._watcher(meter)
        return meter, moments

    def _unplugged(self, method: str, cameras: int) -> Outage:
        before, out, after = self._options.outage
        events = ((before, self._link.cut), (before + out, self._link.restore))
        meter, (cut_at, restored_at) = self._watch(method, cameras, before + out + after, events)
        return Outage(meter=meter, cut_at=cut_at, restored_at=restored_at)

    def _settings(self, model: str, gated: bool) -> CameraSettings:
        basis, rows = self._basis, self._basis.shown
        return CameraSettings(
            model=model,
            exits=basis.pair.exits,
            boards=boards_of(basis, self._host),
            calibration=calibration_of(basis.bundle, basis.pair, basis.facts, basis.examples.name).to_json(),
            gates=basis.gates.to_json() if gated else None,
            codecs=basis.facts.codecs,
            pictures=tuple(basis.examples.source(row) for row in rows),
            truths=tuple(int(basis.facts.truths[row]) for row in rows),
            deadline=self._options.deadline,
            core=self._cores.cameras,
        )


def boards_of(basis: Basis, host: Profile) -> tuple[HiddenDevice, ...]:
    """The boards that the cameras stand for, in turn: each with hidden factors of its own."""
    return tuple(hidden_device(host, basis.bundle, find_device(BOARD), seed=seed) for seed in range(BOARDS))


def full(meters: list[Meter]) -> str:
    """Which core is full, in words; empty where none is."""
    # The cameras' own core first: where it is full, what was measured of the edge is no measure of it any more.
    if any(meter.carrier >= FULL for meter in meters):
        return "the core that carries the cameras is full"
    ours = next(meter for meter in meters if meter.method == OURS)
    return "the edge core is full" if ours.edge >= FULL else ""


def _meter(
    method: str, cameras: int, seconds: float, answers: tuple[LiveAnswer, ...], nbytes: int, used: Load, edge: float
) -> Meter:
    return Meter(
        method=method,
        cameras=cameras,
        seconds=seconds,
        answers=answers,
        nbytes=nbytes,
        edge=edge / seconds,
        carrier=used.computed / seconds,
        overran=used.overran / max(used.pieces, 1),
    )
