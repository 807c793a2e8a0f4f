"""Edge, link and device as processes, for as long as a figure needs them; they start when something is to be run."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from edgent.lab.figures.machines import Setting
from edgent.lab.links.driven import Driven
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import LiveRuns, Setup, StreamRequest, WorkerSettings
from edgent.lab.processes.server_process import ServerProcess
from edgent.link.trace import Trace
from edgent.planning.candidates import Direction
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond, Seconds

ROUND_TRIP = Seconds(0.005)
"""Of every link of the figures; the paper states none."""

_FAST = BitsPerSecond(1e9)
_PATIENCE = 15.0  # seconds; who has not answered by then never does
_LEAST = BitsPerSecond(1e5)  # where a link begins slower, the edge is met all the same


class Rig:
    """The processes that a setting needs to run; a context manager.

    Args:
        setting: The setting.
        environment: How the device's own plans follow the link.
        direction: Which cuts they may have.
        race: Whether the device starts a local branch where the edge is late.
        round_trip: Of the link.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        environment: Literal["static", "dynamic", "paper-dynamic"] = "static",
        direction: Direction = "any",
        race: bool = False,
        round_trip: Seconds = ROUND_TRIP,
    ) -> None:
        self.setting = setting
        self._round_trip = round_trip
        self._environment, self._direction, self._race = environment, direction, race
        self._stack = contextlib.ExitStack()
        self._pieces = self._late = 0
        self._link: ShapedLink | None = None
        self._device: DeviceProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def at(self, bandwidth: float) -> Conditions:
        """Sets the link and meets the edge over it: link and edge as the device then measures them."""
        link, device = self._started()
        rate = BitsPerSecond(bandwidth)
        link.set(uplink=rate, downlink=rate)
        return device.connect(link.address, None)

    def alone(self) -> None:
        """The device without an edge."""
        self._started()[1].connect("", None)

    def run(self, configurations: Sequence[Configuration], rounds: int) -> list[LiveRuns]:
        """Runs configurations in turn, all equally often."""
        setups = [Setup(configuration=configuration) for configuration in configurations]
        return self._started()[1].run(setups, rounds, [_PATIENCE] * len(setups))

    def follow(self, trace: Trace, period: float, deadline: float) -> tuple[StreamRequest, ...]:
        """A request every `period` seconds, planned by the device itself, while the link follows a trace."""
        link, device = self._started()
        self.at(max(trace.at(0.0), _LEAST))
        device.ready_stream(deadline)
        device.begin_stream(time.perf_counter(), trace.duration, period, deadline)
        with Driven(link, trace):
            time.sleep(trace.duration)
        return device.end_stream()

    def conditions(self) -> Conditions:
        """Link and edge as the device now takes them to be."""
        return self._started()[1].conditions()

    def overruns(self) -> tuple[int, int]:
        """Pieces of the device's work so far, and how many of them this machine finished too late."""
        account = self._started()[1].account()
        return account.pieces, account.overran

    def count(self, pieces: int, late: int) -> None:
        """Adds the overruns of some runs, made now or kept from an earlier reproduction."""
        self._pieces, self._late = self._pieces + pieces, self._late + late

    def __str__(self) -> str:
        overran = f"{self._late} of {self._pieces} pieces of its work came later than its pace"
        return f"{self.setting.model.name} on {self.setting.device}; {overran}"

    def _started(self) -> tuple[ShapedLink, DeviceProcess]:
        if self._link is None or self._device is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-figure-")))
            edge = self._stack.enter_context(self._edge(folder / "edge.json"))
            self._link = self._stack.enter_context(ShapedLink(edge.address, uplink=_FAST, round_trip=self._round_trip))
            self._device = self._stack.enter_context(DeviceProcess(self._settings()))
        return self._link, self._device

    def _edge(self, profile: Path) -> ServerProcess:
        setting = self.setting
        setting.edge.save(profile)
        serve = ServerProcess.edge if setting.device.edge is None else ServerProcess.paced_edge
        return serve(str(setting.model.path), profile)

    def _settings(self) -> WorkerSettings:
        setting, calibration = self.setting, self.setting.calibration
        return WorkerSettings(
            model=str(setting.model.path),
            board=setting.board,
            calibration=None if calibration is None else calibration.to_json(),
            inputs=setting.inputs,
            direction=self._direction,
            codecs=None if setting.coded else ("float32",),
            environment=self._environment,
            race=self._race,
        )
