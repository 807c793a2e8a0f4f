"""The formats in which collections of traces are published, and what iperf3 prints; a function for each.

Oboe's traces are of video chunks, the logs of downloads; none of them has measured round trips.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

import numpy as np

from edgent.errors import InputError
from edgent.link.trace import Floats, Trace
from edgent.link.trace_files.numbers import RANGE, check_rising, is_number, is_sane, made_trace
from edgent.units import BITS_PER_BYTE, Seconds

_PACKET = 1500  # bytes, mahimahi's
_BIN = 0.5  # seconds in which its packets are counted
_LONGEST = 30 * 86400.0  # seconds that mahimahi's may last: what is longer counts from another beginning than its own


def trace_of_numbers(rows: Iterable[tuple[int, list[str]]], columns: int, name: str) -> Trace:
    """A trace out of lines of numbers alone: how many columns there are tells which format it is.

    Raises:
        InputError: lines that are not of that many numbers, or none that the format has.
    """
    return BY_COLUMNS[columns](_numbers(rows, columns), name)


def oboe(rows: Floats, name: str) -> Trace:
    """Chunks hold their bandwidth; between two of them it is the mean of both, as if drawn as a line."""
    check_rising(rows[:, 0])
    begins, ends, bandwidths = rows[0::2, 0], rows[1::2, 0], rows[0::2, 1]
    if rows.shape[0] % 2 or not np.array_equal(bandwidths, rows[1::2, 1]):
        raise InputError(
            "found two columns that are not Oboe's (each bandwidth twice, at a chunk's begin and end): of seconds and "
            "bandwidths say the unit, as --unit Mbit/s, or --unit bytes for what has passed since the line before"
        )
    between = (bandwidths[:-1] + bandwidths[1:]) / 2
    starts = np.stack([begins, ends], axis=1).ravel()
    values = np.stack([bandwidths, np.append(between, bandwidths[-1])], axis=1).ravel()
    lengths = np.diff(starts)
    kept = np.append(lengths > 0, False)  # the last end begins nothing
    return made_trace(name, starts[kept] / 1e3, values[kept] * 1e3, ends[-1] / 1e3)


def log(rows: Floats, name: str) -> Trace:
    """Each line is of the time before it: bytes received, and in how many milliseconds."""
    size, lengths = rows[:, 4], rows[:, 5]
    check_rising(rows[:, 1])
    return _of_pieces(lengths / 1e3, size * BITS_PER_BYTE, name)


def json_trace(document: object, name: str) -> Trace:
    """A trace out of JSON: Sabre's list, or what `iperf3 --json` prints.

    Raises:
        InputError: neither, or numbers that no link has.
    """
    return _iperf3(document, name) if isinstance(document, dict) else _sabre(document, name)


def _iperf3(document: dict[str, object], name: str) -> Trace:
    """The intervals of a test, all its streams together; what it was told to omit is left out."""
    intervals = document.get("intervals")
    if not isinstance(intervals, list) or not all(isinstance(item, dict) for item in intervals):
        raise InputError('found other JSON, expected "intervals" as iperf3 --json prints them, or Sabre\'s list')
    sums = [item.get("sum") for item in intervals]
    if not all(isinstance(item, dict) for item in sums):
        raise InputError("found an interval without its sum, expected one of each, as iperf3 --json prints it")
    # Omitted is TCP's slow start, which is the transfer model's to add and no bandwidth of the link.
    kept = [item for item in sums if item.get("omitted") is not True]
    lengths, bandwidths = (_column(kept, key) for key in ("seconds", "bits_per_second"))
    _check_bandwidths(bandwidths)
    return _of_pieces(lengths, lengths * bandwidths, name)


def _sabre(pieces: object, name: str) -> Trace:
    if not isinstance(pieces, list) or not all(isinstance(item, dict) for item in pieces):
        raise InputError('found other JSON, expected [{"duration_ms": .., "bandwidth_kbps": ..}, ..]')
    lengths, bandwidths = (_column(pieces, key) for key in ("duration_ms", "bandwidth_kbps"))
    _check_bandwidths(bandwidths)
    return _of_pieces(lengths / 1e3, lengths * bandwidths, name)


def _column(items: list[dict[str, object]], key: str) -> Floats:
    values = [item.get(key) for item in items]
    for number, value in enumerate(values, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_sane(value):
            raise InputError(f"sample {number}: found {key} {repr(value)[:20]}, expected a number {RANGE}")
    return np.array(values, dtype=np.float64)


def _check_bandwidths(bandwidths: Floats) -> None:
    if bandwidths.size and not np.all(bandwidths >= 0):
        raise InputError(f"sample {int(np.argmin(bandwidths >= 0)) + 1}: found a negative bandwidth")


def _of_pieces(lengths: Floats, bits: Floats, name: str) -> Trace:
    if not np.all(lengths >= 0):
        raise InputError(f"sample {int(np.argmin(lengths >= 0)) + 1}: found a negative duration")
    kept = lengths > 0
    ends = np.cumsum(lengths[kept])
    if not ends.size:
        raise InputError("found no sample that lasts, expected 2 or more")
    return made_trace(name, np.concatenate([[0.0], ends[:-1]]), bits[kept] / lengths[kept], float(ends[-1]))


def mahimahi(rows: Floats, name: str) -> Trace:
    """Packets that may pass, counted in half seconds; what is left of one at the end is counted with the one before.

    A packet of the millisecond t passes by t: the half second (0, 500] has those of the lines 1 to 500.
    """
    at = rows[:, 0] / 1e3
    if np.any(np.diff(at) < 0):
        raise InputError(
            "found one column that goes up and down, expected mahimahi's milliseconds, which only rise; of a log of "
            "levels say how far apart they are and their unit, as --step 1s --unit Mbit/s"
        )
    duration = float(at[-1])
    if not 0 <= at[0] <= duration <= _LONGEST:
        raise InputError(f"found times {rows[0, 0]:g} .. {rows[-1, 0]:g}, expected milliseconds from the trace's begin")
    if not duration:
        raise InputError("found no time but 0, expected the trace's length in milliseconds on its last line")
    bins = max(round(duration / _BIN), 1)
    full, packets = np.unique(np.clip(np.ceil(at / _BIN).astype(np.intp) - 1, 0, bins - 1), return_counts=True)
    # What has no packet for long is one piece: a line with a large number would else make millions of them.
    pieces = np.union1d([0], np.concatenate([full, full[full < bins - 1] + 1]))
    starts = _BIN * pieces.astype(np.float64)
    carried = np.zeros(pieces.size)
    carried[np.searchsorted(pieces, full)] = packets * (_PACKET * BITS_PER_BYTE)
    bandwidths = carried / np.diff(starts, append=duration)
    return Trace(name=name, starts=starts, bandwidths=bandwidths, duration=Seconds(duration), loops=True)


def _numbers(rows: Iterable[tuple[int, list[str]]], columns: int) -> Floats:
    """All of them, shape (lines, columns)."""
    bandwidth = {2: 1, 6: 4}.get(columns)
    numbers = array("d")
    for number, cells in rows:
        if len(cells) != columns or not all(map(is_number, cells)):
            raise InputError(f"line {number}: found {' '.join(cells)[:40]!r}, expected {columns} numbers {RANGE}")
        if bandwidth is not None and float(cells[bandwidth]) < 0:
            raise InputError(f"line {number}: found a negative bandwidth")
        numbers.extend(map(float, cells))
    return np.frombuffer(numbers).reshape(-1, columns)


BY_COLUMNS: dict[int, Callable[[Floats, str], Trace]] = {1: mahimahi, 2: oboe, 6: log}
"""The formats that are numbers alone."""
