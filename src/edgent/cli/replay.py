"""`edgent replay`: the controller over traces in virtual time, beside baselines and oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.gates import GatesFile, with_gates
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
from edgent.cli.arguments.profiles import own_profile
from edgent.cli.arguments.source import Source, expected
from edgent.cli.arguments.traces import Column, Step, UnitName, parse_reading, read_traces
from edgent.cli.odd import replay_links
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import Seconds, format_duration, parse_duration

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.link.trace import Trace
    from edgent.link.trace_files import TraceReading
    from edgent.model import Model
    from edgent.planning import Candidates
    from edgent.replay import ReplaySettings, Report

BACK_TO_BACK = "back-to-back"

_SHIPPED_MODEL, _BOARD = "b-alexnet", "paper-pi3-resident"
_SHARE = 0.75  # of the last exit's time on that device: less than its first exit takes there


def replay(
    traces: Annotated[
        list[Path] | None, typer.Argument(metavar="[TRACE ...]", help="Traces, folders, records of a run.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="A shipped model's name, or an ONNX file.")] = "",
    device: Annotated[Path | None, typer.Option(metavar="FILE", help="The device's profile of this model.")] = None,
    edge: Annotated[Path | None, typer.Option(metavar="FILE", help="The edge's profile of this model.")] = None,
    deadline: Deadline = "",
    odd: Annotated[bool, typer.Option("--odd", help="Odd links in place of traces; see above.")] = False,
    link: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of the odd links only this one (repeatable).")
    ] = None,
    device_slowdown: Annotated[float, typer.Option(metavar="X", help="Emulate a device X times slower.")] = 1.0,
    scale: Annotated[float, typer.Option(metavar="S", help="Multiply the traces' bandwidths.")] = 1.0,
    column: Column = "",
    unit: UnitName = "",
    step: Step = "",
    interval: Annotated[str, typer.Option(metavar=f"TIME|{BACK_TO_BACK}", help="Between requests, as 2s.")] = "2s",
    variation: Annotated[float, typer.Option(metavar="C", help="Coefficient of a variation within seconds.")] = 0.0,
    calibration: CalibrationFile = None,
    gates: GatesFile = None,
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
    """What each way to choose plans would have given on recorded links; seeded, the same each time.

    With --odd the links are thirty that are each hard in one way: they alternate each second, send in bursts, stop for
    half a minute. The exit code is 1 if on one of them the best baseline is over a point ahead of Edgent and no reason
    is known. Without a model it is the shipped one, on an emulated Raspberry Pi 3 and this machine as the edge.
    """
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.planning import Candidates
    from edgent.planning.reward import find_reward
    from edgent.replay import ReplaySettings

    if odd == bool(traces):
        raise InputError("expected either traces or --odd, as edgent replay TRACE ... or edgent replay --odd")
    if link and not odd:
        raise InputError("--link names an odd link: expected --odd as well")
    reading = parse_reading(column, unit, step)
    every = None if interval == BACK_TO_BACK else parse_duration(interval, "interval")
    way, numbers = parse_direction(direction), parse_dims(dim)
    allowed_codecs = parse_codecs(codec)
    if odd and not (model or device or edge):
        parts = _shipped(deadline)
    else:
        parts = _named(model, device, edge, deadline, numbers)
    slow = _slowed(parts.device, device_slowdown)
    coming = expected(parts.model, calibration_for(parts.model, calibration), source)
    candidates = Candidates.build(parts.model, slow, parts.edge, coming.calibration, source_bytes=coming.source_bytes)
    warn_unpriced(allowed_codecs, candidates)
    allowed = candidates.restricted(direction=way, exits=exit or None, codecs=allowed_codecs)
    request = ReplaySettings(
        candidates=with_gates(allowed, parts.model, gates),
        device=slow,
        edge=parts.edge,
        deadline=parts.deadline,
        interval=every,
        variation=variation,
        seed=seed,
        race=race,
        reward=find_reward(reward),
    )
    if odd:
        replay_links(request, link or (), scale, as_json=as_json)
    else:
        _replay_traces(
            request, read_traces(traces or [], scale, lambda file: _link(file, candidates, reading)), as_json
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What is replayed, before its candidates are priced."""

    model: Model
    device: Profile
    edge: Profile
    deadline: Seconds


def _named(model: str, device: Path | None, edge: Path | None, deadline: str, numbers: dict[str, int]) -> _Parts:
    """As the options name it."""
    from edgent.latency import Profile

    options = {"--model": model, "--device": device, "--edge": edge, "--deadline": deadline}
    if missing := [option for option, value in options.items() if not value]:
        raise InputError(
            f"missing {' and '.join(missing)}: expected a model, its profiles on both machines (edgent profile MODEL "
            "-o FILE) and a deadline like 100ms"
        )
    assert device is not None and edge is not None, "else they are missing"
    within = parse_duration(deadline, "deadline")
    return _Parts(
        model=open_model(model, numbers), device=Profile.load(device), edge=Profile.load(edge), deadline=within
    )


def _shipped(deadline: str) -> _Parts:
    """The shipped model on an emulated device; a deadline within which that device has no answer of its own."""
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.lab.boards.emulation import emulated_profile, find_device

    loaded = open_model(_SHIPPED_MODEL, {})
    here = own_profile(loaded, OnnxRuntimeEngine())
    board = find_device(_BOARD)
    slow = emulated_profile(here, board)
    # With an answer of its own in time the device would need no link, and every method would be equally good.
    within = Seconds(_SHARE * slow.branches[-1].whole.median)
    if deadline:
        within = parse_duration(deadline, "deadline")
    show.err.print(f"edgent: {_SHIPPED_MODEL} on an emulated {board}; the edge is this machine", soft_wrap=True)
    return _Parts(model=loaded, device=slow, edge=board.edge_profile(here), deadline=within)


def _replay_traces(request: ReplaySettings, links: Sequence[Trace], as_json: bool) -> None:
    from edgent.replay import replay as run

    with show.progress("replaying") as progress:
        report = run(request, links, done=lambda count: progress(count, len(links)))
    if as_json:
        show.document(report.document())
    else:
        _print(report)


def _slowed(profile: Profile, factor: float) -> Profile:
    return profile if factor == 1 else profile.scaled(factor, f"{factor:g} times slower")


def _link(file: Path, candidates: Candidates, reading: TraceReading) -> Trace:
    from edgent.link.trace_files import load_trace
    from edgent.replay.records import is_records, load_records

    # Records of a run tell what its transfers took: they become a trace with the sizes of these candidates.
    return load_records(file, candidates) if is_records(file) else load_trace(file, reading)


def _print(report: Report) -> None:
    count = len(report.per_trace)
    traces = f"{count} trace{'' if count == 1 else 's'}"
    title = f"{traces}, deadline {format_duration(report.deadline)}; fixed: {report.fixed}"
    number = f"{report.measure or 'accuracy'} in time"
    table = show.table(title, "method", number, "missed", "reward", "inferences/s", "switches")
    for name, scores in report.methods.items():
        known = "unknown" if report.measure is None else show.percent(scores[f"{report.measure}_in_time"])
        table.add_row(
            name,
            known,
            show.percent(scores["miss_rate"]),
            f"{scores['reward_mean']:.3f}",
            f"{scores['throughput_mean']:.1f}",
            str(scores["switches"]),
        )
    show.out.print(table)
    gap = "the regime oracle is less than a point ahead" if report.gap_closed is None else f"{report.gap_closed:.0%}"
    show.out.print(f"contested {report.contested:.0%}; gap closed: {gap} (best baseline: {report.best_baseline})")
