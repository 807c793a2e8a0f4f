"""The demo's report, put together from its sections."""

from __future__ import annotations

from edgent.demo.paper.page.basis import emulation, other_device_section, trust
from edgent.demo.paper.page.cells import cells, choices, overall, where_needed
from edgent.demo.paper.page.outage import unplugged
from edgent.demo.paper.result import DemoResult
from edgent.demo.paper.values import METHODS
from edgent.report import Page


def page(result: DemoResult) -> Page:
    """The report of a demo."""
    runs = sum(len(setup_runs.totals) for setup_runs in result.measured.values())
    outage = () if result.unplugged is None else (unplugged(result.unplugged),)
    return Page(
        title="Edgent: device and edge, within a deadline",
        lead=(
            f"{result.model} on real images, {len(result.points)} cells of bandwidth x deadline, {len(METHODS)} "
            f"methods, {runs} live inferences, {result.seconds:.0f} s in all. Device and link are emulated."
        ),
        sections=(
            overall(result),
            cells(result),
            choices(result),
            where_needed(result),
            *outage,
            other_device_section(result),
            trust(result),
            emulation(result),
        ),
    )
