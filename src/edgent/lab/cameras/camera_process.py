"""Many cameras in a process of their own."""

from __future__ import annotations

from edgent.lab.cameras.live import CameraSettings, LiveAnswer, Load
from edgent.lab.cameras.street import Street, arrivals
from edgent.lab.processes.worker import WorkerProcess


class CameraProcess(WorkerProcess):
    """Cameras whose orders a `CameraWorker` does; a context manager."""

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__("edgent.lab.cameras.camera_worker", settings)

    def grow(self, cameras: int, edge: str) -> None:
        """Has so many cameras connect to an edge; those that are there stay."""
        self._ask("grow", cameras, edge)

    def film(self, street: Street, began: float) -> None:
        """Begins to show the cameras a street's pictures, each so long after `began` (by `time.perf_counter`)."""
        at, camera, picture = arrivals(street)
        self._ask("film", began, at.tolist(), camera.tolist(), picture.tolist())

    def seen(self, since: int) -> tuple[list[LiveAnswer], bool]:
        """The answers from the given one on, and whether all have been given."""
        answers: tuple[list[LiveAnswer], bool] = self._ask("seen", since)
        return answers

    def load(self) -> Load:
        """What the process has used so far."""
        used: Load = self._ask("load")
        return used
