"""`edgent replay --odd`: where a simpler method is ahead of ours, link by link."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from edgent.cli.terminal import show
from edgent.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgent.replay import ReplaySettings
    from edgent.replay.odd import OddReport


def replay_links(request: ReplaySettings, names: Sequence[str], scale: float, *, as_json: bool) -> None:
    """Replays odd links, all or those of some names, and prints them.

    Raises:
        InputError: a name that none has, or a scale that is none.
        Exit: of code 1, where ours is behind for no known reason.
    """
    from edgent.replay import workers
    from edgent.replay.odd import odd_links, replay_odd

    links = odd_links(names)
    with show.progress("replaying") as progress, workers() if len(links) > 1 else nullcontext() as pool:
        reports = replay_odd(request, links, scale=scale, pool=pool, done=lambda count: progress(count, len(links)))
    print_links(request, reports, as_json=as_json)


def print_links(request: ReplaySettings, reports: Sequence[OddReport], *, as_json: bool) -> None:
    """Prints what came out.

    Raises:
        Exit: of code 1, where ours is behind for no known reason.
    """
    if as_json:
        show.document({"deadline_ms": request.deadline * 1e3, "links": [report.document() for report in reports]})
    else:
        _print(request, reports)
    unexplained = [report.link.name for report in reports if report.unexplained]
    if unexplained:
        show.complain(f"over a point behind the best baseline, for no reason that is known: {', '.join(unexplained)}")
        raise typer.Exit(1)


def _print(request: ReplaySettings, reports: Sequence[OddReport]) -> None:
    from edgent.planning.oracles import CLAIRVOYANT

    number = f"{reports[0].report.measure or 'accuracy'} in time"
    title = f"{len(reports)} odd links, deadline {format_duration(request.deadline)}, seed {request.seed}; {number}"
    table = show.table(title, "link", "clairvoyant", "best baseline", "", "edgent", "points", "")
    for report in reports:
        best = report.report.best_baseline
        # Not the regime oracle: on a link of bursts who knows the present value knows less than who knows the law.
        most, base, ours = (
            show.percent(report.report.mean(name, "accuracy")) for name in (CLAIRVOYANT, best, "edgent")
        )
        ahead = f"{-100 * report.behind:+.1f}"
        remark = "" if not report.worse else "behind" if report.unexplained else "behind, see below"
        table.add_row(report.link.name, most, best, base, ours, ahead, remark)
    show.out.print(table)
    for report in reports:
        if report.reason is not None:
            show.out.print(f"{report.link.name}: {report.reason}")
    behind = sum(report.worse for report in reports)
    show.out.print(f"over a point behind the best baseline on {behind} of {len(reports)} links")
