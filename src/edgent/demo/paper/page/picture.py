"""The demo as one picture."""

from __future__ import annotations

from edgent.demo.paper.page.cells import bars_of_methods, plots_by_bandwidth
from edgent.demo.paper.result import DemoResult
from edgent.demo.paper.values import METHODS
from edgent.report import COLOURS, Line, picture


def demo_picture(result: DemoResult) -> str:
    """The plots by bandwidth side by side and all cells together, as an SVG that stands alone."""
    key = [Line(name=name, colour=colour) for name, colour in zip(METHODS, COLOURS, strict=False)]
    return picture([*plots_by_bandwidth(result), bars_of_methods(result)], key, columns=3)
