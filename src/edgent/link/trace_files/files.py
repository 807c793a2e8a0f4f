"""Recorded links: bandwidth over time, out of the formats in which others publish it.

========  ============================================================================================
oboe      `ms kbit/s` twice for each video chunk, its begin and its end (Akhtar et al., SIGCOMM 2018)
log       `epoch ms, ms since start, latitude, longitude, bytes, ms`: the Belgium 4G and Norway 3G logs
sabre     JSON `[{"duration_ms": .., "bandwidth_kbps": ..}, ..]`, as Sabre ships both of them
iperf3    JSON, what `iperf3 --json` prints: its intervals
mahimahi  one millisecond on each line, in which one packet of 1500 bytes may pass; after the last it begins again
columns   CSV, tabs or spaces: titles name the units, as `s,Mbit/s`; see `table`. Without titles, seconds and bit/s
========  ============================================================================================

Files of columns are read a line at a time, so they may be of any length up to `table.MOST` lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from edgent.document import parse
from edgent.errors import InputError
from edgent.files import read_lines, read_text
from edgent.link.trace import Trace
from edgent.link.trace_files.numbers import is_number
from edgent.link.trace_files.published import BY_COLUMNS, json_trace, trace_of_numbers
from edgent.link.trace_files.reading import TraceReading
from edgent.link.trace_files.table import cells_of, is_timestamp, trace_of_table

ENDINGS = (".csv", ".down", ".json", ".log", ".trace", ".tsv", ".txt", ".up")
"""Of the names by which traces are published: what else lies in a folder is no trace."""

_AS_IT_SAYS = TraceReading()


def load_trace(path: Path | str, reading: TraceReading = _AS_IT_SAYS) -> Trace:
    """Reads a trace of any of the formats above; which one, its content tells.

    Args:
        path: The file.
        reading: What the file does not say of itself.

    Raises:
        InputError: the file, the line where that is known, what was found and what was expected.
    """
    path = Path(path)
    try:
        return _trace(path, reading)
    except InputError as error:
        message = str(error)
        raise InputError(f"{path}: {message.removeprefix(f'{path.name}: ')}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFiles:
    """Files to read, and how many others lay beside them in folders."""

    files: tuple[Path, ...]
    ignored: int


def trace_files(paths: Sequence[Path]) -> TraceFiles:
    """Looks for traces: every file that is named, and in folders and theirs those that end like one, in order.

    Raises:
        InputError: a folder without any, or no path.
    """
    files: list[Path] = []
    ignored = 0
    for path in paths:
        inside = _inside(path) if path.is_dir() else [path]
        traces = [file for file in inside if file.suffix.lower() in ENDINGS] if path.is_dir() else inside
        if not traces:
            raise InputError(f"{path}: found no trace in this folder, expected files that end in {', '.join(ENDINGS)}")
        files.extend(traces)
        ignored += len(inside) - len(traces)
    if not files:
        raise InputError("found no trace, expected one or more files or folders")
    return TraceFiles(files=tuple(files), ignored=ignored)


def _inside(folder: Path) -> list[Path]:
    """All files in a folder and its folders, hidden ones left out."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def load_traces(paths: Sequence[Path]) -> tuple[Trace, ...]:
    """Reads the traces that `trace_files` finds.

    Raises:
        InputError: a file that is no trace, a folder without any, or no path.
    """
    return tuple(map(load_trace, trace_files(paths).files))


def parse_trace(text: str, name: str = "trace", reading: TraceReading = _AS_IT_SAYS) -> Trace:
    """Reads the text of a trace; see `load_trace`."""
    if (lines := _lines(iter(text.splitlines()))) is None:
        return _of_json(text, name, reading)
    return _of_lines(lines, name, reading)


def _trace(path: Path, reading: TraceReading) -> Trace:
    if (lines := _lines(read_lines(path))) is None:
        return _of_json(read_text(path), path.name, reading)
    return _of_lines(lines, path.name, reading)


def _lines(lines: Iterator[str]) -> Iterator[tuple[int, str]] | None:
    """Lines that are not blank, with their numbers; None where they are of JSON.

    Raises:
        InputError: there is none.
    """
    whole = ((number, line.removeprefix("\ufeff").strip()) for number, line in enumerate(lines, start=1))
    full = ((number, line) for number, line in whole if line)  # spreadsheets begin a file with that mark
    first = next(full, None)
    if first is None:
        raise InputError("found nothing, expected a trace")
    return None if first[1].startswith(("[", "{")) else chain([first], full)


def _of_json(text: str, name: str, reading: TraceReading) -> Trace:
    if reading.says:
        raise InputError(
            "found JSON, which names its columns and units itself: --column, --unit and --step are for lines"
        )
    if text.lstrip("\ufeff \n\t").startswith("{") and '"intervals"' not in text:
        raise InputError("found JSON objects, expected iperf3's or Sabre's list; a run's records are for edgent replay")
    return json_trace(parse(text.removeprefix("\ufeff")), name)


def _of_lines(lines: Iterator[tuple[int, str]], name: str, reading: TraceReading) -> Trace:
    # The first line tells the mark between cells, for a space stands in many a title and a comma in no number.
    number, line = next(lines)
    delimiter = next((mark for mark in (",", ";", "\t") if mark in line), None)
    rows = cells_of(chain([(number, line)], lines), delimiter)
    first = next(rows)
    if _is_header(first[1]):
        if delimiter is None and len(first[1]) < 2 and reading.step is None:
            raise _no_trace(number, line)
        return trace_of_table(rows, first[1], reading, name)
    rows = chain([first], rows)
    if delimiter is not None or reading.says or any(map(is_timestamp, first[1])):
        return trace_of_table(rows, None, reading, name)
    if len(first[1]) not in BY_COLUMNS:
        raise _no_trace(number, line)
    return trace_of_numbers(rows, len(first[1]), name)


def _is_header(cells: Sequence[str]) -> bool:
    """Whether cells are titles: the first is neither number nor time, and none is a number beside it."""
    return not (is_number(cells[0]) or is_timestamp(cells[0])) and not any(map(is_number, cells[1:]))


def _no_trace(number: int, line: str) -> InputError:
    return InputError(
        f"line {number}: found {line[:40]!r}, expected numbers in 1 (mahimahi), 2 (oboe) or 6 columns (log), "
        "CSV with a header like s,Mbit/s, or JSON of Sabre or iperf3"
    )
