"""`edgent frigate`: a device as a detector of Frigate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.address import Address
from edgent.cli.arguments.dashboard import Dashboard, open_dashboard, page_address
from edgent.cli.arguments.emulated import Emulate, stand_in
from edgent.cli.arguments.gates import GatesFile
from edgent.cli.arguments.models import Dims, meet_edge, open_device, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, CalibrationFile, EngineName, Insecure, Threads, make_engine
from edgent.cli.arguments.profiles import notice_other_engine, own_profile
from edgent.cli.arguments.sinks import Sinks, check_sinks, open_sinks
from edgent.cli.arguments.source import expected
from edgent.cli.arguments.tracing import TraceTo, open_device_traces
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.cli.terminal.signals import StopSignals
from edgent.units import format_duration, parse_duration

if TYPE_CHECKING:
    from edgent.device.connection.handshake import OnVersion
    from edgent.device.settings import DeviceSettings
    from edgent.engine.engine import Engine
    from edgent.events import EventListener
    from edgent.frigate.endpoint import FrigateEndpoint
    from edgent.model import Model


@limited_memory()
def frigate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A detector: a name (the edge's file if none is here) or file.")
    ],
    edge: Annotated[str, typer.Option(metavar="HOST:PORT", help="The edge; without it the board is alone.")] = "",
    bind: Annotated[
        str, typer.Option(metavar="ENDPOINT", help="Where Frigate asks: tcp://HOST:PORT, tcp://*:PORT or ipc://FILE.")
    ] = "tcp://127.0.0.1:5555",
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="For an answer; three fifths of Frigate's request_timeout_ms.")
    ] = "120ms",
    source: Annotated[
        str, typer.Option(metavar="PICTURES", help="Pictures as they will come, so that their sizes are known.")
    ] = "",
    profile: Annotated[Path | None, typer.Option(metavar="FILE", help="This board's profile.")] = None,
    calibration: CalibrationFile = None,
    gates: GatesFile = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    insecure: Insecure = False,
    sink: Sinks = None,
    dashboard: Dashboard = "",
    trace_to: TraceTo = "",
    emulate: Emulate = "",
    dim: Dims = None,
    configuration: Annotated[
        bool, typer.Option("--configuration", help="Print what to write into Frigate's, and end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A detector for Frigate: answers within its time-out, with the edge when that is better.

    SIGTERM or Ctrl-C ends it.
    """
    signals = StopSignals()  # before anything slow: none that comes from here on is lost
    from edgent.clock import MonotonicClock
    from edgent.device.connect import settings_of_version
    from edgent.device.device import Device
    from edgent.frigate.detector import PATIENCE, FrigateDetector, check_detector
    from edgent.frigate.endpoint import FrigateEndpoint, check_bind

    within, numbers = parse_duration(deadline, "deadline"), parse_dims(dim)
    check_bind(bind)
    page_address(dashboard)
    check_sinks(sink)
    if edge:
        Address.parse(edge, "--edge")
    if configuration:
        _print_configuration(_model(model, edge, numbers, insecure), bind)
        return

    def make(loaded: Model, on_version: OnVersion | None, before: Device | None) -> Device:
        """The device of one version of the model: of the first one, or of one that the edge has afterwards."""
        check_detector(loaded)
        runner = make_engine(engine, threads)
        if before is not None and (known := settings_of_version(before, loaded)) is not None:
            return Device(loaded, edge, replace(known, engine=runner))
        # The files that were named are of the first version.
        named = (profile, calibration, gates) if before is None else (None, None, None)
        settings = _settings(loaded, runner, *named, source)
        settings = replace(settings, deadline=within, insecure=insecure, on_version=on_version, traces=traces)
        if emulate:
            settings = _emulated(settings, emulate, loaded)
        _warn_slow(settings)
        return Device(loaded, edge or None, settings)

    with (
        open_sinks(sink) as sinks,
        open_device_traces(trace_to) as traces,
        open_device(model, edge, make, numbers, insecure=insecure) as device,
        open_dashboard(dashboard, device) as page,
    ):
        listeners: list[EventListener] = [sinks] if page is None else [sinks, page]
        with_pictures = sinks.with_pictures or page is not None
        meet_edge(device, edge)
        patience, clock = PATIENCE * within, MonotonicClock()
        with (
            FrigateDetector(device, listeners, with_pictures=with_pictures, clock=clock) as detector,
            FrigateEndpoint(detector, bind, patience=patience, clock=clock, on_end=signals.done) as endpoint,
        ):
            signals.serving = True
            _tell(endpoint, device.model, as_json)
            signals.wait()
        if not as_json:
            _tell_counts(endpoint)


def _model(name: str, edge: str, dims: Mapping[str, int], insecure: bool) -> Model:
    """The model that would be run, by itself."""
    from edgent.device.connect import is_fetched, newest

    return newest(edge, name, dims=dims, insecure=insecure)[0] if is_fetched(name, edge) else open_model(name, dims)


def _print_configuration(model: Model, bind: str) -> None:
    from edgent.frigate.configuration import frigate_configuration

    show.out.print(frigate_configuration(model, bind), soft_wrap=True)


def _settings(
    model: Model, engine: Engine, profile: Path | None, calibration: Path | None, gates: Path | None, source: str
) -> DeviceSettings:
    """What the board is told of its model; the deadline is still to be said."""
    from edgent.device.settings import DeviceSettings
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.evaluation.gates.files import gates_for
    from edgent.frigate.detector import DEADLINE
    from edgent.latency import Profile

    allowed = gates_for(model, gates)
    coming = expected(model, calibration_for(model, calibration), source)
    here = Profile.load(profile) if profile else own_profile(model, engine)
    notice_other_engine(here, engine)
    return DeviceSettings(
        deadline=DEADLINE,
        engine=engine,
        device_profile=here,
        calibration=coming.calibration,
        gates=allowed,
    )


def _emulated(settings: DeviceSettings, board: str, model: Model) -> DeviceSettings:
    """The same for this machine at the pace of a board."""
    assert settings.device_profile is not None, "it was measured, or read"
    known = stand_in(board, model, settings.device_profile, seed=0)
    return replace(settings, device_profile=known.profile, host_profile=known.table, pace=known.pace(None))


def _warn_slow(settings: DeviceSettings) -> None:
    """Says where a board by itself is too slow: without its edge Frigate would see nothing."""
    profile = settings.device_profile
    assert profile is not None, "it was measured, or read"
    preparing = profile.decode_source.median + profile.fit.median + profile.normalise.median
    alone = preparing + min(branch.whole.median for branch in profile.branches)
    if alone > settings.deadline:
        show.warn(
            f"alone this board takes {format_duration(alone)}, more than {format_duration(settings.deadline)}: where "
            "its edge is late, Frigate sees nothing; take a smaller model, or give both more time"
        )


def _tell(endpoint: FrigateEndpoint, model: Model, as_json: bool) -> None:
    if as_json:
        show.document({"address": endpoint.address, "model": model.name, "version": model.version})
    else:
        show.out.print(f"{endpoint.address}: {model.name} answers Frigate; Ctrl-C stops it", soft_wrap=True)


def _tell_counts(endpoint: FrigateEndpoint) -> None:
    counts = endpoint.counts
    show.out.print(
        f"{counts.answered} answered; with zeros: {counts.late} late, {counts.failed} failed, {counts.refused} refused"
    )
