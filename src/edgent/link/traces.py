"""Recorded links: bandwidth over time, out of the formats in which others publish it.

========  ============================================================================================
oboe      `ms kbit/s` twice for each video chunk, its begin and its end (Akhtar et al., SIGCOMM 2018)
log       `epoch ms, ms since start, latitude, longitude, bytes, ms`: the Belgium 4G and Norway 3G logs
sabre     JSON `[{"duration_ms": .., "bandwidth_kbps": ..}, ..]`, as Sabre ships both of them
mahimahi  one millisecond on each line, in which one packet of 1500 bytes may pass; after the last it begins again
csv       `time,bandwidth`: the header names the units, as `s,Mbit/s`; without one, seconds and bit/s
========  ============================================================================================

Oboe's traces are of video chunks, the logs of downloads; none of them has measured round trips.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from edgent.document import parse
from edgent.errors import InputError
from edgent.files import read_text
from edgent.link.trace import Floats, Trace
from edgent.units import BITS_PER_BYTE, Seconds, parse_bandwidth, parse_duration

ENDINGS = (".csv", ".down", ".json", ".log", ".trace", ".txt", ".up")
"""Of the names by which traces are published: what else lies in a folder is no trace."""

_PACKET = 1500  # bytes, mahimahi's
_BIN = 0.5  # seconds in which its packets are counted
_LEAST, _MOST = 1e-30, 1e30  # in any unit what was measured lies between; products of such numbers are finite
_RANGE = f"within {_LEAST:g} .. {_MOST:g}"
_LONGEST = 30 * 86400.0  # seconds that mahimahi's may last: what is longer counts from another beginning than its own


def load_trace(path: Path | str) -> Trace:
    """Reads a trace of any of the formats above; which one, its content tells.

    Raises:
        InputError: the file, the line where that is known, what was found and what was expected.
    """
    path = Path(path)
    try:
        return parse_trace(read_text(path), path.name)
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


def parse_trace(text: str, name: str = "trace") -> Trace:
    """Reads the text of a trace; see `load_trace`."""
    text = text.removeprefix("\ufeff")  # spreadsheets begin a file with it
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise InputError("found nothing, expected a trace")
    first = lines[0][1]
    if first.startswith("["):
        return _of_sabre(parse(text), name)
    if first.startswith("{"):
        raise InputError("found JSON objects, expected Sabre's list of them; a run's records are for edgent replay")
    if "," in first:
        return _of_csv(lines, name)
    cells = first.split()
    reader = _BY_COLUMNS.get(len(cells)) if all(map(_is_number, cells)) else None
    if reader is None:
        raise InputError(
            f"line {lines[0][0]}: found {first[:40]!r}, expected numbers in 1 (mahimahi), 2 (oboe) or 6 columns (log), "
            "CSV or Sabre's JSON"
        )
    return reader(_numbers(lines, len(cells)), name)


def _of_oboe(rows: Floats, name: str) -> Trace:
    """Chunks hold their bandwidth; between two of them it is the mean of both, as if drawn as a line."""
    _check_rising(rows[:, 0], standing=True)
    begins, ends, bandwidths = rows[0::2, 0], rows[1::2, 0], rows[0::2, 1]
    if rows.shape[0] % 2 or not np.array_equal(bandwidths, rows[1::2, 1]):
        raise InputError(
            "found two columns that are not Oboe's (each bandwidth twice, at a chunk's begin and end): "
            "write others as CSV with a header like s,Mbit/s"
        )
    between = (bandwidths[:-1] + bandwidths[1:]) / 2
    starts = np.stack([begins, ends], axis=1).ravel()
    values = np.stack([bandwidths, np.append(between, bandwidths[-1])], axis=1).ravel()
    lengths = np.diff(starts)
    kept = np.append(lengths > 0, False)  # the last end begins nothing
    return _trace(name, starts[kept] / 1e3, values[kept] * 1e3, ends[-1] / 1e3)


def _of_log(rows: Floats, name: str) -> Trace:
    """Each line is of the time before it: bytes received, and in how many milliseconds."""
    size, lengths = rows[:, 4], rows[:, 5]
    _check_rising(rows[:, 1], standing=True)
    return _of_pieces(lengths / 1e3, size * BITS_PER_BYTE, name)


def _of_sabre(pieces: object, name: str) -> Trace:
    if not isinstance(pieces, list) or not all(isinstance(item, dict) for item in pieces):
        raise InputError('found other JSON, expected [{"duration_ms": .., "bandwidth_kbps": ..}, ..]')
    lengths, bandwidths = (_column(pieces, key) for key in ("duration_ms", "bandwidth_kbps"))
    if bandwidths.size and not np.all(bandwidths >= 0):
        raise InputError(f"sample {int(np.argmin(bandwidths >= 0)) + 1}: found a negative bandwidth")
    return _of_pieces(lengths / 1e3, lengths * bandwidths, name)


def _column(items: list[dict[str, object]], key: str) -> Floats:
    values = [item.get(key) for item in items]
    for number, value in enumerate(values, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_sane(value):
            raise InputError(f"sample {number}: found {key} {repr(value)[:20]}, expected a number {_RANGE}")
    return np.array(values, dtype=np.float64)


def _of_pieces(lengths: Floats, bits: Floats, name: str) -> Trace:
    if not np.all(lengths >= 0):
        raise InputError(f"sample {int(np.argmin(lengths >= 0)) + 1}: found a negative duration")
    kept = lengths > 0
    ends = np.cumsum(lengths[kept])
    if not ends.size:
        raise InputError("found no sample that lasts, expected 2 or more")
    return _trace(name, np.concatenate([[0.0], ends[:-1]]), bits[kept] / lengths[kept], float(ends[-1]))


def _of_mahimahi(rows: Floats, name: str) -> Trace:
    """Packets that may pass, counted in half seconds; what is left of one at the end is counted with the one before.

    A packet of the millisecond t passes by t: the half second (0, 500] has those of the lines 1 to 500.
    """
    at = rows[:, 0] / 1e3
    _check_rising(at, standing=True)
    duration = float(at[-1])
    if not 0 <= at[0] <= duration <= _LONGEST:
        raise InputError(f"found times {rows[0, 0]:g} .. {rows[-1, 0]:g}, expected milliseconds from the trace's begin")
    if not duration:
        raise InputError("found no time but 0, expected the trace's length in milliseconds on its last line")
    bins = max(round(duration / _BIN), 1)
    packets = np.bincount(np.clip(np.ceil(at / _BIN).astype(np.intp) - 1, 0, bins - 1), minlength=bins)
    starts = _BIN * np.arange(bins, dtype=np.float64)
    bandwidths = packets * (_PACKET * BITS_PER_BYTE) / np.diff(starts, append=duration)
    return Trace(name=name, starts=starts, bandwidths=bandwidths, duration=Seconds(duration), loops=True)


def _of_csv(lines: list[tuple[int, str]], name: str) -> Trace:
    header = [cell.strip() for cell in lines[0][1].split(",")]
    seconds, bits = 1.0, 1.0
    if not _is_number(header[0]):
        lines = lines[1:]
        if len(header) != 2:
            raise InputError(f"found the header {','.join(header)!r}, expected two columns like s,Mbit/s")
        seconds, bits = _worth(header[0], parse_duration), _worth(header[1], parse_bandwidth)
    rows = _numbers([(number, line.replace(",", " ")) for number, line in lines], 2)
    _check_rising(rows[:, 0], standing=False)
    times = (rows[:, 0] - rows[:1, 0]) * seconds
    if times.size < 2:
        raise InputError(f"found {times.size} samples, expected 2 or more")
    usual = float(np.median(np.diff(times)))  # how long the last sample holds nobody says
    return _trace(name, times, rows[:, 1] * bits, float(times[-1]) + usual)


def _worth(title: str, parse: Callable[[str], float]) -> float:
    """One of the unit that a column's title ends in: "s", "time_s", "bandwidth (Mbit/s)"."""
    unit = re.split(r"[ _(\[]", title.rstrip(")]"))[-1]
    try:
        return parse("1s" if unit.lower() in ("seconds", "sec") else f"1{unit}")
    except InputError as error:
        raise InputError(
            f"found a column {title[:40]!r}, expected its unit at the end, as in s,Mbit/s ({error})"
        ) from None


