"""What the numbers of a column are: read off its title, or off what a user says.

Titles are written in every way there is: `bits_per_second`, `bandwidth (Mbit/s)`, `time_ms`, `KB/s`. So it is the end
of a title that is looked at, the longest end that is a unit. Bits and bytes differ by the case of a letter at times:
`Mbps` is of bits, `MBps` of bytes; and all in capitals, `MBPS`, it may be either, so it is taken for neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgent.errors import InputError
from edgent.units import BITS_PER_BYTE

_PREFIXES = ("", "k", "m", "g")  # each a thousand times the one before
_RATE = re.compile(r"(kilo|mega|giga|[kmg])?(i?)[ _]?(bits?|bytes?|b)[ _]*(?:/|per|p)[ _]*s(?:ec|ecs|econds?)?", re.I)
_AMOUNT = re.compile(r"(kilo|mega|giga|[kmg])?(i?)[ _]?(bits?|bytes?|(?<=.)b)", re.I)
_TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "seq_num"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "\u03bcs", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
}
_KNOWN = {"dl_bitrate": 1e3, "ul_bitrate": 1e3}  # of the logs of 4G and 5G that name no unit: their descriptions do
_TIME_NAMES = re.compile(r"(?:time|date|epoch|elapsed|seq_num|t$)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of bandwidth, or of what has passed since the line before.

    Attributes:
        bits: In one.
        amount: Whether it is of an amount; else of a rate.
        by_case: Whether it is a rate of bytes by the case of one letter alone, as MB/s: many write so and mean bits.
    """

    bits: float
    amount: bool = False
    by_case: bool = False


def parse_unit(text: str) -> Unit:
    """Reads a unit that a user names: "kbit/s", "MB/s", or "bytes" for what has passed since the line before.

    Raises:
        InputError: none that is known.
    """
    found = _unit(text.strip())
    if found is None:
        raise InputError(
            f"unit {text[:40]!r}: expected one of a rate, as bit/s, kbit/s, Mbit/s or kB/s, or of what has passed "
            "since the line before, as bytes or kB"
        )
    return found


def unit_of_title(title: str) -> Unit | None:
    """The unit of bandwidth that a title ends in; None where it ends in none."""
    if title.lower() in _KNOWN:
        return Unit(bits=_KNOWN[title.lower()])
    return next((found for end in _ends(title) if (found := _unit(end)) is not None), None)


def seconds_of_title(title: str) -> float | None:
    """Seconds in one of the unit of time that a title ends in; None where it ends in none."""
    return next((_TIMES[end.lower()] for end in _ends(title) if end.lower() in _TIMES), None)


def is_time(title: str) -> bool:
    """Whether a title says that its column is the time."""
    return _TIME_NAMES.match(title) is not None or title.lower() in _TIMES


def _unit(text: str) -> Unit | None:
    for pattern in (_RATE, _AMOUNT):
        if (match := pattern.fullmatch(text)) is None:
            continue
        prefix, binary, word = match.groups()
        if text.isupper() and len(text) > 2 and word == "B" and "/" not in text:
            return None  # in capitals alone nobody can tell
        scale = (1024 if binary else 1000) ** _PREFIXES.index((prefix or "")[:1].lower())
        of_bytes = word == "B" or word.lower().startswith("byte")
        return Unit(
            bits=float(scale * (BITS_PER_BYTE if of_bytes else 1)),
            amount=pattern is _AMOUNT,
            by_case=word == "B" and pattern is _RATE,
        )
    return None


def _ends(title: str) -> Iterator[str]:
    """A title, and what is left of it after each space, underscore, dash or bracket, the longest first."""
    words = title.strip().rstrip(")] ")
    yield words
    for match in re.finditer(r"[ _(\[,:-]+", words):
        yield words[match.end() :]
