"""Tables of figures, for a page and for a terminal: the same rows, headings and numbers in both.

A row is an object; objects in it become columns of their own. Bits per second are shown as Mbit/s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgent.errors import InputError

MEGA = 1e6
ROW_NAME = ""  # the column that says which row it is; always shown

Row = Mapping[str, Any]


def markdown(rows: Iterable[Row], columns: Sequence[str] = ()) -> str:
    """The rows as a table of a page; all columns where none is named.

    Raises:
        InputError: No row has a column that is named, or a cell has a list.
    """
    heads, *cells = _lines(rows, columns)
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, ["---"] * len(heads), *cells))


def aligned(rows: Iterable[Row], columns: Sequence[str] = ()) -> str:
    """The rows for a terminal: words to the left, numbers to the right."""
    lines = _lines(rows, columns)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(_placed, line, widths)).rstrip() for line in lines)


def _lines(rows: Iterable[Row], columns: Sequence[str]) -> list[list[str]]:
    """The headings, then the cells of each row."""
    flat = [_flat(row) for row in rows]
    known = list(dict.fromkeys(column for row in flat for column in row))
    if unknown := [column for column in columns if column not in known]:
        raise InputError(f"found no column {', '.join(unknown)}, expected some of {', '.join(known)}")
    shown = [*([ROW_NAME] if ROW_NAME in known else []), *columns] if columns else known
    return [
        [_head(column) for column in shown],
        *([_cell(column, row.get(column)) for column in shown] for row in flat),
    ]


def _flat(row: Row) -> dict[str, Any]:
    """A row without objects in it: their names stand before those of what is in them."""
    columns: dict[str, Any] = {}
    for name, value in row.items():
        inner = _flat(value) if isinstance(value, Mapping) else None
        columns |= {name: value} if inner is None else {f"{name}_{key}": one for key, one in inner.items()}
    return columns


def _head(column: str) -> str:
    return (f"{column.removesuffix('_bps')} Mbit/s" if column.endswith("_bps") else column).replace("_", " ")


def _cell(column: str, value: Any) -> str:
    """A number with four significant digits, and nothing that would end the cell."""
    if isinstance(value, list):
        raise InputError(f"found a list at {column}, expected one figure")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and column.endswith("_bps"):
        return f"{value / MEGA:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _placed(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() or cell[:1] in "-." else cell.ljust(width)
