"""Lines of columns: logs with a header, two columns, or one number a line.

Which column is the bandwidth is what the user says, or the one whose title names a unit of bandwidth; which one is the
time, its title. A line counts from its time to the next one's; where the column is an amount, as `bytes`, it passed
since the line before. Lines of one time are one sample, for clocks of whole seconds stand still between two of them.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from edgent.errors import InputError
from edgent.link.trace import Floats, Trace
from edgent.link.trace_files.numbers import RANGE, check_rising, is_number, is_sane, made_trace
from edgent.link.trace_files.reading import TraceReading
from edgent.link.trace_files.units import Unit, is_time, seconds_of_title, unit_of_title
from edgent.units import format_bandwidth

MOST = 10_000_000  # lines

Line = tuple[int, list[str]]  # its number, its cells
Clock = Callable[[str], float]

_MISSING = ("", "-", "?")  # of a sample that the phone did not have
_TIMESTAMP = re.compile(
    r"(?:(\d{4})[-./](\d\d?)[-./](\d\d?)[T _-])?(\d\d?)[:.](\d\d)[:.](\d\d)([.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_EPOCHS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))  # seconds since 1970 from 1973 on, in which unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where in a line is what.

    Attributes:
        bandwidth: Place of that column.
        unit: Its unit.
        time: Place of the time's; None: lines follow each other at the reading's step.
        clock: Makes seconds of its cells.
    """

    bandwidth: int
    unit: Unit
    time: int | None
    clock: Clock = float


def cells_of(lines: Iterable[tuple[int, str]], delimiter: str | None, most: int = MOST) -> Iterator[Line]:
    """At most so many lines as cells, quotes taken off; no delimiter: cells are apart by spaces.

    Raises:
        InputError: more lines than any trace has, or one that is no line of cells.
    """
    for count, (number, line) in enumerate(lines):
        if count == most:
            raise InputError(f"found more than {most} lines, expected at most as many: cut the file up")
        # Of millions of lines hardly any has quotes, and splitting is ten times as quick.
        cells = _quoted(number, line, delimiter) if delimiter and '"' in line else line.split(delimiter)
        yield number, [cell.strip() for cell in cells] if delimiter else cells


