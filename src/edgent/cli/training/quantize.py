"""`edgent quantize`: a network in whole numbers, and what that changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, Output, Threads
from edgent.cli.arguments.pictures import DataFolder
from edgent.cli.terminal import show
from edgent.cli.training.learning import LearningFormat, TestFolder, read_to_learn
from edgent.units import format_bytes, format_duration

if TYPE_CHECKING:
    from edgent.training.quantize.quantize import Quantised


def quantize(
    model: ModelName,
    data: DataFolder,
    test: TestFolder = None,
    format: LearningFormat = "",  # noqa: A002 - the option's name
    output: Output = None,
    threads: Threads = 2,
    seed: Annotated[int, typer.Option(help="Of the pictures that are drawn.")] = 0,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Makes a classifier or embedder of int8 numbers, and measures in pairs what that costs and wins.

    Interrupted, it goes on when the same command is given again.
    """
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.training.quantize.quantize import in_floats
    from edgent.training.quantize.quantize import quantize as made_whole

    opened = open_model(model, parse_dims(dim))
    in_floats(opened)  # refused before thousands of pictures are opened
    target = output or Path(f"{opened.name}-int8.onnx")
    show.check_output(target, reads=[model])
    pictures = read_to_learn(data, test, format)
    with show.live_progress() as say:
        quantised = made_whole(
            opened,
            pictures.examples,
            target,
            engine=OnnxRuntimeEngine(threads=threads),
            timing=OnnxRuntimeEngine(threads=1),
            test=pictures.test,
            seed=seed,
            say=say,
        )
    if as_json:
        show.document(_document(quantised, target))
    else:
        _print(quantised, target)
    pictures.refuse_missing()


def _document(quantised: Quantised, target: Path) -> dict[str, Any]:
    times, accuracies = quantised.times, quantised.accuracies
    return {
        "path": str(target),
        "digest": quantised.model.digest,
        "data": quantised.data,
        "samples": quantised.samples,
        "measure": accuracies.name,
        "metric": accuracies.metric,
        "bytes": quantised.whole_bytes,
        "float_bytes": quantised.plain_bytes,
        "time_ms": times.whole * 1e3,
        "float_time_ms": times.plain * 1e3,
        "time_ratio": times.ratio,
        "time_ratio_interval": times.interval,
        "exits": [
            {
                "exit": number,
                accuracies.name: pair.whole.number,
                f"float_{accuracies.name}": pair.plain.number,
                "change": pair.change,
            }
            for number, pair in enumerate(accuracies.exits)
        ],
    }


def _print(quantised: Quantised, target: Path) -> None:
    accuracies, times = quantised.accuracies, quantised.times
    title = f"{accuracies.name.capitalize()} ({accuracies.metric}) on {quantised.samples} pictures of {quantised.data}"
    show.out.print(title)
    table = show.table("", "exit", "float", "int8", "changed by, 95 % interval")
    for number, pair in enumerate(accuracies.exits):
        ends = f"{pair.change.low * 100:+.1f} .. {pair.change.high * 100:+.1f}"
        table.add_row(str(number), show.percent(pair.plain.number), show.percent(pair.whole.number), ends)
    show.out.print(table)
    show.out.print(
        f"time on one thread here: float {format_duration(times.plain)}, int8 {format_duration(times.whole)}; "
        f"{times.ratio:.2f} of it in pairs ({times.interval.low:.2f} .. {times.interval.high:.2f}): "
        f"{_verdict(quantised)}",
        soft_wrap=True,
    )
    show.out.print(f"bytes: float {format_bytes(quantised.plain_bytes)}, int8 {format_bytes(quantised.whole_bytes)}")
    show.out.print(
        f"{target}: its ranges are those on {quantised.ranged} pictures; what it takes on another machine says "
        f"edgent profile {target}",
        soft_wrap=True,
    )


def _verdict(quantised: Quantised) -> str:
    low, high = quantised.times.interval
    return "faster" if high < 1 else "slower" if low > 1 else "neither faster nor slower, as far as can be told"
