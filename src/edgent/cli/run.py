"""`edgent run`: the device."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.address import Address
from edgent.cli.answers.answering import Answering
from edgent.cli.answers.folder import AnswerFolder
from edgent.cli.arguments.dashboard import Dashboard
from edgent.cli.arguments.emulated import Emulate, HiddenSeed, ThrottleStep, notice_overruns, parse_throttle, stand_in
from edgent.cli.arguments.frames import (
    CropText,
    FrameRate,
    FrameSources,
    FromCapture,
    PlayAgain,
    RefinedWithin,
    check_asked,
    watched_sources,
)
from edgent.cli.arguments.gates import GatesFile
from edgent.cli.arguments.inputs import STDIN, given_inputs, input_files
from edgent.cli.arguments.models import Dims, meet_edge, open_device, parse_dims
from edgent.cli.arguments.options import (
    AsJson,
    CalibrationFile,
    Codecs,
    Deadline,
    Direction,
    EngineName,
    Exits,
    Insecure,
    Threads,
    make_engine,
    parse_codecs,
    parse_direction,
)
from edgent.cli.arguments.profiles import notice_other_engine, own_profile
from edgent.cli.arguments.sinks import Sinks
from edgent.cli.arguments.tracing import TraceTo, open_device_traces
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.engine.input_files import ARRAYS
from edgent.errors import InputError
from edgent.units import BitsPerSecond, parse_bandwidth, parse_delay, parse_duration

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.choosers.chooser import Environment
    from edgent.device.connection.handshake import OnVersion
    from edgent.device.device import Device
    from edgent.device.settings import DeviceSettings
    from edgent.engine.engine import Engine
    from edgent.lab.boards.emulation import Throttle
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.configuration_map import ConfigurationMap


@limited_memory()
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name (the edge's file if none is here) or file.")],
    deadline: Deadline,
    inputs: Annotated[
        list[Path] | None, typer.Argument(metavar="INPUT...", help="Images, .npy, .npz, folders; - : stdin.")
    ] = None,
    source: FrameSources = None,
    fps: FrameRate = None,
    crop: CropText = "",
    from_capture: FromCapture = False,
    refine: RefinedWithin = "",
    again: PlayAgain = False,
    sink: Sinks = None,
    dashboard: Dashboard = "",
    trace_to: TraceTo = "",
    edge: Annotated[str, typer.Option(metavar="HOST:PORT", help="The edge; without it the device is alone.")] = "",
    profile: Annotated[Path | None, typer.Option(metavar="FILE", help="This device's profile.")] = None,
    bandwidth: Annotated[str, typer.Option(metavar="RATE", help="Of the uplink; measured if not given.")] = "",
    downlink: Annotated[str, typer.Option(metavar="RATE", help="Of the downlink.")] = "",
    rtt: Annotated[str, typer.Option(metavar="DELAY", help="Round trip; measured if not given.")] = "",
    environment: Annotated[
        str,
        typer.Option(metavar="static|dynamic", help="The link: as the last transfer found it, or followed."),
    ] = "static",
    states: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="Follow it with a map of `edgent map` (Algorithm 3).")
    ] = None,
    calibration: CalibrationFile = None,
    gates: GatesFile = None,
    direction: Direction = "any",
    exit: Exits = None,
    codec: Codecs = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep each answer: JSON, .npz, masks.")] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Keep the pictures, with the answers on them.")] = False,
    records: Annotated[Path | None, typer.Option(metavar="FILE", help="Append a JSON line per answer.")] = None,
    require_edge: Annotated[bool, typer.Option("--require-edge", help="Fail where the edge is lost.")] = False,
    insecure: Insecure = False,
    emulate: Emulate = "",
    hidden_seed: HiddenSeed = 0,
    throttle: ThrottleStep = "",
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """The device: answers each input within the deadline, with the edge when that is better.

    With --source it goes on until its sources end; SIGTERM or Ctrl-C: what has come is answered, a second one ends it.
    """
    from edgent.cli.streaming.watching import watch
    from edgent.device.settings import DeviceSettings
    from edgent.latency import Profile

    watched = watched_sources(
        source or (),
        rate=fps,
        crop=crop,
        from_capture=from_capture,
        refine=refine,
        again=again,
        sinks=sink or (),
        dashboard=dashboard,
    )
    check_asked(inputs, watched, as_json)
    numbers, within, step = parse_dims(dim), parse_duration(deadline, "deadline"), parse_throttle(throttle)
    if edge:
        Address.parse(edge, "--edge")  # refused before the work is done for it
    if step and not emulate:
        raise InputError("--throttle slows an emulated device down: name one with --emulate")
    settings = DeviceSettings(
        deadline=within,
        bandwidth=_rate(bandwidth, "bandwidth"),
        downlink=_rate(downlink, "downlink"),
        round_trip=parse_delay(rtt) if rtt else None,
        require_edge=require_edge,
        insecure=insecure,
        environment=_environment(environment, states, edge),
        direction=parse_direction(direction),
        exits=exit or None,
        codecs=parse_codecs(codec),
    )
    show.check_output(records, appended=True)
    asked = given_inputs(inputs or (), sys.stdin.buffer)
    if annotate and output is None:
        raise InputError("--annotate draws on pictures that are kept: say where with --output DIR")
    folder = None if output is None else AnswerFolder(output, annotate=annotate)
    with open_device_traces(trace_to) as traces:
        maker = _Maker(
            settings=replace(settings, traces=traces),
            edge=edge,
            engine=engine,
            threads=threads,
            profile=Profile.load(profile) if profile else None,
            calibration=calibration,
            gates=gates,
            inputs=inputs or (),
            emulate=emulate,
            hidden_seed=hidden_seed,
            throttle=step,
        )
        with open_device(model, edge, maker.device, numbers, insecure=insecure, require_edge=require_edge) as device:
            meet_edge(device, edge)
            try:
                if watched is None:
                    Answering(device, records, folder, as_json).run(asked)
                else:
                    watch(device, watched, records, folder)
            finally:
                if emulate:
                    notice_overruns(device.settings.pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """Makes the device of each version of the model, by the options."""

    settings: DeviceSettings
    edge: str
    engine: str
    threads: int
    profile: Profile | None
    calibration: Path | None
    gates: Path | None
    inputs: Sequence[Path]
    emulate: str
    hidden_seed: int
    throttle: Throttle | None

    def device(self, model: Model, on_version: OnVersion | None = None, before: Device | None = None) -> Device:
        """The device of the first version, or of one that the edge has afterwards."""
        from edgent.device.connect import for_another_version, settings_of_version
        from edgent.device.device import Device

        runner = make_engine(self.engine, self.threads)
        if before is None:
            complete = self._complete(model, runner, on_version)
        elif known := settings_of_version(before, model):
            complete = replace(known, engine=runner)
        else:
            # The files that were named are of the first version.
            settings = for_another_version(self.settings, model)
            later = replace(self, settings=settings, profile=None, calibration=None, gates=None)
            complete = later._complete(model, runner, on_version)
        return Device(model, self.edge or None, complete)

    def _complete(self, model: Model, runner: Engine, on_version: OnVersion | None) -> DeviceSettings:
        from edgent.evaluation.calibration_files import calibration_for
        from edgent.evaluation.gates.files import gates_for

        calibration = calibration_for(model, self.calibration)
        here = self.profile or own_profile(model, runner)
        notice_other_engine(here, runner)
        complete = replace(
            self.settings,
            engine=runner,
            calibration=calibration,
            gates=gates_for(model, self.gates),
            expected_sizes=_expected(model, self.inputs, runner),
            device_profile=here,
            on_version=on_version,
        )
        return self._emulated(model, complete, here) if self.emulate else complete

    def _emulated(self, model: Model, settings: DeviceSettings, here: Profile) -> DeviceSettings:
        board = stand_in(self.emulate, model, here, self.hidden_seed)
        pace = board.pace(self.throttle)
        return replace(settings, device_profile=board.profile, host_profile=board.table, pace=pace)


def _expected(model: Model, inputs: Sequence[Path], engine: Engine) -> Calibration | None:
    """How large codecs make the first pictures; arrays, and what is no picture, tell nothing."""
    from edgent.evaluation.sizes import FEW, expected_sizes

    files = (file for path in inputs if path != STDIN for file in input_files([path]))
    pictures = list(islice((file for file in files if file.suffix.lower() not in ARRAYS), FEW))
    return expected_sizes(model, pictures, engine) if pictures else None


def _rate(text: str, what: str) -> BitsPerSecond | None:
    return parse_bandwidth(text, what) if text else None


def _environment(name: str, states: Path | None, edge: str) -> Environment | ConfigurationMap:
    if states is None:
        return name  # type: ignore[return-value]  # the device refuses any other
    from edgent.planning.configuration_map import ConfigurationMap

    if name != "dynamic" or not edge:
        raise InputError(f"--map {states}: is for an edge on a moving link: add --edge and --environment dynamic")
    return ConfigurationMap.load(states)