def _quoted(number: int, line: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    except (csv.Error, ValueError):
        raise InputError(f"line {number}: found {line[:40]!r}, expected cells apart by {delimiter!r}") from None
    return cells


def trace_of_table(rows: Iterator[Line], header: Sequence[str] | None, reading: TraceReading, name: str) -> Trace:
    """A trace out of lines of cells, the header taken off.

    Raises:
        InputError: what is missing or wrong, and what to do.
    """
    first = next(rows, None)
    if first is None:
        raise InputError("found 0 samples, expected 2 or more")
    columns = _named(header, first, reading) if header is not None else _placed(first, reading)
    times, values = _numbers(first, rows, columns, reading.step)
    if columns.time is not None:
        times, values = _of_equal_times(times, values, columns.unit.amount)
    return _trace(times, values * columns.unit.bits, columns.unit.amount, name)


def is_timestamp(cell: str) -> bool:
    """Whether a cell is a date and time, or a time of day."""
    return _TIMESTAMP.fullmatch(cell) is not None


def _named(header: Sequence[str], first: Line, reading: TraceReading) -> Columns:
    """By their titles."""
    time = None if reading.step is not None else _time_column(header)
    place = _bandwidth_column(header, time, reading)
    unit = reading.unit or unit_of_title(header[place]) or _lumos(header, place)
    if unit is None:
        raise InputError(
            f"found a column {header[place][:40]!r}, expected its unit at the end, as in s,Mbit/s; "
            "say it with --unit, as --unit kbit/s"
        )
    if unit.by_case and reading.unit is None:
        raise InputError(
            f"found a column {header[place][:40]!r} in bytes, where 1 is {format_bandwidth(unit.bits)}: where that is "
            "meant, say so with --unit, as --unit MB/s or --unit Mbit/s"
        )
    if time is None:
        return Columns(bandwidth=place, unit=unit, time=None)
    return Columns(bandwidth=place, unit=unit, time=time, clock=_clock(header[time], first, time))


def _time_column(header: Sequence[str]) -> int:
    # Of several that end in a unit of time one may be a latency: a column that is called a time comes first.
    named = [place for place, title in enumerate(header) if is_time(title)]
    ending = [place for place, title in enumerate(header) if seconds_of_title(title) is not None]
    if not (named or ending):
        raise InputError(
            f"found no time among the columns {_listed(header)}, expected one like time_s; where lines are equally far "
            "apart, say so: --step 1s"
        )
    return (named or ending)[0]


def _bandwidth_column(header: Sequence[str], time: int | None, reading: TraceReading) -> int:
    if reading.column:
        return _chosen(header, reading.column)
    others = [place for place in range(len(header)) if place != time]
    if len(others) == 1:
        return others[0]
    # Between up and down nobody but the user can choose, and the first one may be of the wrong direction.
    with_unit = [place for place in others if unit_of_title(header[place]) is not None]
    if len(with_unit) == 1:
        return with_unit[0]
    among = [header[place] for place in with_unit or others]
    raise InputError(f"found the columns {_listed(among)}: choose the bandwidth's, as --column {_shown(among)}")


def _chosen(header: Sequence[str], column: str) -> int:
    titles = [title.lower() for title in header]
    if column.lower() in titles:
        return titles.index(column.lower())
    if column.isascii() and column.isdecimal() and 1 <= int(column[:9]) <= len(header):
        return int(column) - 1
    raise InputError(f"found no column {column[:40]!r}, expected one of {_listed(header)}")


def _placed(first: Line, reading: TraceReading) -> Columns:
    """Without titles: the time first and the bandwidth last, of bit/s where nobody says what else."""
    number, cells = first
    place = _chosen([f"column {at}" for at in range(1, len(cells) + 1)], reading.column) if reading.column else -1
    if reading.step is None and len(cells) == 1:
        raise InputError("found one column, expected a time too; where lines are equally far apart, say so: --step 1s")
    if len(cells) > 2 and not reading.column:
        raise InputError(
            f"line {number}: found {len(cells)} columns without titles: choose the bandwidth's by its number, as "
            f"--column {len(cells)}"
        )
    if len(cells) == 1 and reading.unit is None:
        raise InputError("found one column without a title: say its unit, as --unit Mbit/s")
    clock = _clock("s", first, 0)
    time = None if reading.step is not None else 0
    return Columns(bandwidth=place % len(cells), unit=reading.unit or Unit(bits=1.0), time=time, clock=clock)


def _lumos(header: Sequence[str], place: int) -> Unit | None:
    """Lumos5G's columns name no unit; its description does."""
    lumos = header[place].lower() == "throughput" and "seq_num" in header
    return Unit(bits=1e6) if lumos else None


def _clock(title: str, first: Line, place: int) -> Clock:
    """What makes seconds of a cell of the time."""
    number, cells = first
    cell = cells[place] if place < len(cells) else ""
    if is_timestamp(cell):
        return _seconds_of_timestamp
    scale = seconds_of_title(title)
    if scale is None and is_number(cell):
        scale = next((scale for least, scale in _EPOCHS if float(cell) > least), None)
    if scale is None:
        raise InputError(
            f"found a column {title[:40]!r}, expected its unit at the end, as in time_s or time_ms (line {number} has "
            f"{cell[:40]!r}); where lines are equally far apart, say so: --step 1s"
        )
    return lambda cell: float(cell) * scale


def _seconds_of_timestamp(cell: str) -> float:
    if (match := _TIMESTAMP.fullmatch(cell)) is None:
        raise ValueError(cell)
    year, month, day = (int(part) for part in (match[1] or "1970", match[2] or "1", match[3] or "1"))
    hour, minute, second = (int(part) for part in match.group(4, 5, 6))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    return moment + float(f"0.{match[7][1:]}" if match[7] else 0)


def _numbers(first: Line, rows: Iterator[Line], columns: Columns, step: float | None) -> tuple[Floats, Floats]:
    """Seconds and values, a pair a line."""
    # Eight bytes a number, where a list of floats has thirty-two: a file may have millions of lines.
    times, values = array("d"), array("d")
    for count, (number, cells) in enumerate(_with(first, rows)):
        try:
            cell = cells[columns.bandwidth]
            time = (step or 0.0) * count if columns.time is None else columns.clock(cells[columns.time])
            value = 0.0 if cell in _MISSING else float(cell)
        except (IndexError, ValueError, OverflowError):
            raise _refused(number, cells) from None
        if not (is_sane(value) and is_sane(time)):
            raise _refused(number, cells)
        if cell in _MISSING:
            continue
        if value < 0:
            raise InputError(f"line {number}: found a negative bandwidth")
        times.append(time)
        values.append(value)
    return np.frombuffer(times), np.frombuffer(values)


def _with(first: Line, rows: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from rows


def _refused(number: int, cells: Sequence[str]) -> InputError:
    return InputError(f"line {number}: found {' '.join(cells)[:40]!r}, expected {len(cells)} numbers {RANGE}")


def _of_equal_times(times: Floats, values: Floats, amount: bool) -> tuple[Floats, Floats]:
    """One sample of all that have one time: their mean, or the sum of their amounts."""
    check_rising(times)
    # A phone that samples twice a second and writes whole seconds has two lines of one time, and both are true.
    once, begins, counts = np.unique(times, return_index=True, return_counts=True)
    sums: Floats = np.add.reduceat(values, begins) if begins.size else values
    return once, sums if amount else sums / counts


def _trace(times: Floats, bits: Floats, amount: bool, name: str) -> Trace:
    if times.size < 2 + amount:
        raise InputError(f"found {times.size} samples, expected {2 + amount} or more")
    if amount:  # it passed since the line before, so the first one says nothing
        return made_trace(name, times[:-1], bits[1:] / np.diff(times), float(times[-1]))
    usual = float(np.median(np.diff(times)))  # how long the last sample holds nobody says
    return made_trace(name, times, bits, float(times[-1]) + usual)


def _listed(titles: Sequence[str]) -> str:
    shown = [_shown([title]) for title in titles[:12]]
    return ", ".join(shown) + (", ..." if len(titles) > 12 else "")


def _shown(titles: Sequence[str]) -> str:
    return titles[0][:40] or "''"
