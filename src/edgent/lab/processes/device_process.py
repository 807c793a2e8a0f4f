"""A device that stands in for a slow board, in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import pickle
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.child_process import PATIENCE, ChildProcess
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup, StreamRequest, WorkerSettings
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration


class DeviceProcess:
    """A device in a process of its own, whose orders a `DeviceWorker` does; a context manager."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._child = ChildProcess("-m", "edgent.lab.processes.device_worker")

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            EdgentError: The settings are for no model that is there.
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

    def connect(self, edge: str, first: Configuration | None) -> Conditions:
        """Connects to an edge; an empty address is none.

        Args:
            edge: its address.
            first: what to run a few times, so that the device learns what a call takes; it is told nothing.

        Returns:
            Link and edge as the device has measured them.
        """
        conditions: Conditions = self._ask("connect", edge, first)
        return conditions

    def run(self, setups: Sequence[Setup], rounds: int, patience: Sequence[float]) -> list[LiveRuns]:
        """Runs setups interleaved, all equally often; an answer later than its patience counts as none."""
        within = PATIENCE + rounds * sum(patience)
        runs: list[LiveRuns] = self._ask("run", tuple(setups), rounds, tuple(patience), within=within)
        return runs

    def decide(self, deadlines: Sequence[float], warm: Sequence[Configuration]) -> list[Decision]:
        """Has the device itself plan and answer, one picture for each deadline, the race on; what to warm before."""
        decisions: list[Decision] = self._ask("decide", tuple(deadlines), tuple(warm))
        return decisions

    def meet_rival(self, address: str, codecs: Sequence[str]) -> None:
        """Connects to the rival's server, once for each codec."""
        self._ask("meet_rival", address, tuple(codecs))

    def ready_stream(self, deadline: float) -> None:
        """Makes the sessions ready that `begin_stream` needs."""
        self._ask("ready_stream", deadline)

    def begin_stream(self, seconds: float, period: float, deadline: float) -> None:
        """Begins to answer an image every `period`, planned freely, with the race on."""
        self._child.order("stream", arguments=packed((seconds, period, deadline)))

    def end_stream(self) -> tuple[StreamRequest, ...]:
        """Waits for the end of what `begin_stream` began."""
        requests: tuple[StreamRequest, ...] = unpacked(self._child.answer()["result"])
        return requests

    def conditions(self) -> Conditions:
        """Link and edge as the device now takes them to be."""
        conditions: Conditions = self._ask("conditions")
        return conditions

    def account(self) -> EmulationReport:
        """How well this machine stood in for the device so far."""
        counted: EmulationReport = self._ask("account")
        return counted

    def _ask(self, what: str, *arguments: object, within: float = PATIENCE) -> Any:
        return unpacked(self._child.ask(what, within=within, arguments=packed(arguments))["result"])


def packed(value: object) -> str:
    """A value of ours as JSON can carry it: both ends of the pipe are this program."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    """The value that was packed."""
    return pickle.loads(base64.b64decode(text))
