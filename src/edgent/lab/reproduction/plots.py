"""A plot as a value: panels with marks, so that figures need no plotting library to be computed and tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgent.report.plots import Axis, Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A named height for each of the panel's categories; several are stacked in their order."""

    name: str
    heights: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """A number for each of the panel's categories and rows, as a colour from 0 to `most`.

    Attributes:
        name: What the numbers are, with the unit.
        rows: Names beside the rows, from below.
        values: The numbers, row by row.
        most: What has the darkest colour.
    """

    name: str
    rows: Sequence[str]
    values: Sequence[Sequence[float]]
    most: float


Mark = Line | Bars | Tiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: What it shows.
        x: The horizontal axis.
        y: The vertical axis.
        marks: What is drawn; all bars are stacked.
        categories: Names under the bars or tiles.
    """

    title: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    categories: Sequence[str] = ()
