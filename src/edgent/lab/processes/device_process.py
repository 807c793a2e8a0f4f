"""A device that stands in for a slow board, in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.child_process import PATIENCE
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup, StreamRequest, WorkerSettings
from edgent.lab.processes.worker import WorkerProcess
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration


class DeviceProcess(WorkerProcess):
    """A device in a process of its own, whose orders a `DeviceWorker` does; a context manager."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__("edgent.lab.processes.device_worker", settings)

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

    def begin_stream(self, began: float, seconds: float, period: float, deadline: float) -> None:
        """Begins to answer an image every `period`, planned freely, with the race on.

        `began` is its start by `time.perf_counter`, the clock of all processes of a host: what its owner does meanwhile
        is told by the same seconds, however late the process gets to know of it.
        """
        self._order("stream", began, seconds, period, deadline)

    def end_stream(self) -> tuple[StreamRequest, ...]:
        """Waits for the end of what `begin_stream` began."""
        requests: tuple[StreamRequest, ...] = self._result()
        return requests

    def conditions(self) -> Conditions:
        """Link and edge as the device now takes them to be."""
        conditions: Conditions = self._ask("conditions")
        return conditions

    def account(self) -> EmulationReport:
        """How well this machine stood in for the device so far."""
        counted: EmulationReport = self._ask("account")
        return counted
