"""`edgent gate`: which answers of an early exit are good enough, with a promise of what that costs at most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, Output, Threads, parse_share
from edgent.cli.arguments.pictures import DataFolder, read_pictures, refuse_missing
from edgent.cli.terminal import show

if TYPE_CHECKING:
    from edgent.planning.gates import Gate, Gates


def gate(
    model: ModelName,
    data: DataFolder,
    max_drop: Annotated[
        str, typer.Option(metavar="PERCENT", help="Of the pictures that a gate may lose: a late answer would be right.")
    ] = "1%",
    confidence_level: Annotated[str, typer.Option(metavar="PERCENT", help="How surely it loses no more.")] = "90%",
    in_expectation: Annotated[
        bool, typer.Option("--in-expectation", help="Promise it in the mean over calibrations, and not so surely.")
    ] = False,
    codec: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of pictures on their way to the late exit (repeatable).")
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option(metavar="NAME", help="folders, csv, pictures or cifar10; else recognised.")
    ] = "",
    output: Output = None,
    threads: Threads = 2,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Sets a gate for each early exit: answers of which it is sure are taken, for the others the last exit is asked.

    Without -o the gates are kept where planning finds them.
    """
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.evaluation.gates.files import keep
    from edgent.evaluation.gates.gating import SOURCE, Promise, measure_gates

    show.check_output(output, reads=[model])
    level = None if in_expectation else parse_share("--confidence-level", confidence_level)
    promise = Promise(parse_share("--max-drop", max_drop), level)
    loaded = open_model(model, parse_dims(dim))
    pictures = read_pictures(data, format)
    with show.progress("asking every exit") as progress:
        gates = measure_gates(
            loaded,
            pictures.examples,
            engine=OnnxRuntimeEngine(threads=threads),
            promise=promise,
            codecs=codec or [SOURCE],
            progress=progress,
        )
    if output is not None:
        gates.save(output)
    else:
        output = keep(gates)
    if as_json:
        show.document(json.loads(gates.to_json()))
    else:
        _print(gates, output)
    refuse_missing(pictures)


def _print(gates: Gates, output: Path) -> None:
    surely = "in the mean" if gates.confidence_level is None else f"at {gates.confidence_level:.0%}"
    promise = f"at most {show.percent(gates.max_drop)} of the pictures lost {surely}"
    title = f"Gates of {gates.model}: {promise} ({gates.gates[0].samples} pictures of {gates.data})"
    table = show.table(
        title, "exits", "codec", "sure from", "taken", "lost", gates.measure, "without gate", "combining adds"
    )
    for entry in gates.promised:
        table.add_row(f"{entry.exit}, then {entry.later}", entry.codec, *_numbers(entry))
    show.out.print(table)
    show.out.print(
        "taken: answers of the first exit that stand; lost: of all pictures, those that only a gate gets wrong"
    )
    show.out.print(f"the gates are in {output}", soft_wrap=True)


def _numbers(entry: Gate) -> tuple[str, ...]:
    sure = "never" if entry.confidence is None else f"{entry.confidence:.3f}"
    low, high = (f"{end * 100:+.1f}" for end in entry.gain)
    gain = f"{low} .. {high}{'' if entry.combines else ': off'}"
    return sure, *map(show.percent, (entry.accepted, entry.lost, entry.accuracy, entry.ungated)), gain
