"""The cameras' side of a `CameraProcess`: real devices, each held to the pace of the board that it stands for."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence

from edgent.codec import Calibration
from edgent.device.answer import Answer
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import Emulated
from edgent.lab.boards.remembering import RememberingEngine
from edgent.lab.cameras.live import CameraSettings, LiveAnswer, Load
from edgent.lab.processes.worker import work
from edgent.model import Model
from edgent.model.files.partial import manifest_of, partial
from edgent.planning.gates import Gates

_ORDERS = ("grow", "film", "seen", "load")
_CONNECTING = 20.0  # seconds


class CameraWorker:
    """Its methods do what those of `CameraProcess` order.

    Args:
        settings: of all cameras.
    """

    def __init__(self, settings: CameraSettings) -> None:
        if settings.core is not None:
            os.sched_setaffinity(0, {settings.core})
        self._settings = settings
        self._model, self._engine = _model_of(settings), RememberingEngine()
        self._calibration = Calibration.from_json(settings.calibration)
        self._gates = None if settings.gates is None else Gates.from_json(settings.gates)
        self._paces: list[Emulated] = []
        self._devices: list[Device] = []
        self._filming: list[threading.Thread] = []
        self._answers: list[LiveAnswer] = []
        self._lock = threading.Lock()

    def grow(self, cameras: int, edge: str) -> int:
        """See `CameraProcess.grow`."""
        before = len(self._devices)
        self._devices += [self._device(number, edge) for number in range(before, cameras)]
        for number, device in enumerate(self._devices[before:], start=before):
            if not device.wait_ready(_CONNECTING):
                raise EdgentError(f"camera {number}: no edge at {edge}")
            # The first picture makes sessions, which no camera does while it is watched.
            device.infer(self._settings.pictures[0], deadline=_CONNECTING)
        return len(self._devices)

    def film(self, began: float, at: Sequence[float], camera: Sequence[int], picture: Sequence[int]) -> None:
        """See `CameraProcess.film`."""
        self._answers = []
        of_camera: dict[int, list[tuple[float, int]]] = {}
        for moment, number, row in zip(at, camera, picture, strict=True):
            of_camera.setdefault(number, []).append((moment, row))
        self._filming = [
            threading.Thread(target=self._film, args=(number, began, frames)) for number, frames in of_camera.items()
        ]
        for thread in self._filming:
            thread.start()

    def seen(self, since: int) -> tuple[list[LiveAnswer], bool]:
        """See `CameraProcess.seen`."""
        over = not any(thread.is_alive() for thread in self._filming)
        with self._lock:
            return self._answers[since:], over

    def load(self) -> Load:
        """See `CameraProcess.load`."""
        accounts = [pace.account for pace in self._paces]
        return Load(
            computed=time.process_time(),
            pieces=sum(account.pieces for account in accounts),
            overran=sum(account.overran for account in accounts),
        )

    def close(self) -> None:
        """Ends everything."""
        for thread in self._filming:
            thread.join()
        for device in self._devices:
            device.close()

    def _device(self, number: int, edge: str) -> Device:
        settings, board = self._settings, self._settings.boards[number % len(self._settings.boards)]
        self._paces.append(board.pace())
        return Device(
            self._model,
            edge,
            deadline=settings.deadline,
            device_profile=board.profile,
            host_profile=board.table,
            calibration=self._calibration,
            gates=self._gates,
            exits=settings.exits,
            codecs=settings.codecs,
            engine=self._engine,  # one for all, so that sessions are made once, and answers computed once
            pace=self._paces[-1],
            insecure=True,  # both ends are ours
        )

    def _film(self, number: int, began: float, frames: Sequence[tuple[float, int]]) -> None:
        for moment, row in frames:
            time.sleep(max(0.0, began + moment - time.perf_counter()))
            try:
                seen = self._judged(number, moment, row, self._devices[number].infer(self._settings.pictures[row]))
            except EdgentError:  # no answer is one that is late and wrong
                seen = LiveAnswer(
                    at=moment, camera=number, picture=row, right=False, in_time=False, by="device", total=math.inf
                )
            with self._lock:
                self._answers.append(seen)

    def _judged(self, number: int, moment: float, row: int, given: Answer) -> LiveAnswer:
        record = given.record
        return LiveAnswer(
            at=moment,
            camera=number,
            picture=row,
            right=int(given.scores.argmax()) == self._settings.truths[row],
            in_time=record.total <= self._settings.deadline,
            by=record.by,
            total=record.total,
        )


def _model_of(settings: CameraSettings) -> Model:
    """What a camera has: both files, or the first one and the other's ends, as a device that has fetched it."""
    bundle = load(settings.model)
    if not settings.edge_only:
        return bundle
    return partial(load(str(bundle.members[0])), manifest_of(bundle, tuple(bundle.digests)[1:]))


def main() -> None:
    """Takes orders until there are no more."""
    work(CameraWorker, _ORDERS)


if __name__ == "__main__":
    main()
