"""One HTML file: plots inside as SVG, no scripts, nothing fetched; it opens from disk.

A `Page` is a value with sections; `write` puts it into a file.
"""

from edgent.report.page import Page, Section, paragraph, table, write, write_picture
from edgent.report.panels import COLOURS, Axis, Bars, Line, Panel, Span, Tiles
from edgent.report.svg import bars, legend, lines, picture, plot

__all__ = [
    "COLOURS",
    "Axis",
    "Bars",
    "Line",
    "Page",
    "Panel",
    "Section",
    "Span",
    "Tiles",
    "bars",
    "legend",
    "lines",
    "paragraph",
    "picture",
    "plot",
    "table",
    "write",
    "write_picture",
]
