"""`edgent demo`: the main job on real images, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgent.cli import show
from edgent.cli.options import AsJson


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("report.html"),
    unplug: Annotated[bool, typer.Option("--unplug", help="Cut the link half-way.")] = False,
    as_json: AsJson = False,
) -> None:
    """Edge, shaped link and emulated device answer real images; a table, and a report that opens from disk."""
    show.check_output(output)
    show.err.print(f"not there yet: {output} {unplug} {as_json}")
    raise typer.Exit(1)
