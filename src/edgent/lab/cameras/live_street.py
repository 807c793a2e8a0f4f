"""A street of real processes: an edge on one core, devices on another, a link that moves between them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device
from edgent.lab.cameras.calibrated import calibration_of
from edgent.lab.cameras.camera_process import CameraProcess
from edgent.lab.cameras.cores import busy_of, computed_by, pin, two_cores
from edgent.lab.cameras.live import CameraSettings, LiveAnswer, Load
from edgent.lab.cameras.measured import Basis
from edgent.lab.cameras.parameters import BOARD, BOARDS, Traffic
from edgent.lab.cameras.plans import LIVE, OURS
from edgent.lab.cameras.street import Street
from edgent.lab.links.driven import Driven
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.latency import Profile
from edgent.units import BitsPerSecond

_FAST = BitsPerSecond(1e9)  # while cameras connect, which nobody watches
_LOOK = 0.5  # seconds between two looks at what has been answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What was seen of one method with so many cameras.

    Attributes:
        method: whose it is.
        cameras: how many.
        seconds: that it was watched.
        answers: to all pictures.
        nbytes: that crossed the link upwards, packet headers apart.
        edge: share of its core that the edge used.
        carrier: share of the time that the core which the cameras have was busy, for others too.
        overran: share of the emulated work that this machine finished later than the board would have.
        unplugged: whether something happened to the link meanwhile.
    """

    method: str
    cameras: int
    seconds: float
    answers: tuple[LiveAnswer, ...]
    nbytes: int
    edge: float
    carrier: float
    overran: float
    unplugged: bool = False

    @property
    def good(self) -> float:
        """Share of the pictures that were answered rightly and in time."""
        return float(np.mean([answer.right and answer.in_time for answer in self.answers])) if self.answers else 0.0


Watcher = Callable[[Meter], None]
"""Shown what has been seen so far."""

Events = Sequence[tuple[float, Callable[[], None]]]
"""What happens, and after how many seconds."""


class LiveStreet:
    """The processes of a street, with the cameras of each live method; a context manager.

    Args:
        basis: what was measured; the pictures are those whose classes the gates have not seen.
        host: this machine's profile of the bundle.
        traffic: of the cameras.
    """

    def __init__(self, basis: Basis, host: Profile, traffic: Traffic) -> None:
        self._basis, self._host, self._traffic = basis, host, traffic
        self._stack, self._cores = contextlib.ExitStack(), two_cores()
        self._cameras: dict[str, CameraProcess] = {}

    def __enter__(self) -> Self:
        """Starts the edge, the link and the methods' cameras, none of which is there yet."""
        with contextlib.ExitStack() as undo:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="edgent-street-")))
            self._host.save(folder / "host.json")
            model = "+".join(map(str, self._basis.bundle.members))
            self._edge = undo.enter_context(ServerProcess.edge(model, folder / "host.json"))
            pin(self._edge.pid, self._cores.edge)
            trip = self._traffic.round_trip
            self.link = undo.enter_context(ShapedLink(self._edge.address, uplink=_FAST, round_trip=trip))
            for method in LIVE:
                process = CameraProcess(self._settings(model, gated=method == OURS))
                self._cameras[method] = undo.enter_context(process)
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def grow(self, cameras: int) -> None:
        """Has each method have so many cameras at least, connected and warm."""
        self.link.set(uplink=_FAST, downlink=_FAST)
        for process in self._cameras.values():
            process.grow(cameras, self.link.address)

    def watch(
        self, method: str, street: Street, watcher: Watcher = lambda _: None, events: Events = ()
    ) -> tuple[Meter, list[float]]:
        """Shows a method's cameras a street's pictures; events happen at their seconds, or a little later.

        Returns:
            What was seen, and when the events were over.
        """
        process = self._cameras[method]
        before = process.load(), computed_by(self._edge.pid), self.link.counts().up_bytes
        busy = self._busy(before[0])
        answers: list[LiveAnswer] = []
        ahead, moments = list(events), list[float]()
        with Driven(self.link, street.link):
            began = time.perf_counter()
            process.film(street, began)
            over = False
            while not over:
                passed = time.perf_counter() - began
                time.sleep(max(0.0, min(_LOOK, ahead[0][0] - passed)) if ahead else _LOOK)
                while ahead and time.perf_counter() - began >= ahead[0][0]:
                    ahead.pop(0)[1]()
                    moments.append(time.perf_counter() - began)
                more, over = process.seen(len(answers))
                answers += more
                load, edge = process.load(), computed_by(self._edge.pid) - before[1]
                used, carrier = load.since(before[0]), self._busy(load) - busy
                nbytes, passed = self.link.counts().up_bytes - before[2], time.perf_counter() - began
                meter = _meter(method, street.cameras, passed, tuple(answers), nbytes, used, edge, carrier)
                meter = replace(meter, unplugged=bool(events))
                watcher(meter)
        return meter, moments

    def _busy(self, load: Load) -> float:
        """Seconds for which the core that carries the cameras was busy; for them alone, where they have no own."""
        core = self._cores.cameras
        return load.computed if core is None else busy_of(core)

    def _settings(self, model: str, gated: bool) -> CameraSettings:
        basis, rows = self._basis, self._basis.shown
        return CameraSettings(
            model=model,
            exits=basis.pair.exits,
            boards=_boards(basis, self._host),
            calibration=calibration_of(basis.bundle, basis.pair, basis.facts, basis.examples.name).to_json(),
            gates=basis.gates.to_json() if gated else None,
            codecs=basis.facts.codecs,
            pictures=tuple(basis.examples.source(row) for row in rows),
            truths=tuple(int(basis.facts.truths[row]) for row in rows),
            deadline=self._traffic.deadline,
            core=self._cores.cameras,
            edge_only=basis.machines.edge_only,
        )


def _boards(basis: Basis, host: Profile) -> tuple[HiddenDevice, ...]:
    """The boards that the cameras stand for, in turn: each with hidden factors of its own."""
    return tuple(hidden_device(host, basis.bundle, find_device(BOARD), seed=seed) for seed in range(BOARDS))


def _meter(
    method: str,
    cameras: int,
    seconds: float,
    answers: tuple[LiveAnswer, ...],
    nbytes: int,
    used: Load,
    edge: float,
    carrier: float,
) -> Meter:
    return Meter(
        method=method,
        cameras=cameras,
        seconds=seconds,
        answers=answers,
        nbytes=nbytes,
        edge=edge / seconds,
        carrier=carrier / seconds,
        overran=used.overran / max(used.pieces, 1),
    )
