"""`edgent add-exits`: early answers for a trained network, as a new file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgent.cli.arguments.models import Dims, ModelName, open_model, parse_dims
from edgent.cli.arguments.options import AsJson, Output, Threads, parse_share
from edgent.cli.arguments.pictures import DataFolder
from edgent.cli.terminal import show
from edgent.cli.training.learning import LearningFormat, TestFolder, read_to_learn
from edgent.units import parse_duration

if TYPE_CHECKING:
    from edgent.training.exits.add_exits import Added
    from edgent.training.exits.lesson import Trainer


def add_exits(
    model: ModelName,
    data: DataFolder,
    test: TestFolder = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="For all of it, as 30min or 30m.")] = "30min",
    exits: Annotated[int, typer.Option(min=1, max=6, help="So many at most.")] = 3,
    at: Annotated[
        list[str] | None, typer.Option(metavar="PERCENT", help="Of the operations: an exit there (repeatable).")
    ] = None,
    format: LearningFormat = "",  # noqa: A002 - the option's name
    output: Output = None,
    threads: Threads = 2,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    dim: Dims = None,
    as_json: AsJson = False,
) -> None:
    """Adds early exits to a trained classifier or embedder; its last answer stays the same to the bit (extra `train`).

    Interrupted, it goes on when the same command is given again.
    """
    from edgent.engine.onnxruntime import OnnxRuntimeEngine
    from edgent.training.exits.add_exits import add_exits as add
    from edgent.training.exits.job import Order, new_job, without_exits

    shares = tuple(parse_share("--at", text) for text in at or ())
    order = Order(exits=exits, shares=shares, budget=_parse_budget(budget), seed=seed)
    opened = open_model(model, parse_dims(dim))
    without_exits(opened)  # refused before thousands of pictures are opened
    target = output or Path(f"{opened.name}-exits.onnx")
    show.check_output(target, reads=[model])
    pictures = read_to_learn(data, test, format)
    with show.live_progress() as say:
        job = new_job(
            opened,
            pictures.examples,
            target,
            engine=OnnxRuntimeEngine(threads=threads),
            order=order,
            test=pictures.test,
            say=say,
        )
        added = add(job, _trainer(threads), target)
    if as_json:
        show.document(_document(added, target))
    else:
        _print(added, target)
    pictures.refuse_missing()


def _trainer(threads: int) -> Trainer:
    # Only now: whoever has no PyTorch is told first what else is wrong, and loses no time yet.
    from edgent.training.exits.fitting import TorchTrainer

    return TorchTrainer(threads)


def _parse_budget(text: str) -> float:
    # Elsewhere "m" is no unit, for it may be meant for milliseconds; nobody means those here.
    return parse_duration(f"{text}in" if text[:-1].isdigit() and text.endswith("m") else text, "budget")


def _document(added: Added, target: Path) -> dict[str, Any]:
    return {
        "path": str(target),
        "digest": added.model.digest,
        "data": added.data,
        "samples": added.samples,
        "measure": added.measure,
        "metric": added.metric,
        "views": added.views,
        "epochs": added.epochs,
        "exits": [
            {
                "exit": number,
                "name": exit.name,
                "place": exit.place,
                "relative_cost": exit.share,
                "temperature": exit.temperature,
                added.measure: exit.score.number,
                "interval": exit.score.interval,
            }
            for number, exit in enumerate(added.exits)
        ],
    }


def _print(added: Added, target: Path) -> None:
    title = f"{added.measure.capitalize()} ({added.metric}) on {added.samples} pictures of {added.data}"
    show.out.print(title)
    table = show.table("", "exit", "operations", added.measure, "95 % interval", "temperature")
    for exit in added.exits:
        ends = f"{exit.score.interval.low * 100:.1f} .. {exit.score.interval.high * 100:.1f}"
        warm = f"{exit.temperature:.2f}" if exit.place else ""
        table.add_row(exit.name, show.percent(exit.share), show.percent(exit.score.number), ends, warm)
    show.out.print(table)
    show.out.print(f"each twig saw each picture {added.epochs} times, in one of {added.views} views")
    show.out.print(f"{target}: the last answer is the old one to the bit; try edgent inspect {target}", soft_wrap=True)
