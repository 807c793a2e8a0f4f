"""`edgent plan`: what would be run, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.gates import GatesFile, with_gates
from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
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
from edgent.cli.arguments.profiles import read_profile
from edgent.cli.arguments.source import Source, expected
from edgent.cli.terminal import show
from edgent.units import Seconds, format_bytes, format_duration, parse_bandwidth, parse_delay, parse_duration

if TYPE_CHECKING:
    from edgent.planning import Plan
    from edgent.planning.explain import Neighbour
    from edgent.planning.gates import Gate

Bandwidth = Annotated[str, typer.Option(metavar="RATE", help="Of the uplink, as 400kbps.")]


def plan(
    model: ModelName,
    device: Annotated[
        Path, typer.Option(metavar="FILE", help="The device's profile of this model, or its latency model.")
    ],
    edge: Annotated[Path, typer.Option(metavar="FILE", help="The edge's profile of this model, or its latency model.")],
    bandwidth: Bandwidth,
    deadline: Deadline,
    downlink: Annotated[str, typer.Option(metavar="RATE", help="Of the downlink; the bandwidth if not given.")] = "",
    rtt: Annotated[str, typer.Option(metavar="DELAY", help="Round trip of the empty link.")] = "0ms",
    calibration: CalibrationFile = None,
    gates: GatesFile = None,
    source: Source = "",
    direction: Direction = "any",
    exit: Exits = None,
    codec: Codecs = None,
    dim: Dims = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what other choices would give.")] = False,
    as_json: AsJson = False,
) -> None:
    """The most accurate answer in time: which exit, what runs where, how the crossing tensors are encoded."""
    from edgent.evaluation.calibration_files import calibration_for
    from edgent.link import TransferModel
    from edgent.planning import Candidates, Conditions, Planner

    # Every number is read before the model is opened, which may take minutes: mistakes are said at once.
    up = parse_bandwidth(bandwidth)
    down = parse_bandwidth(downlink, "downlink") if downlink else up
    round_trip = parse_delay(rtt)
    within = parse_duration(deadline, "deadline")
    way, numbers = parse_direction(direction), parse_dims(dim)
    allowed_codecs = parse_codecs(codec)
    loaded = open_model(model, numbers)
    coming = expected(loaded, calibration_for(loaded, calibration), source)
    candidates = Candidates.build(
        loaded,
        read_profile(device, loaded),
        read_profile(edge, loaded),
        coming.calibration,
        source_bytes=coming.source_bytes,
    )
    warn_unpriced(allowed_codecs, candidates)
    candidates = candidates.restricted(direction=way, exits=exit or None, codecs=allowed_codecs)
    candidates = with_gates(candidates, loaded, gates)
    conditions = Conditions(
        uplink=TransferModel(bandwidth=up, round_trip=round_trip),
        downlink=TransferModel(bandwidth=down, round_trip=round_trip),
    )
    # Without a margin: here the question is what is in time. How much of it to keep free is a running device's choice.
    chosen = Planner(candidates).plan(conditions, within)
    neighbours: tuple[Neighbour, ...] = ()
    if explain:
        from edgent.planning.explain import explain as neighbours_of

        neighbours = neighbours_of(candidates, conditions, within)
    if as_json:
        show.document(
            {"plan": chosen.document(), "dominating": chosen.stages.dominating}
            | ({"explain": list(map(str, neighbours))} if explain else {})
        )
    else:
        _print(chosen)
        _print_neighbours(neighbours)


def _print(chosen: Plan) -> None:
    show.out.print(f"{chosen!r}")
    table = show.table("", "stage", "time")
    for stage, milliseconds in chosen.stages.document().items():
        table.add_row(stage, format_duration(milliseconds / 1e3))
    table.add_row("total", format_duration(chosen.stages.total))
    show.out.print(table)
    verdict = "in time" if chosen.meets_deadline else "no plan is in time; this is the fastest"
    longest = chosen.stages.dominating
    share = getattr(chosen.stages, longest) / chosen.stages.total if chosen.stages.total else 0.0
    number = f"{chosen.measure} {'unknown' if chosen.accuracy is None else show.percent(chosen.accuracy)}"
    show.out.print(f"{longest} dominates: {share:.0%} of the time")
    show.out.print(f"{number}, {verdict}")
    if chosen.gate is not None:
        _print_policy(chosen, chosen.gate)


def _print_policy(chosen: Plan, gate: Gate) -> None:
    show.out.print(f"{gate}; the times are those of the others")
    bytes_up = format_bytes(chosen.deferred * (chosen.bytes_up or 0.0))
    middle = format_duration(Seconds(chosen.deferred * chosen.stages.middle))
    show.out.print(f"in the mean over pictures {bytes_up} up and {middle} of the edge")


def _print_neighbours(neighbours: tuple[Neighbour, ...]) -> None:
    if not neighbours:
        return
    show.out.print("\nFor each setting the best plan in which it is another one, and why that was not chosen:")
    table = show.table("", "setting", "exit", "configuration", neighbours[0].plan.measure, "total", "why not")
    for other in neighbours:
        plan = other.plan
        total = format_duration(plan.stages.total)
        accuracy = "unknown" if plan.accuracy is None else show.percent(plan.accuracy)
        exit = str(plan.configuration.exit)
        table.add_row(other.knob.replace("_", " "), exit, other.configuration, accuracy, total, other.reason)
    show.out.print(table)
