"""`edgent evaluate`: how accurate a model's answers are, and how small what crosses is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, Output, Threads
from edgent.cli.arguments.pictures import DataFolder, Pictures, read_pictures, refuse_missing
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import format_bytes

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.evaluation.evaluate import Evaluation
    from edgent.model import Model


def evaluate(
    model: ModelName,
    data: DataFolder,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option(metavar="NAME", help="folders, csv, coco, yolo, pictures or cifar10; else recognised.")
    ] = "",
    reference: Annotated[
        str, typer.Option(metavar="MODEL", help="Measure the agreement with another model instead of labels.")
    ] = "",
    output: Output = None,
    embed: Annotated[bool, typer.Option("--embed", help="Put the exits' accuracies into the model's file.")] = False,
    sample: Annotated[int, typer.Option(min=1, help="Pictures for lossy crossings at inner cuts.")] = 2000,
    threads: Threads = 2,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy, agreement or fidelity of each exit and lossy codec, and encoded sizes: the model's calibration.

    Without -o it is kept where planning finds it.
    """
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.evaluation.calibration_files import keep
    from edgent.evaluation.data.recognise import CIFAR10
    from edgent.evaluation.evaluate import evaluate as measure
    from edgent.evaluation.reading import form_of

    show.check_output(output, reads=[model, reference])
    numbers = parse_dims(dim)
    loaded = open_model(model, numbers)
    other = open_model(reference, {}) if reference else None
    for measured in filter(None, (loaded, other)):
        form_of(measured)  # refused before pictures are read for it
    pictures = read_pictures(data, format)
    if embed:
        _check_embeddable(loaded, pictures, other)
    with show.progress("evaluating") as progress:
        found = measure(
            loaded,
            pictures.examples,
            engine=OnnxRuntimeEngine(threads=threads),
            sample=sample,
            every_cut=pictures.format == CIFAR10,
            reference=other,
            progress=progress,
        )
    if output is not None:
        found.calibration.save(output)
    else:
        output = keep(found.calibration)
    if embed:
        _embed(loaded, found.calibration)
    if as_json:
        show.document(_document(found))
    else:
        _print(found, output)
    refuse_missing(pictures)


def _check_embeddable(model: Model, pictures: Pictures, reference: Model | None) -> None:
    from edgent.model.configuration.embed import check_embeddable

    if reference or any(truth is None for truth in pictures.examples.truths):
        raise InputError("--embed: puts accuracies into a file, expected labels for all pictures, and no --reference")
    if len(model.members) > 1:
        raise InputError(f"--embed: {model.name} is a bundle; evaluate each of its files by itself")
    check_embeddable(model.path)
    show.check_output(model.path)


def _embed(model: Model, calibration: Calibration) -> None:
    from edgent.model.configuration.embed import embed_exits, exits_with

    known = [entry.accuracy for entry in calibration.exits]
    embed_exits(model.path, exits_with(model, known, calibration.exits[0].samples, calibration.data), model.path)


def _document(found: Evaluation) -> dict[str, Any]:
    calibration = found.calibration
    entries = calibration.accuracies
    return {
        "model": calibration.model,
        "digest": calibration.digest,
        "data": calibration.data,
        "measure": calibration.measure,
        "metric": calibration.metric,
        "reference": calibration.reference or None,
        **({"others": dict(found.others)} if found.others else {}),
        "exits": [
            {
                "exit": each.exit,
                **_named(calibration, each.accuracy),
                "samples": each.samples,
                "interval": each.interval,
                "input_codecs": {e.codec: e.accuracy for e in entries if e.exit == each.exit and _of_input(e.codec)},
                "crossings": [
                    {
                        "tensors": list(e.tensors),
                        "codec": e.codec,
                        **_named(calibration, e.accuracy),
                        "samples": e.samples,
                        "change": e.change,
                    }
                    for e in entries
                    if e.exit == each.exit
                ],
            }
            for each in calibration.exits
        ],
    }


def _named(calibration: Calibration, number: float) -> dict[str, float | None]:
    """A number under its own name: only an accuracy is called so."""
    return {"accuracy": None, calibration.measure: number}


def _of_input(codec: str) -> bool:
    from edgent.codec import is_image_codec

    return is_image_codec(codec)


def _print(found: Evaluation, output: Path) -> None:
    calibration = found.calibration
    what, samples = calibration.measure, calibration.exits[0].samples
    beside = f" with {calibration.reference}" if calibration.reference else ""
    title = f"{what.capitalize()}{beside} ({calibration.metric}) on {samples} pictures of {calibration.data}"
    table = show.table(title, "exit", "codec", "bytes", what, "95 % interval", "changed by, 95 %", "counts as")
    for each in calibration.exits:
        counts = show.percent(calibration.exit_counts_as(each.exit))
        table.add_row(str(each.exit), "-", "-", show.percent(each.accuracy), _interval(each.interval), "", counts)
        for codec in sorted({entry.codec for entry in calibration.sizes if _of_input(entry.codec)}):
            table.add_row("", codec, *_codec_row(calibration, each.exit, codec))
    show.out.print(table)
    show.out.print(f"intervals by {found.interval_by}; what a codec changes is judged in pairs, and where the pictures")
    show.out.print("cannot tell it from nothing, it counts as the exit's own")
    for name, number in found.others.items():
        show.out.print(f"{name}: {show.percent(number)}")
    crossings = {e.tensors for e in calibration.accuracies if not _of_input(e.codec)}
    show.out.print(f"{len(crossings)} cuts that can pay are in {output}", soft_wrap=True)


def _codec_row(calibration: Calibration, exit: int, codec: str) -> tuple[str, str, str, str, str]:
    """Size, number, no interval of its own, what it changed by, what it counts as."""
    size = next(entry for entry in calibration.sizes if entry.codec == codec and _of_input(entry.codec))
    entry = next(
        (e for e in calibration.accuracies if (e.exit, e.tensors, e.codec) == (exit, size.tensors, codec)), None
    )
    if entry is None:  # nothing is lost
        return format_bytes(int(size.mean_bytes)), "the exit's own", "", "", ""
    counts = calibration.counts_as(exit, size.tensors, codec)
    change = "" if entry.change is None else _interval(entry.change, sign="+")
    return format_bytes(int(size.mean_bytes)), show.percent(entry.accuracy), "", change, show.percent(counts)


def _interval(ends: tuple[float, float], sign: str = "") -> str:
    return f"{ends[0] * 100:{sign}.1f} .. {ends[1] * 100:{sign}.1f}"
