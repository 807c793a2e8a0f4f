"""Many cameras in a process of their own."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Self

from edgent.lab.cameras.live import CameraSettings, LiveAnswer, Load
from edgent.lab.cameras.street import Street, arrivals
from edgent.lab.processes.child_process import PATIENCE, ChildProcess
from edgent.lab.processes.device_process import packed, unpacked


class CameraProcess:
    """Cameras whose orders a `CameraWorker` does; a context manager."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._child = ChildProcess("-m", "edgent.lab.cameras.camera_worker")

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            EdgentError: the settings are for no model that is there.
        """
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._child)
            self._ask("begin", self._settings)
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def grow(self, cameras: int, edge: str) -> None:
        """Has so many cameras connect to an edge; those that are there stay."""
        self._ask("grow", cameras, edge)

    def film(self, street: Street) -> None:
        """Begins to show the cameras a street's pictures, each at its moment."""
        at, camera, picture = arrivals(street)
        self._ask("film", at.tolist(), camera.tolist(), picture.tolist())

    def seen(self, since: int) -> tuple[list[LiveAnswer], bool]:
        """The answers from the given one on, and whether all have been given."""
        answers: tuple[list[LiveAnswer], bool] = self._ask("seen", since)
        return answers

    def load(self) -> Load:
        """What the process has used so far."""
        used: Load = self._ask("load")
        return used

    def _ask(self, what: str, *arguments: object) -> Any:
        return unpacked(self._child.ask(what, within=PATIENCE, arguments=packed(arguments))["result"])
