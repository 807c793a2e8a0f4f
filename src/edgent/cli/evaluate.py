"""`edgent evaluate`: how accurate a model's answers are, and how small what crosses is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.options import AsJson, ModelName, Output, Threads
from edgent.cli.terminal import show

if TYPE_CHECKING:
    from edgent.codec import Calibration


def evaluate(
    model: ModelName,
    data: Annotated[Path, typer.Option(metavar="DIR", help="CIFAR-10, from `edgent data cifar10`.")],
    output: Output = None,
    sample: Annotated[int, typer.Option(min=1, help="Images for lossy crossings at inner cuts.")] = 2000,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Accuracy of each exit and lossy codec, and encoded sizes: the model's calibration."""
    from edgent.engine.onnxruntime import Engine
    from edgent.evaluation.data.cifar10 import load_cifar10
    from edgent.evaluation.evaluate import evaluate as measure

    show.check_output(output)
    images = load_cifar10(data, "test")
    with show.progress("evaluating") as progress:
        accuracies, calibration = measure(
            model, images, engine=Engine(threads=threads), sample=sample, progress=progress
        )
    if output is not None:
        calibration.save(output)
    content = _accuracies(accuracies, calibration)
    if as_json:
        show.document(content)
        return
    table = show.table(f"Accuracy on {len(images.labels)} images of {calibration.data}", "exit", "codec", "accuracy")
    for row in content["exits"]:
        table.add_row(str(row["exit"]), "-", show.percent(row["accuracy"]))
        for codec, accuracy in row["input_codecs"].items():
            table.add_row("", codec, show.percent(accuracy))
    show.out.print(table)


def _accuracies(accuracies: tuple[float, ...], calibration: Calibration) -> dict[str, Any]:
    entries = calibration.accuracies
    return {
        "model": calibration.model,
        "digest": calibration.digest,
        "data": calibration.data,
        "exits": [
            {
                "exit": number,
                "accuracy": accuracy,
                "input_codecs": {e.codec: e.accuracy for e in entries if e.exit == number and _of_input(e.codec)},
                "crossings": [
                    {"tensors": list(e.tensors), "codec": e.codec, "accuracy": e.accuracy, "samples": e.samples}
                    for e in entries
                    if e.exit == number
                ],
            }
            for number, accuracy in enumerate(accuracies)
        ],
    }


def _of_input(codec: str) -> bool:
    from edgent.codec import is_image_codec

    return is_image_codec(codec)
