"""`edgent data` and `edgent train`: public images, and a multi-exit network made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from edgent.cli.terminal import show
from edgent.errors import InputError


def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="cifar10 or clothing")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the images go.")],
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CIFAR-10's archive; the clone of the clothing pictures."),
    ] = None,
) -> None:
    """Get a public data set; every file's digest is checked or decides where it goes, and what is there is kept."""
    if name == "cifar10":
        from edgent.evaluation.data.cifar10 import fetch_cifar10

        fetch_cifar10(directory, archive=archive, progress=show.err.print)
        show.out.print(f"CIFAR-10 is in {directory} (Krizhevsky, 2009: Learning Multiple Layers of Features)")
    elif name == "clothing":
        _divide_clothing(archive, directory)
    else:
        raise InputError(f"no data set {name!r}: expected cifar10 or clothing")


def _divide_clothing(source: Path | None, directory: Path) -> None:
    from edgent.evaluation.data.clothing import ORIGIN, divide_clothing

    if source is None:
        raise InputError(f"the clothing pictures are not fetched from here: git clone {ORIGIN}, then --archive FOLDER")
    divide_clothing(source, directory)
    show.out.print(f"The clothing pictures are in {directory}: train, validation and test (Grigorev, 2020; CC0)")


def train(
    name: Annotated[
        str, typer.Argument(metavar="NETWORK", help="b-alexnet, b-alexnet-narrow, clothing or clothing-big")
    ],
    images: Annotated[
        Path,
        typer.Option("--data", metavar="DIR", help="CIFAR-10, from `edgent data cifar10`, or clothes."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Model, log and checkpoint.")],
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="One epoch on few images: does it run?")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
) -> None:
    """Train a multi-exit network from scratch, or published weights further; one ONNX file (extra `train`)."""
    from dataclasses import replace

    from edgent.evaluation.data.clothing import read_clothing
    from edgent.training.b_alexnet import RECIPES, Recipe, train_b_alexnet
    from edgent.training.finetuning import FINE_TUNINGS, FineTuning, fine_tune

    recipes: dict[str, Recipe | FineTuning] = {**RECIPES, **FINE_TUNINGS}
    if name not in recipes:
        raise InputError(f"no network {name!r}: expected one of {', '.join(recipes)}")
    recipe = recipes[name].smoke() if smoke else recipes[name]
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    if isinstance(recipe, FineTuning):
        with show.live_progress() as progress:
            path = fine_tune(name, recipe, read_clothing(images), output, progress=progress, seed=seed, resume=resume)
    else:
        path = train_b_alexnet(
            name, recipe, images, output, answers=_answers, seed=seed, resume=resume, console=show.err
        )
    show.out.print(f"{path}: try `edgent inspect {path}`")


def _answers(path: Path) -> Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]:
    """The exported file in the product's own engine."""
    from edgent.engine.guarded_loading import load
    from edgent.engine.onnxruntime import OnnxRuntimeEngine

    engine = OnnxRuntimeEngine(threads=2)

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        model = load(path, dims={"batch": len(images)})
        names = [branch.outputs[0].name for branch in model.branches]
        name = model.inputs[0].name
        answers = engine.session(model, [name], names).run({name: images})
        return [answers[name] for name in names]

    return run
