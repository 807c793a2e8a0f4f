"""`edgent serve` and `edgent run`: the two machines."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli import show
from edgent.cli.emulated import Emulate, HiddenSeed, ThrottleStep, parse_throttle, stand_in
from edgent.cli.measure import read_input
from edgent.cli.options import (
    AsJson,
    CalibrationFile,
    Codecs,
    Deadline,
    Direction,
    EngineName,
    Exits,
    Threads,
    make_engine,
    parse_direction,
)
from edgent.cli.profiles import notice_other_engine
from edgent.errors import EdgentError, InputError
from edgent.units import format_duration, parse_bandwidth, parse_delay, parse_duration

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.configuration_map import ConfigurationMap
    from edgent.runtime.answer import Answer
    from edgent.runtime.chooser import Environment
    from edgent.runtime.device import Device
    from edgent.runtime.engine import Engine

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_ARRAYS = {".npy", ".npz"}


def serve(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Shipped names or ONNX files.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8001,
    profile: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="This machine's profile.")] = None,
    threads: Threads = 1,
    engine: EngineName = "onnxruntime",
    as_json: AsJson = False,
) -> None:
    """The edge: answers for its models over the Open Inference Protocol until it is stopped."""
    from edgent.latency import Profile
    from edgent.runtime.calibrator import calibration_for
    from edgent.runtime.edge import Edge
    from edgent.runtime.loading import load

    loaded = [load(model) for model in models]
    given = {found.digest: found for found in map(Profile.load, profile or ())}
    runner = make_engine(engine, threads)
    profiles = [given.get(model.digest) or own_profile(model, runner) for model in loaded]
    for found in profiles:
        notice_other_engine(found, runner)
    calibrations = [found for found in map(calibration_for, loaded) if found is not None]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    edge = Edge(loaded, engine=runner, profiles=profiles, calibrations=calibrations, host=host, port=port)
    with edge:
        names = [{"name": model.name, "version": model.version, "digest": model.digest} for model in loaded]
        if as_json:
            show.document({"address": edge.address, "models": names})
        else:
            show.out.print(f"{edge!r}; Ctrl-C stops it")
        stop.wait()


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
    as_json: AsJson = False,
) -> None:
    """The device: answers each input within the deadline, with the edge when that is better."""
    from edgent.latency import Profile
    from edgent.runtime.calibrator import calibration_for
    from edgent.runtime.device import Device

    within, step = parse_duration(deadline, "deadline"), parse_throttle(throttle)
    if step and not emulate:
        raise InputError("--throttle slows an emulated device down: name one with --emulate")
    show.check_output(records)
    plans_by = _environment(environment, states, edge)
    files = list(_files(inputs))
    loaded = _load(model, edge)
    runner = make_engine(engine, threads)
    here = Profile.load(profile) if profile else own_profile(loaded, runner)
    notice_other_engine(here, runner)
    board = stand_in(emulate, loaded, here, hidden_seed) if emulate else None
    pace = board.pace(step) if board else None
    device = Device(
        loaded,
        edge=edge or None,
        deadline=within,
        device_profile=board.profile if board else here,
        host_profile=board.table if board else None,
        pace=pace,
        calibration=calibration_for(loaded, calibration),
        bandwidth=parse_bandwidth(bandwidth) if bandwidth else None,
        downlink=parse_bandwidth(downlink, "downlink") if downlink else None,
        round_trip=parse_delay(rtt) if rtt else None,
        engine=runner,
        require_edge=require_edge,
        environment=plans_by,
        direction=parse_direction(direction),
        exits=exit or None,
        codecs=codec or None,
    )
    with device:
        if not device.wait_ready() and edge:
            show.err.print(f"edgent: warning: no edge at {edge}; the device answers by itself")
        answers: list[dict[str, Any]] = []
        try:
            for file in files:
                answers.append(_answer(_infer(device, file), records, as_json))
        finally:  # what was answered before a bad file is not lost
            if as_json and answers:
                show.document({"answers": answers})
            if pace:
                show.err.print(f"emulated: {pace.account}", soft_wrap=True)


def own_profile(model: Model, engine: Engine) -> Profile:
    """This machine's profile of a model: measured once, then kept by digest, engine, threads and our version.

    Another version may time other codecs.
    """
    from edgent import __version__
    from edgent.latency import Profile
    from edgent.model.weights import cache_folder
    from edgent.runtime.profiler import profile as measure

    name = f"{model.digest[:32]}-{engine.name.replace(' ', '-')}-{engine.threads}-{__version__}.json"
    kept = cache_folder() / "profiles" / name
    if kept.is_file():
        try:
            return Profile.load(kept)
        except EdgentError:
            kept.unlink()
    with show.progress(f"profiling {model.name} once") as progress:
        made = measure(model, engine, progress=progress)
    kept.parent.mkdir(parents=True, exist_ok=True)
    made.save(kept)
    return made


def _environment(name: str, states: Path | None, edge: str) -> Environment | ConfigurationMap:
    if states is None:
        return name  # type: ignore[return-value]  # the device refuses any other
    from edgent.planning.configuration_map import ConfigurationMap

    if name != "dynamic" or not edge:
        raise InputError(f"--map {states}: is for an edge on a moving link: add --edge and --environment dynamic")
    return ConfigurationMap.load(states)


def _load(model: str, edge: str) -> Model:
    from edgent.model import find
    from edgent.runtime.loading import load

    if edge and not find(model).exists() and "/" not in model and not model.endswith(".onnx"):
        from edgent.runtime.fetch import fetch_model

        return load(fetch_model(edge, model))
    return load(model)


def _files(inputs: list[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix.lower() in _IMAGES | _ARRAYS)
            if not found:
                raise InputError(f"{path}: no images and no .npy or .npz files in this folder")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise InputError(f"{path}: no such file or folder")


def _read(file: Path) -> Any:
    if file.suffix.lower() not in _ARRAYS:
        return read_input(file)
    import numpy as np

    try:
        found = np.load(file, allow_pickle=False)
        return found if file.suffix.lower() == ".npy" else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: no NumPy file ({error}); expected an array saved with numpy.save") from error


def _infer(device: Device, file: Path) -> Answer:
    given = _read(file)
    try:
        return device.infer(given, name=str(file))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error


def _answer(answer: Answer, records: Path | None, as_json: bool) -> dict[str, Any]:
    import json

    line = answer.record.to_json()
    if records is not None:
        with records.open("a") as stream:
            stream.write(line + "\n")
    if not as_json:
        made = answer.record
        late = "" if made.deadline_met else ", late"
        note = f" ({made.why})" if made.why else ""
        show.out.print(
            f"{made.input}: {made.label or answer.scores[:4]}, exit {made.exit} by the {made.by}, "
            f"{format_duration(made.total)}{late}{note}"
        )
    document: dict[str, Any] = json.loads(line)
    return document
