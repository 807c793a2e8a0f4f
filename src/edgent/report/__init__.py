"""One HTML file: plots inside as SVG, no scripts, nothing fetched; it opens from disk.

A `Page` is a value with sections; `write` puts it into a file.
"""

from edgent.report.page import Page, Section, paragraph, table, write, write_picture
from edgent.report.plots import COLOURS, Axis, Line, Span, bars, legend, lines, picture, plot

__all__ = [
    "COLOURS",
    "Axis",
    "Line",
    "Page",
    "Section",
    "Span",
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
