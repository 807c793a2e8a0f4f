"""The device's side of a `DeviceProcess`: live runs, each held to the pace of the emulated board."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import fields

from edgent.codec import Calibration
from edgent.device.choosers.chooser import Environment, MakeChooser
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.material import Input
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.live_runs import Decision, LiveRuns, Setup, StreamRequest, WorkerSettings
from edgent.lab.processes.worker import work
from edgent.lab.rivals.paper_dynamic import paper_dynamic
from edgent.lab.rivals.rival import Rival, encoding_seconds, preprocessing_of
from edgent.planning.conditions import ALONE, Conditions
from edgent.planning.plan import Configuration, Stages
from edgent.telemetry import Record
from edgent.units import Seconds

_USUAL = Seconds(1.0)  # deadline; each request has its own
_CONNECTING = 20.0  # seconds; over a slow link the edge's profile takes its time
_ORDERS = ("connect", "run", "decide", "ready_stream", "stream", "meet_rival", "conditions", "account")
_FIRST = 4  # requests from which a device learns what a call takes


class DeviceWorker:
    """The device's side: its methods do what those of `DeviceProcess` order."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._model = load(settings.model)
        self._board, self._pace = settings.board, settings.board.pace()
        self._calibration = Calibration.from_json(settings.calibration) if settings.calibration else None
        self._settings = settings
        self._engine = OnnxRuntimeEngine()
        self._device: Device | None = None
        self._rivals: dict[str, Rival] = {}

    def connect(self, edge: str, first: Configuration | None) -> Conditions:
        """See `DeviceProcess.connect`."""
        if self._device is not None:
            self._device.close()
        self._device = Device(
            self._model,
            edge=edge or None,
            deadline=_USUAL,
            device_profile=self._board.profile,
            host_profile=self._board.table,
            calibration=self._calibration,
            engine=self._engine,
            pace=self._pace,
            race=self._settings.race,
            environment=self._environment(),
            direction=self._settings.direction,
            codecs=self._settings.codecs,
            insecure=True,  # both ends are ours, between network namespaces of this machine
        )
        if not edge:
            return ALONE
        if not self._device.wait_ready(_CONNECTING):
            raise EdgentError(f"no edge at {edge}")
        if first is not None:
            self.run([Setup(configuration=first)], _FIRST, [_CONNECTING])
        conditions = self._device.conditions
        assert conditions is not None, "a connected edge was probed"
        return conditions

    def run(self, setups: Sequence[Setup], rounds: int, patience: Sequence[float]) -> list[LiveRuns]:
        """See `DeviceProcess.run`."""
        measured: list[list[tuple[float, Stages | None]]] = [[] for _ in setups]
        for turn in range(rounds):
            for setup, wait, runs in zip(setups, patience, measured, strict=True):
                runs.append(self._once(setup, turn, wait))
        return [_measured(runs) for runs in measured]

    def decide(self, deadlines: Sequence[float], warm: Sequence[Configuration]) -> list[Decision]:
        """See `DeviceProcess.decide`."""
        assert self._device is not None
        for configuration in warm:
            self._device.warm(configuration)
        return [self._decision(turn, deadline) for turn, deadline in enumerate(deadlines)]

    def ready_stream(self, deadline: float) -> None:
        """See `DeviceProcess.ready_stream`."""
        assert self._device is not None
        self._device.infer(self._input(0), deadline=Seconds(deadline))
        self._device.wait_ready()

    def stream(self, began: float, seconds: float, period: float, deadline: float) -> tuple[StreamRequest, ...]:
        """See `DeviceProcess.begin_stream`."""
        assert self._device is not None
        served = []
        for turn in range(int(seconds / period)):
            time.sleep(max(0.0, began + turn * period - time.perf_counter()))
            at = time.perf_counter() - began
            record = self._device.infer(self._input(turn), deadline=Seconds(deadline)).record
            served.append(_request(at, record))
        return tuple(served)

    def meet_rival(self, address: str, codecs: Sequence[str]) -> None:
        """See `DeviceProcess.meet_rival`."""
        self._end_rivals()
        for codec in codecs:
            self._rivals[codec] = Rival(
                address,
                codec=codec,
                preprocessing=preprocessing_of(self._model),
                pace=self._pace,
                seconds=encoding_seconds(self._board.table, codec),
            )
            self._rivals[codec].ask(self._picture(0))  # connects, and warms both sides

    def conditions(self) -> Conditions:
        """See `DeviceProcess.conditions`."""
        conditions = None if self._device is None else self._device.conditions
        return ALONE if conditions is None else conditions

    def account(self) -> EmulationReport:
        """See `DeviceProcess.account`."""
        return self._pace.account

    def close(self) -> None:
        """Ends everything."""
        if self._device is not None:
            self._device.close()
        self._end_rivals()

    def _end_rivals(self) -> None:
        for rival in self._rivals.values():
            rival.close()
        self._rivals.clear()

    def _environment(self) -> Environment | MakeChooser:
        named = self._settings.environment
        return paper_dynamic if named == "paper-dynamic" else named

    def _input(self, turn: int) -> Input:
        """The same for every setup, so that their latencies are of the same inputs."""
        return self._settings.inputs[turn % len(self._settings.inputs)]

    def _picture(self, turn: int) -> bytes:
        picture = self._input(turn)
        assert isinstance(picture, bytes), "the rival sends files of pictures"
        return picture

    def _decision(self, turn: int, deadline: float) -> Decision:
        assert self._device is not None
        record = self._device.infer(self._input(turn), deadline=Seconds(deadline)).record
        return Decision(
            deadline=deadline,
            configuration=None if record.plan is None else record.plan.configuration,
            by=record.by,
            deadline_met=record.deadline_met,
        )

    def _once(self, setup: Setup, turn: int, patience: float) -> tuple[float, Stages | None]:
        configuration = setup.configuration
        if setup.bare:
            return self._rivals[configuration.codec].ask(self._picture(turn)).total, None
        assert self._device is not None
        within = Seconds(patience)
        asked = self._device.infer(self._input(turn), configuration=configuration, race=False, deadline=within)
        record = asked.record
        as_told = record.by == ("device" if configuration.device_only else "edge")
        return (record.total if as_told else float("inf")), record.stages


def _measured(runs: Sequence[tuple[float, Stages | None]]) -> LiveRuns:
    stages = [stage_times for _, stage_times in runs if stage_times is not None]
    medians = {
        f.name: statistics.median(getattr(stage_times, f.name) for stage_times in stages)
        for f in fields(Stages)
        if stages
    }
    return LiveRuns(totals=tuple(total for total, _ in runs), stages=Stages(**medians) if stages else None)


def _request(at: float, record: Record) -> StreamRequest:
    return StreamRequest(
        at=at,
        total=record.total,
        by=record.by,
        exit=record.exit,
        deadline_met=record.deadline_met,
        why=record.why,
        configuration=None if record.plan is None else record.plan.configuration,
    )


def main() -> None:
    """Takes orders until there are no more."""
    work(DeviceWorker, _ORDERS)


if __name__ == "__main__":
    main()
