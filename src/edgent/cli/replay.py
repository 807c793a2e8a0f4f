"""`edgent replay`: the controller over traces in virtual time, beside baselines and oracles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.models import Dims, open_model, parse_dims
from edgent.cli.arguments.options import (
    AsJson,
    CalibrationFile,
    Codecs,
    Deadline,
    Direction,
    Exits,
    parse_codecs,
    parse_direction,
    warn_unpriced,
)
from edgent.cli.arguments.source import Source, expected
from edgent.cli.arguments.traces import read_traces
from edgent.cli.terminal import show
from edgent.units import format_duration, parse_duration

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.link.trace import Trace
    from edgent.planning import Candidates
    from edgent.replay import Report

BACK_TO_BACK = "back-to-back"


def replay(
    traces: Annotated[list[Path], typer.Argument(metavar="TRACE ...", help="Traces, folders, records of a run.")],
    model: Annotated[str, typer.Option(metavar="MODEL", help="A shipped model's name, or an ONNX file.")],
    device: Annotated[Path, typer.Option(metavar="FILE", help="The device's profile of this model.")],
    edge: Annotated[Path, typer.Option(metavar="FILE", help="The edge's profile of this model.")],
    deadline: Deadline,
    device_slowdown: Annotated[float, typer.Option(metavar="X", help="Emulate a device X times slower.")] = 1.0,
    scale: Annotated[float, typer.Option(metavar="S", help="Multiply the traces' bandwidths.")] = 1.0,
    interval: Annotated[str, typer.Option(metavar="TIME", help=f"Between requests, as 2s; or {BACK_TO_BACK}.")] = "2s",
    variation: Annotated[float, typer.Option(metavar="C", help="Coefficient of a variation within seconds.")] = 0.0,
    calibration: CalibrationFile = None,
    source: Source = "",
    direction: Direction = "any",
    exit: Exits = None,
    codec: Codecs = None,
    dim: Dims = None,
    reward: Annotated[str, typer.Option(help="lexicographic, fraction or percent.")] = "lexicographic",
    race: Annotated[bool, typer.Option("--race/--no-race", help="Local branches, for all methods or none.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    as_json: AsJson = False,
) -> None:
    """What each way to choose plans would have given on recorded links; seeded, the same each time."""
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.latency import Profile
    from edgent.planning import Candidates
    from edgent.planning.reward import find_reward
    from edgent.replay import ReplaySettings
    from edgent.replay import replay as run

    within = parse_duration(deadline, "deadline")
    every = None if interval == BACK_TO_BACK else parse_duration(interval, "interval")
    way, numbers = parse_direction(direction), parse_dims(dim)
    allowed_codecs = parse_codecs(codec)
    loaded = open_model(model, numbers)
    slow, quick = _slowed(Profile.load(device), device_slowdown), Profile.load(edge)
    coming = expected(loaded, calibration_for(loaded, calibration), source)
    candidates = Candidates.build(loaded, slow, quick, coming.calibration, source_bytes=coming.source_bytes)
    warn_unpriced(allowed_codecs, candidates)
    request = ReplaySettings(
        candidates=candidates.restricted(direction=way, exits=exit or None, codecs=allowed_codecs),
        device=slow,
        edge=quick,
        deadline=within,
        interval=every,
        variation=variation,
        seed=seed,
        race=race,
        reward=find_reward(reward),
    )
    links = read_traces(traces, scale, lambda file: _link(file, candidates))
    with show.progress("replaying") as progress:
        report = run(request, links, done=lambda count: progress(count, len(links)))
    if as_json:
        show.document(report.document())
    else:
        _print(report)


def _slowed(profile: Profile, factor: float) -> Profile:
    return profile if factor == 1 else profile.scaled(factor, f"{factor:g} times slower")


def _link(file: Path, candidates: Candidates) -> Trace:
    from edgent.link.traces import load_trace
    from edgent.replay.records import is_records, load_records

    return load_records(file, candidates) if is_records(file) else load_trace(file)


def _print(report: Report) -> None:
    count = len(report.per_trace)
    traces = f"{count} trace{'' if count == 1 else 's'}"
    title = f"{traces}, deadline {format_duration(report.deadline)}; fixed: {report.fixed}"
    number = f"{report.measure or 'accuracy'} in time"
    table = show.table(title, "method", number, "missed", "reward", "inferences/s", "switches")
    for name, each in report.methods.items():
        known = "unknown" if report.measure is None else show.percent(each[f"{report.measure}_in_time"])
        table.add_row(
            name,
            known,
            show.percent(each["miss_rate"]),
            f"{each['reward_mean']:.3f}",
            f"{each['throughput_mean']:.1f}",
            str(each["switches"]),
        )
    show.out.print(table)
    gap = "the regime oracle is less than a point ahead" if report.gap_closed is None else f"{report.gap_closed:.0%}"
    show.out.print(f"contested {report.contested:.0%}; gap closed: {gap} (best baseline: {report.best_baseline})")
