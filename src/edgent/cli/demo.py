"""`edgent demo`: the main job on real images, in one command."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgent.cli.arguments.emulated import HiddenSeed
from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show

if TYPE_CHECKING:
    from edgent.demo.cameras.setting import StreetOptions


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("report.html"),
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Your own: SMALL.onnx+BIG.onnx.")] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Your own labelled pictures.")] = None,
    edge_only: Annotated[bool, typer.Option("--edge-only", help="Only the edge holds the second file.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's network, in cells of link and deadline.")] = False,
    unplug: Annotated[bool, typer.Option("--unplug", help="With --paper: cut the link half-way.")] = False,
    hidden_seed: HiddenSeed = 0,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="With --paper: its plots as one SVG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Many cameras on one edge core: Edgent live beside its strongest rival; tables, and a report that opens from disk.

    Edge and devices are real processes; their boards and the link between them are emulated.
    """
    from edgent.demo.cameras.setting import StreetOptions

    show.check_output(output)
    show.check_output(picture)
    if paper:
        _paper(output, picture, unplug, hidden_seed, as_json)
    else:
        _cameras(output, StreetOptions(model=model, data=data, edge_only=edge_only, seed=hidden_seed), as_json)


def _cameras(output: Path, options: StreetOptions, as_json: bool) -> None:
    from edgent import cache, report
    from edgent.demo.cameras.console import print_result, watching
    from edgent.demo.cameras.page import street_page
    from edgent.demo.cameras.run import prepare, run_street

    with show.live_progress() as progress:
        basis, host = prepare(options, cache.writable_folder("demo"), progress)
    result, seen = run_street(options, basis, host, partial(watching, show.err))
    report.write(street_page(result, seen), output)
    if as_json:
        show.document(result.document())
    else:
        print_result(result, show.out)
        show.out.print(f"report: {output}")


def _paper(output: Path, picture: Path | None, unplug: bool, hidden_seed: int, as_json: bool) -> None:
    from edgent import report
    from edgent.demo.paper import DemoOptions, run_demo
    from edgent.demo.paper.console import print_result
    from edgent.demo.paper.page.page import page
    from edgent.demo.paper.page.picture import demo_picture

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
