"""What a figure is, and what it comes to: values only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgent.lab.reproduction.parts import Parts
from edgent.report import Panel

Value = str | float | bool | None
"""What stands in a table and in JSON: times in milliseconds, shares as fractions, None where nothing is known."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a figure is made with.

    Attributes:
        parts: Where finished parts are kept.
        seed: Of all that is random.
        traces: A folder of recorded links; None: generated ones take their place.
        progress: Told what happens.
        model: The networks to compare, where a figure can be made of anybody's; None: none were named.
        data: A folder of labelled pictures, likewise.
        edge_only: Whether only the edge holds the larger network.
    """

    parts: Parts
    seed: int
    traces: Path | None
    progress: Progress
    model: str | None = None
    data: Path | None = None
    edge_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        key: Its name in JSON, with the unit where there is one: "latency_ms".
        title: Its heading.
        show: Prints a value that is known.
    """

    key: str
    title: str
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of values under columns."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def texts(self) -> list[list[str]]:
        """The rows as they are printed; a dash is what is not known."""
        return [
            ["-" if value is None else column.show(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    def document(self) -> dict[str, Any]:
        """The table as JSON has it: an object for each row; what never ended is not known there."""
        keys = [column.key for column in self.columns]
        rows = [[None if value == math.inf else value for value in row] for row in self.rows]
        return {"title": self.title, "rows": [dict(zip(keys, row, strict=True)) for row in rows]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """What the paper reports, beside what was seen here.

    Attributes:
        reported: By the paper, in words: an ordering, never its milliseconds.
        ours: What was measured instead, with the numbers that decide.
        reproduced: Whether the ordering is the same.
        why: What explains that, or the difference.
    """

    reported: str
    ours: str
    reproduced: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a figure comes to.

    Attributes:
        orderings: The paper's beside ours.
        tables: The numbers.
        panels: The plot, panel by panel.
        notes: How it was made: what was emulated, with its range of error; overruns; what was left out.
        across: Panels in a row of the plot.
        details: Tables too long to be printed, in JSON only.
    """

    orderings: tuple[Ordering, ...]
    tables: tuple[Table, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    across: int = 2
    details: tuple[Table, ...] = ()

    def document(self) -> dict[str, Any]:
        """The result as JSON has it, the plot apart."""
        return {
            "orderings": [asdict(ordering) for ordering in self.orderings],
            "tables": [table.document() for table in (*self.tables, *self.details)],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure that can be reproduced.

    Attributes:
        id: What commands and files call it: "F8a".
        title: What it shows, in one line.
        minutes: What it takes on two cores at most; finished parts take none.
        run: Measures it, in parts, and computes what it comes to.
    """

    id: str
    title: str
    minutes: float
    run: Callable[[Lab], Result]
