"""`edgent map`: the configuration map, built offline."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import (
    AsJson,
    CalibrationFile,
    Codecs,
    Direction,
    Exits,
    parse_codecs,
    parse_direction,
    warn_unpriced,
)
from edgent.cli.arguments.profiles import read_profile
from edgent.cli.arguments.source import Source, expected
from edgent.cli.arguments.traces import Column, Step, UnitName, parse_reading, read_traces
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import format_bandwidth, format_duration, parse_bandwidth, parse_count, parse_delay, parse_duration

if TYPE_CHECKING:
    from edgent.link.trace_files import TraceReading
    from edgent.planning.configuration_map import ConfigurationMap

_ROWS = 20


def configuration_map(
    model: ModelName,
    device: Annotated[Path, typer.Option(metavar="FILE", help="The device's profile of this model.")],
    edge: Annotated[Path, typer.Option(metavar="FILE", help="The edge's profile of this model.")],
    deadline: Annotated[str, typer.Option(metavar="T[,T...]", help="The range of deadlines, as 100ms,1s.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    states: Annotated[
        list[Path] | None,
        typer.Option(metavar="TRACES", help="A state for each: files, folders (repeatable)."),
    ] = None,
    grid: Annotated[str, typer.Option(metavar="LOW,HIGH,N", help="N states at equal factors instead.")] = "",
    scale: Annotated[float, typer.Option(help="Factor on the traces' bandwidths.")] = 1.0,
    column: Column = "",
    unit: UnitName = "",
    step: Step = "",
    reward: Annotated[str, typer.Option(metavar="lexicographic|fraction|percent", help="What to maximise.")] = (
        "lexicographic"
    ),
    rtt: Annotated[str, typer.Option(metavar="DELAY", help="Round trip of the empty link.")] = "0ms",
    calibration: CalibrationFile = None,
    source: Source = "",
    direction: Direction = "any",
    exit: Exits = None,
    codec: Codecs = None,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """For every bandwidth state, what to run at any deadline of a range (Algorithm 2)."""
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.planning import Candidates
    from edgent.planning.paper.algorithm2 import MapSettings, build_map
    from edgent.planning.reward import find_reward

    # Before anything that takes time: a map of hundreds of states must not be lost for a folder that is not there.
    show.check_output(output, reads=[model, device, edge, calibration])
    recipe = MapSettings(
        bandwidths=_bandwidths(states or [], scale, grid, parse_reading(column, unit, step)),
        deadlines=[parse_duration(text, "deadline") for text in deadline.split(",")],
        reward=find_reward(reward),
        round_trip=parse_delay(rtt),
    )
    way, numbers = parse_direction(direction), parse_dims(dim)
    allowed_codecs = parse_codecs(codec)
    loaded = open_model(model, numbers)
    on_device, on_edge = read_profile(device, loaded), read_profile(edge, loaded)
    coming = expected(loaded, calibration_for(loaded, calibration), source)
    table = Candidates.build(loaded, on_device, on_edge, coming.calibration, source_bytes=coming.source_bytes)
    warn_unpriced(allowed_codecs, table)
    table = table.restricted(direction=way, exits=exit or None, codecs=allowed_codecs)
    built = build_map(table, loaded.name, on_device, on_edge, recipe)
    built.save(output)
    if as_json:
        show.document(json.loads(built.to_json()))
    else:
        _print(built, output)


def _bandwidths(traces: list[Path], scale: float, grid: str, reading: TraceReading) -> tuple[float, ...]:
    from edgent.link.trace_files import load_trace

    if bool(traces) == bool(grid):
        raise InputError("expected either --states with traces or --grid LOW,HIGH,N, as --grid 50kbps,10Mbps,64")
    # An option without an effect here would look as if it had one.
    if grid and (scale != 1 or reading.says):
        option = f"--scale {scale:g}" if scale != 1 else "--column, --unit, --step"
        raise InputError(f"{option}: for the traces of --states; write the grid's bandwidths as they are to be")
    if grid:
        return _grid(grid)
    return tuple(trace.mean for trace in read_traces(traces, scale, partial(load_trace, reading=reading)))


def _grid(text: str) -> tuple[float, ...]:
    from edgent.planning.paper.algorithm2 import grid

    parts = text.split(",")
    count = parse_count(parts[-1].strip(), 100_000)
    if len(parts) != 3 or count is None:
        raise InputError(f"--grid {text[:80]!r}: expected LOW,HIGH,N with at most 100000 states, as 50kbps,10Mbps,64")
    return grid(parse_bandwidth(parts[0], "grid"), parse_bandwidth(parts[1], "grid"), count)


def _print(built: ConfigurationMap, output: Path) -> None:
    show.out.print(f"{built!r}")
    table = show.table("", "state", "from", "exit", "cuts", "codecs")
    # Every n-th state, spread over all of them: a map may have as many as there are traces.
    shown = range(0, len(built.states), max(1, len(built.states) // _ROWS))
    for state in (built.states[k] for k in shown):
        for place, step in enumerate(state.steps):
            plan = step.configuration
            name = format_bandwidth(state.bandwidth) if not place else ""
            cuts = "device only" if plan.device_only else f"{plan.upload_cut}..{plan.download_cut}"
            codecs = "-" if plan.device_only else f"{plan.codec}, {plan.download_codec}"
            table.add_row(name, format_duration(step.deadline), str(plan.exit), cuts, codecs)
    show.out.print(table)
    show.out.print(f"{len(shown)} of {len(built.states)} states shown; all of them are in {output}")
