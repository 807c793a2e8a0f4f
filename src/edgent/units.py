"""Seconds, moments, bits per second, and sizes for people: the only place where they are read, printed or converted."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from numbers import Real
from typing import NewType

from edgent.errors import InputError

Seconds = NewType("Seconds", float)
BitsPerSecond = NewType("BitsPerSecond", float)

BITS_PER_BYTE = 8

_LEAST = 1e-9  # seconds, or bits per second: what is less divides into infinity
_LONGEST = 1e7  # seconds, 115 days: what waits for longer overflows a clock somewhere
_WIDEST = 1e15  # bits per second
_LAST_MOMENT = datetime(9000, 1, 1, tzinfo=UTC).timestamp()

_DURATIONS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BANDWIDTHS = {
    "bit/s": 1.0,
    "kbit/s": 1e3,
    "mbit/s": 1e6,
    "gbit/s": 1e9,
    "bps": 1.0,
    "kbps": 1e3,
    "mbps": 1e6,
    "gbps": 1e9,
}
_SIZES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_LARGEST = 1e12  # bytes
_NUMBER_AND_UNIT = re.compile(r"\s*([^\s]*?[\d.])\s*([a-zµ][a-zµ/]*)\s*", re.IGNORECASE)
_BYTES = re.compile(r"([kKmMgGtT]?)(i?)(?:B|[bB]ytes?|BYTES?)(?:/s|/S|ps|PS|/sec)?")  # a B that is no "bit" is a byte
_PREFIXES = "kmgt"
_COUNT = re.compile(r"[0-9]{1,18}")


def serialisation_time(size: float, bandwidth: BitsPerSecond) -> Seconds:
    """How long `size` bytes occupy a link of `bandwidth` bits per second (the paper's D / B)."""
    return Seconds(size * BITS_PER_BYTE / bandwidth)


def seconds_of(value: float, what: str) -> Seconds:
    """A number that a program gives where seconds are meant.

    Raises:
        InputError: no number, or not positive and finite.
    """
    return Seconds(_positive(value, what, "seconds"))


def rate_of(value: float | None, what: str) -> BitsPerSecond | None:
    """A number that a program gives where bits per second are meant; None stays None.

    Raises:
        InputError: no number, or not positive and finite.
    """
    return None if value is None else BitsPerSecond(_positive(value, what, "bits per second"))


def delay_of(value: float | None, what: str) -> Seconds | None:
    """A number that a program gives where seconds are meant that may be 0; None stays None.

    Raises:
        InputError: no number, or negative, or not finite.
    """
    return None if value is None else Seconds(_positive(value, what, "seconds", zero=True))


def parse_duration(text: str, what: str = "duration") -> Seconds:
    """Reads "100ms", "0.5 s".

    Raises:
        InputError: no number, no unit, or not positive and finite.
    """
    return Seconds(_parse(text, what, _DURATIONS, _LONGEST, "100ms"))


def parse_delay(text: str, what: str = "round trip") -> Seconds:
    """Reads a duration that may be zero: "0ms", "20ms".

    Raises:
        InputError: no number, no unit, negative or not finite.
    """
    return Seconds(_parse(text, what, _DURATIONS, _LONGEST, "20ms", zero=True))


def parse_bandwidth(text: str, what: str = "bandwidth") -> BitsPerSecond:
    """Reads "400kbps", "5 Mbit/s": bits, never bytes, per second.

    Raises:
        InputError: no number, no unit, one of bytes, or not positive and finite.
    """
    _refuse_bytes(text, what)
    return BitsPerSecond(_parse(text, what, _BANDWIDTHS, _WIDEST, "5Mbit/s"))


def parse_bytes(text: str, what: str = "size") -> float:
    """Reads "100kB", "1.5 MB": decimal units.

    Raises:
        InputError: no number with such a unit, or not positive and finite.
    """
    return _parse(text, what, _SIZES, _LARGEST, "100kB")


def parse_count(text: str, most: int = 10**9) -> int | None:
    """Reads a whole number from 1 to `most`; None where it is none."""
    count = int(text) if _COUNT.fullmatch(text) else 0  # `int` of other digits, or of thousands, fails
    return count if 1 <= count <= most else None


def parse_moment(text: str, what: str = "time", zone: tzinfo | None = UTC) -> float:
    """Reads a day, or a moment of it, as ISO 8601 has them: "2026-11-30", "2026-11-30T08:15:00.250+01:00".

    Args:
        text: what is read.
        what: it is called in a message.
        zone: of a moment that names none; None: this machine's.

    Returns:
        Seconds since 1970-01-01 UTC.

    Raises:
        InputError: it is none, or lies before 1970, or after 9000.
    """
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= _LAST_MOMENT:  # later ones cannot be written in every zone
        raise InputError(f"{what} {_short(text)} is no time since 1970: write it like 2026-11-30 or 2026-11-30T08:15")
    return seconds


def format_moment(seconds: float) -> str:
    """Prints seconds since 1970-01-01 UTC to the millisecond: "2026-11-30T07:15:00.250+00:00"."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def format_duration(seconds: float) -> str:
    """Prints at three significant digits: "12.3 ms", "1.05 s"."""
    if seconds >= 1:
        return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def format_bandwidth(bandwidth: float) -> str:
    """Prints "400 kbit/s", "5 Mbit/s"."""
    for scale, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bandwidth >= scale:
            return f"{bandwidth / scale:.4g} {unit}"
    return f"{bandwidth:.4g} bit/s"


def format_bytes(size: float) -> str:
    """Prints decimal units: "590 B", "12.3 kB", "4.1 MB"."""
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size:.0f} B"


def _positive(value: float, what: str, unit: str, *, zero: bool = False) -> float:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        number = math.inf
    if not (0 < number < math.inf or (zero and number == 0)):
        raise InputError(f"{what} {_short(value)} is not {'0 or ' if zero else ''}a positive, finite number of {unit}")
    return number


def _refuse_bytes(text: str, what: str) -> None:
    """Says what a rate in bytes is in bits: "MBps" is eight times what "Mbps" is."""
    match = _NUMBER_AND_UNIT.fullmatch(text)
    unit = _BYTES.fullmatch(match[2]) if match else None
    if match is None or unit is None:
        return
    prefix, binary = unit.groups()
    scale = (1024 if binary else 1000) ** (_PREFIXES.index(prefix.lower()) + 1 if prefix else 0)
    bits = format_bandwidth(scale * BITS_PER_BYTE)
    raise InputError(f"{what} {_short(text)} is in bytes: 1 {match[2]} is {bits}; write it in bits, like 5Mbit/s")


def _parse(text: str, what: str, scales: dict[str, float], most: float, example: str, *, zero: bool = False) -> float:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    scale = scales.get(match[2].lower().replace("\u03bc", "\u00b5")) if match else None  # Greek mu, and the micro sign
    if match is None or scale is None:
        raise InputError(
            f"{what} {_short(text)} is not a number with a unit: write it like {example} ({', '.join(scales)})"
        )
    try:
        value = float(match[1]) * scale
    except ValueError:
        value = math.nan
    if not (_LEAST <= value <= most or (zero and value == 0)):
        raise InputError(
            f"{what} {_short(text)} is not {'0 or ' if zero else ''}a positive number within {_LEAST:g} .. {most:g} "
            f"{next(unit for unit in scales if scales[unit] == 1)}: write it like {example}"
        )
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 42 else f"{text[:38]}...{text[-1]}"
