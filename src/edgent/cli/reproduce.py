"""`edgent reproduce`: the paper's figures, in the laboratory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.units import format_duration

if TYPE_CHECKING:
    from edgent.lab.reproduction.figure import Ordering, Table
    from edgent.lab.reproduction.reproduction import Reproduced

Folder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write; parts done are kept there.")
]
Traces = Annotated[Path | None, typer.Option(metavar="DIR", help="Recorded links; without, generated ones.")]


def reproduce(
    figures: Annotated[
        list[str] | None, typer.Argument(metavar="[ID ...]", help="As F8a, or cameras; none: all but that one.")
    ] = None,
    output: Folder = Path("reproduced"),
    traces: Traces = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="For cameras: SMALL.onnx+BIG.onnx.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="For cameras: labelled pictures.")] = None,
    edge_only: Annotated[bool, typer.Option("--edge-only", help="For cameras: only the edge holds BIG.")] = False,
    as_json: AsJson = False,
) -> None:
    """The paper's figures beside what it reports: tables, JSON, SVG and PNG; goes on where it was interrupted."""
    from edgent.lab.catalogue import find_figures
    from edgent.lab.reproduction.reproduction import make_ready
    from edgent.lab.reproduction.reproduction import reproduce as run

    # Folder and names are checked first, for what follows may take an hour.
    wanted = find_figures(figures or [])
    make_ready(output, traces)
    minutes = math.ceil(sum(figure.minutes for figure in wanted))
    show.err.print(f"{', '.join(figure.id for figure in wanted)}: {minutes} min at most where nothing is kept")
    documents = []
    with show.live_progress() as progress:
        # Each is printed as soon as it is done: whoever stops after the second figure has seen two.
        for done in run(
            wanted,
            output,
            seed=seed,
            traces=traces,
            progress=progress,
            model=model,
            data=data,
            edge_only=edge_only,
        ):
            documents.append(done.document())
            if not as_json:
                _print(done)
    if as_json:
        show.document({"seed": seed, "figures": documents})


def _print(done: Reproduced) -> None:
    show.out.print(f"{done.figure.id}: {done.figure.title}", style="bold")
    for ordering in done.result.orderings:
        _print_ordering(ordering)
    for table in done.result.tables:
        _print_table(table)
    for note in done.result.notes:
        show.out.print(note)
    kept = f", {done.kept} of {done.kept + done.computed} parts kept" if done.kept else ""
    files = ", ".join(str(path) for path in done.files)
    show.out.print(f"{files} ({format_duration(done.seconds)}{kept})\n")


def _print_ordering(ordering: Ordering) -> None:
    verdict = "reproduced" if ordering.reproduced else "NOT reproduced"
    show.out.print(f"  paper: {ordering.reported}\n  here:  {ordering.ours}\n  {verdict}: {ordering.why}\n")


def _print_table(table: Table) -> None:
    printed = show.table(table.title, *(column.title for column in table.columns))
    for row in table.texts():
        printed.add_row(*row)
    show.out.print(printed)
    show.out.print()
