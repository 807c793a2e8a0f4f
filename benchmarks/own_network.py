#!/usr/bin/env python3
"""What `edgent add-exits` and `edgent quantize` make of a network: accuracies, times and bytes, on the same pictures.

    python benchmarks/own_network.py NETWORK --data DIR --test DIR [--at 46% --at 69%] [--budget 8min] [--json]

Both learn from the pictures of --data and are measured on those of --test; nothing is written. Needs the extra `train`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import command
from edgent.cli.arguments.options import parse_share
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.evaluation.data.examples import Examples, opened
from edgent.evaluation.data.recognise import read_listing, recognised
from edgent.model import Model
from edgent.training.exits.add_exits import Added, add_exits
from edgent.training.exits.job import Order, new_job
from edgent.training.exits.lesson import Trainer
from edgent.training.quantize.quantize import Quantised, quantize
from edgent.units import parse_duration
from tables import aligned

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network with the pictures to learn from and to measure on, and what may be used for it."""

    network: Model
    data: Examples
    test: Examples
    threads: int
    folder: Path

    @property
    def engine(self) -> OnnxRuntimeEngine:
        """Runs networks for their answers."""
        return OnnxRuntimeEngine(threads=self.threads)


def exits_of(task: Task, order: Order, trainer: Trainer) -> Added:
    """Adds exits, as the command does."""
    output = task.folder / "exits.onnx"
    job = new_job(task.network, task.data, output, engine=task.engine, order=order, test=task.test, say=_silent)
    return add_exits(job, trainer, output)


def int8_of(task: Task) -> Quantised:
    """Quantises, as the command does."""
    output, timing = task.folder / "int8.onnx", OnnxRuntimeEngine(threads=1)
    return quantize(task.network, task.data, output, engine=task.engine, timing=timing, test=task.test, say=_silent)


def exit_rows(added: Added) -> Iterator[Row]:
    """A row for each exit; operations are shares of the old network's."""
    for exit in added.exits:
        low, high = exit.score.interval
        yield {
            "exit": exit.name,
            "operations": exit.share,
            added.measure: exit.score.number,
            "low": low,
            "high": high,
            "temperature": exit.temperature,
        }


def int8_rows(quantised: Quantised) -> Iterator[Row]:
    """Accuracy, time and bytes of both files; changes of accuracy in points, of time as a ratio, in pairs."""
    for pair in quantised.accuracies.exits:
        low, high = (100 * end for end in pair.change)
        yield _both(quantised.accuracies.name, pair.plain.number, pair.whole.number) | {"low": low, "high": high}
    times = quantised.times
    low, high = times.interval
    yield _both("ms", times.plain * 1e3, times.whole * 1e3) | {"low": low, "high": high}
    yield _both("MB", quantised.plain_bytes / 1e6, quantised.whole_bytes / 1e6)


def main(arguments: list[str] | None = None) -> int:
    """Prints both tables."""
    parser = command.options(__doc__)
    parser.add_argument("network", type=Path, help="a trained classifier or embedder, an ONNX file")
    parser.add_argument("--data", type=Path, required=True, help="pictures to learn from")
    parser.add_argument("--test", type=Path, required=True, help="pictures to measure on")
    parser.add_argument("--at", action="append", default=[], help="share of the operations of an exit (repeatable)")
    parser.add_argument("--budget", default="8min", help="for the exits (8min)")
    parser.add_argument("--threads", type=command.at_least(1), default=2, help="of the engine and of PyTorch (2)")
    options = parser.parse_args(arguments)
    from edgent.training.exits.fitting import TorchTrainer  # PyTorch: what is wrong with the options is told first

    shares = tuple(parse_share("--at", text) for text in options.at)
    order = Order(shares=shares, budget=parse_duration(options.budget, "budget"))
    with TemporaryDirectory() as folder:
        task = Task(
            network=load(options.network),
            data=_pictures(options.data),
            test=_pictures(options.test),
            threads=options.threads,
            folder=Path(folder),
        )
        begin = time.monotonic()
        added = exits_of(task, order, TorchTrainer(options.threads))
        begun = time.monotonic()
        quantised = int8_of(task)
        document = {
            "setting": {
                "network": task.network.name,
                "learned": len(task.data),
                "measured": len(task.test),
                "views": added.views,
                "epochs": added.epochs,
                "minutes": (begun - begin) / 60,
                "int8_seconds": time.monotonic() - begun,
            },
            "exits": list(exit_rows(added)),
            "int8": list(int8_rows(quantised)),
        }
    command.show(options, document, lambda: _print(document))
    return 0


def _both(what: str, plain: float, whole: float) -> Row:
    return {"": what, "float": plain, "int8": whole}


def _pictures(root: Path) -> Examples:
    return opened(read_listing(root, recognised(root)))


def _silent(what: str, done: int, whole: int) -> None:
    """Nobody watches."""


def _print(document: dict[str, Any]) -> None:
    for rows in ([document["setting"]], document["exits"], document["int8"]):
        print(aligned(rows), end="\n\n")


if __name__ == "__main__":
    command.run(main)
