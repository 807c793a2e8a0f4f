"""A plot as a value: panels with marks. `svg` draws them into a page, the lab's drawing into files of matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

COLOURS = ("#8c8c8c", "#d98c1f", "#4b8f5c", "#8467b0", "#c0392b", "#2274a5", "#1b9e9e", "#a05a2c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """An axis: what it shows with its unit, whether its steps multiply, and whether only whole numbers mean anything.

    `low` and `high` are its ends; None: those of what is drawn.
    """

    label: str
    log: bool = False
    whole: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named line, staircase or cloud of points; `low` and `high` bound an interval where given."""

    name: str
    x: Sequence[float] = ()
    y: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    form: Literal["line", "step", "points"] = "line"
    dashed: bool = False
    colour: str = COLOURS[0]

    @property
    def points(self) -> Iterator[tuple[float, float]]:
        """The points of the line: each x with its y."""
        return zip(self.x, self.y, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A range of x that is shaded, with a label."""

    first: float
    last: float
    label: str


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
        spans: Shaded behind the marks.
    """

    title: str = ""
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    categories: Sequence[str] = ()
    spans: Sequence[Span] = ()