def _trace(name: str, starts: Floats, bandwidths: Floats, duration: float) -> Trace:
    if starts.size < 2:
        raise InputError(f"found {starts.size} samples, expected 2 or more")
    begin = float(starts[0])
    return Trace(name=name, starts=starts - begin, bandwidths=bandwidths, duration=Seconds(duration - begin))


def _numbers(lines: list[tuple[int, str]], columns: int) -> Floats:
    rows = []
    for number, line in lines:
        cells = line.split()
        if len(cells) != columns or not all(map(_is_number, cells)):
            raise InputError(f"line {number}: found {line[:40]!r}, expected {columns} numbers {_RANGE}")
        row = [float(cell) for cell in cells]
        if (columns == 2 and row[1] < 0) or (columns == 6 and row[4] < 0):
            raise InputError(f"line {number}: found a negative bandwidth")
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def _is_number(cell: str) -> bool:
    try:
        return _is_sane(float(cell))
    except ValueError:
        return False


def _is_sane(value: float) -> bool:
    return value == 0 or _LEAST < abs(value) < _MOST


def _check_rising(times: Floats, *, standing: bool) -> None:
    for number, (before, after) in enumerate(pairwise(times.tolist()), start=2):
        if after < before or (after == before and not standing):
            raise InputError(f"sample {number}: found {after:g} after {before:g}, expected times that rise")


_BY_COLUMNS: dict[int, Callable[[Floats, str], Trace]] = {1: _of_mahimahi, 2: _of_oboe, 6: _of_log}
