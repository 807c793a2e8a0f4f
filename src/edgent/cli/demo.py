"""`edgent demo`: the main job on real images, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgent.cli.arguments.emulated import HiddenSeed
from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("report.html"),
    unplug: Annotated[bool, typer.Option("--unplug", help="Cut the link half-way.")] = False,
    hidden_seed: HiddenSeed = 0,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE", help="Its plots as one SVG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Edge, shaped link and emulated device answer real images; a table, and a report that opens from disk."""
    from edgent import report
    from edgent.demo import DemoOptions, run_demo
    from edgent.demo.console import print_result
    from edgent.demo.page.page import page
    from edgent.demo.page.picture import demo_picture

    show.check_output(output)
    show.check_output(picture)
    with show.live_progress() as progress:
        result = run_demo(DemoOptions(unplug=unplug, hidden_seed=hidden_seed), progress=progress)
    report.write(page(result), output)
    if picture is not None:
        report.write_picture(demo_picture(result), picture)
    if as_json:
        show.document(result.to_json())
    else:
        print_result(result, show.out)
        show.out.print(f"report: {output}")
