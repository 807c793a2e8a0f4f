"""`edgent run`: the device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.address import Address
from edgent.cli.arguments.emulated import Emulate, HiddenSeed, ThrottleStep, parse_throttle, stand_in
from edgent.cli.arguments.inputs import input_files
from edgent.cli.arguments.models import Dims, parse_dims
from edgent.cli.arguments.options import (
    AsJson,
    CalibrationFile,
    Codecs,
    Deadline,
    Direction,
    EngineName,
    Exits,
    Threads,
    make_engine,
    parse_codecs,
    parse_direction,
)
from edgent.cli.arguments.profiles import notice_other_engine, own_profile
from edgent.cli.terminal import show
from edgent.cli.terminal.memory import limited_memory
from edgent.engine.input_files import ARRAYS, read_input
from edgent.errors import EdgentError, InputError, RefusedError
from edgent.text import one_line, readable
from edgent.units import BitsPerSecond, format_duration, parse_bandwidth, parse_delay, parse_duration

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.answer import Answer
    from edgent.device.choosers.chooser import Environment
    from edgent.device.device import Device
    from edgent.engine.onnxruntime import Engine
    from edgent.model import Model
    from edgent.planning.configuration_map import ConfigurationMap


@limited_memory()
def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name (the edge's file if none is here) or file.")],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Images, .npy, .npz, or folders of them.")],
    deadline: Deadline,
    edge: Annotated[str, typer.Option(metavar="HOST:PORT", help="The edge; without it the device is alone.")] = "",
    profile: Annotated[Path | None, typer.Option(metavar="FILE", help="This device's profile.")] = None,
    bandwidth: Annotated[str, typer.Option(metavar="RATE", help="Of the uplink; measured if not given.")] = "",
    downlink: Annotated[str, typer.Option(metavar="RATE", help="Of the downlink.")] = "",
    rtt: Annotated[str, typer.Option(metavar="TIME", help="Round trip; measured if not given.")] = "",
    environment: Annotated[
        str, typer.Option(help="The link: static (as the last transfer found it) or dynamic (followed).")
    ] = "static",
    states: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="Follow it with a map of `edgent map` (Algorithm 3).")
    ] = None,
    calibration: CalibrationFile = None,
    direction: Direction = "any",
    exit: Exits = None,
    codec: Codecs = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    records: Annotated[Path | None, typer.Option(metavar="FILE", help="Append a JSON line per answer.")] = None,
    require_edge: Annotated[bool, typer.Option("--require-edge", help="Fail where the edge is lost.")] = False,
    emulate: Emulate = "",
    hidden_seed: HiddenSeed = 0,
    throttle: ThrottleStep = "",
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """The device: answers each input within the deadline, with the edge when that is better."""
    from edgent.device.connect import find_model
    from edgent.device.device import Device
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.latency import Profile

    within, step = parse_duration(deadline, "deadline"), parse_throttle(throttle)
    up, down = _rate(bandwidth, "bandwidth"), _rate(downlink, "downlink")
    delay, allowed = parse_delay(rtt) if rtt else None, parse_direction(direction)
    allowed_codecs = parse_codecs(codec)
    if edge:
        Address.parse(edge, "--edge")  # refused before the work is done for it
    if step and not emulate:
        raise InputError("--throttle slows an emulated device down: name one with --emulate")
    show.check_output(records, appended=True)
    plans_by = _environment(environment, states, edge)
    files = input_files(inputs)
    measured = Profile.load(profile) if profile else None
    loaded = find_model(model, edge, parse_dims(dim))
    show.warn(*loaded.doubts)
    sizes = calibration_for(loaded, calibration)
    runner = make_engine(engine, threads)
    here = measured or own_profile(loaded, runner)
    notice_other_engine(here, runner)
    board = stand_in(emulate, loaded, here, hidden_seed) if emulate else None
    pace = board.pace(step) if board else None
    coming = _expected(loaded, files, runner)
    device = Device(
        loaded,
        edge=edge or None,
        deadline=within,
        device_profile=board.profile if board else here,
        host_profile=board.table if board else None,
        pace=pace,
        calibration=sizes,
        bandwidth=up,
        downlink=down,
        round_trip=delay,
        engine=runner,
        require_edge=require_edge,
        environment=plans_by,
        direction=allowed,
        exits=exit or None,
        codecs=allowed_codecs,
    )
    if coming is not None:
        device.expect(coming)
    with device:
        if not device.wait_ready() and edge:
            show.err.print(f"edgent: warning: no edge at {edge}; the device answers by itself")
        try:
            _answers(device, inputs, files, records, as_json)
        finally:
            if pace:
                show.err.print(f"emulated: {pace.account}", soft_wrap=True)


def _expected(model: Model, files: list[Path], engine: Engine) -> Calibration | None:
    """How large codecs make the first pictures; arrays, and what is no picture, tell nothing."""
    from edgent.evaluation.sizes import FEW, expected_sizes

    pictures = [file for file in files if file.suffix.lower() not in ARRAYS][:FEW]
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


def _answers(device: Device, named: list[Path], files: list[Path], records: Path | None, as_json: bool) -> None:
    """An answer for every input that can be used; the others are named, and the next one is answered.

    Raises:
        InputError: none can be used, or one cannot that was named; it comes when all others are answered.
        EdgentError: some cannot that were found in folders.
    """
    answers: list[dict[str, Any]] = []
    refusals: dict[Path, InputError] = {}
    try:
        for file in files:
            try:
                answer = _infer(device, file)
            except RefusedError:  # not the input's fault
                raise
            except InputError as error:
                refusals[file] = error
                if len(files) > 1:
                    show.complain(str(error))
            else:
                answers.append(_answer(answer, records, as_json))
    finally:  # what was answered is not lost
        if as_json and answers:
            show.document({"answers": answers})
    if len(files) == 1 and refusals:
        raise refusals[files[0]]
    if refusals:
        kind = EdgentError if answers and refusals.keys().isdisjoint(named) else InputError
        raise kind(f"{len(refusals)} of {len(files)} inputs could not be used; the lines above name them")


def _infer(device: Device, file: Path) -> Answer:
    given = read_input(file, device.model)
    try:
        return device.infer(given, name=readable(file))
    except RefusedError:
        raise
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _answer(answer: Answer, records: Path | None, as_json: bool) -> dict[str, Any]:
    import json

    from edgent.telemetry import write_records

    made = answer.record
    if records is not None:
        write_records(records, [made])
    if not as_json:
        late = "" if made.deadline_met else ", late"
        note = f" ({made.why})" if made.why else ""
        label = one_line(made.label) if made.label else answer.scores[:4]
        show.out.print(
            f"{one_line(made.input)}: {label}, exit {made.exit} by the {made.by}, "
            f"{format_duration(made.total)}{late}{note}",
            soft_wrap=True,
        )
    document: dict[str, Any] = json.loads(made.to_json())
    return document
