"""The whole job of ``edgent train``: data, training, export, and one evaluation on the test images."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgent.evaluation.data.cifar10 import load_cifar10
from edgent.training.b_alexnet.export import Run, export, measure
from edgent.training.b_alexnet.loop import train
from edgent.training.b_alexnet.recipe import Recipe

__all__ = ["train_b_alexnet"]


def train_b_alexnet(
    name: str,
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    answers: Callable[[Path], Run],
    seed: int = 0,
    resume: bool = False,
    console: Console | None = None,
) -> Path:
    """Train, export, and write the accuracy of each exit into the exported file.

    Ctrl-C may come at any time: the last whole epoch is kept, and ``resume`` goes on from there.

    Args:
        name: of the file, without its ending.
        recipe: how.
        data: folder of CIFAR-10's binary files.
        output: folder for the model, the log and the checkpoint.
        answers: opens an exported file; what it gives back maps images to the answers of all exits.
        seed: of everything that is random.
        resume: go on from the checkpoint in ``output``.
        console: where the progress bar goes; standard error by default.

    Returns:
        The ONNX file.

    Raises:
        InputError: the data is missing or broken, or a checkpoint is in the way or of another recipe.
    """
    images, test = load_cifar10(data, "train"), load_cifar10(data, "test")
    with _bar(console or Console(stderr=True)) as progress:
        network, _ = train(recipe, images, output, seed=seed, resume=resume, progress=progress)
    path = output / f"{name}.onnx"
    export(network, images.class_names, path)
    # the test images are looked at once, in what users will run; every choice before was made on held-back ones
    accuracy = measure(answers(path), test, "CIFAR-10 test")
    export(network, images.class_names, path, accuracy)
    return path


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield progress
