"""What an edge notes beside an answer: how long it took, what its TCP makes of the answer, and a newer version.

In a call the notes are headers, which clients of other makers pass over; in an exchange they are fields of the reply.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgent.link.slow_start import Window
from edgent.wire.messages import NEWEST, TIMES_US, WINDOW

# 18 digits are below 2**63: a header that states more is wrong, and is not made a number of.
_NUMBER = re.compile(r"[0-9]{1,18}")
_VERSION = re.compile(r"[0-9a-f]{12}")
_LONGEST_US = 3_600_000_000  # an hour: nobody waits for that long
_LEAST_WINDOW = 512  # bytes; by a window of one, a transfer would be reckoned in a million round trips
_MOST_STATED = 1 << 50  # bytes, or microseconds, of which no TCP knows more


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """Beside one answer.

    Attributes:
        queue: seconds that the request waited, by the edge's clock.
        middle: seconds of decoding, computing and encoding, by the same.
        window: what the answer may have under way as it begins; None: not said.
        newest: the version that the model's name stands for, where the caller has another one; else empty.
    """

    queue: float = 0.0
    middle: float = 0.0
    window: Window | None = None
    newest: str = ""


NOTHING = Notes()
"""Of a server without our extension: its own time then counts as the link's."""


def headers_of(notes: Notes) -> dict[str, str]:
    """The headers of a call's answer."""
    headers = {TIMES_US: " ".join(map(str, times_us(notes)))}
    if notes.window is not None:
        headers[WINDOW] = " ".join(map(str, window_numbers(notes.window)))
    return headers | ({NEWEST: notes.newest} if notes.newest else {})


def notes_of(headers: Mapping[str, str]) -> Notes:
    """What the headers of a call's answer say; whatever makes no sense is passed over."""
    times = _numbers(headers.get(TIMES_US, ""))
    return notes_from(
        times_us=times if len(times) == 2 else (0, 0),
        window=_numbers(headers.get(WINDOW, "")),
        newest=headers.get(NEWEST, ""),
    )


def notes_from(*, times_us: Sequence[int], window: Sequence[int], newest: str) -> Notes:
    """What an edge said, as far as it makes sense."""
    # All of it is an aid to predict: an edge whose word makes no sense is followed from outside. A time of centuries
    # would make every plan hopeless, and a version that is none would be fetched again and again.
    queue, middle = times_us if sum(times_us) <= _LONGEST_US else (0, 0)
    return Notes(
        queue=queue * 1e-6,
        middle=middle * 1e-6,
        window=window_from(window),
        newest=newest if _VERSION.fullmatch(newest) else "",
    )


def times_us(notes: Notes) -> tuple[int, int]:
    """Whole microseconds in the queue and of the middle."""
    return round(notes.queue * 1e6), round(notes.middle * 1e6)


def window_numbers(window: Window) -> tuple[int, ...]:
    """Bytes under way, those up to which it doubles, microseconds of a pause that halve it, bytes that pauses leave."""
    # On the wire 0 stands for infinity, which an integer cannot say.
    threshold, patience = (value if math.isfinite(value) else 0 for value in (window.threshold, window.patience * 1e6))
    return round(window.size), round(threshold), round(patience), round(window.least)


def window_from(numbers: Sequence[int]) -> Window | None:
    """A window from its numbers; None where there are none, or they make no sense."""
    if len(numbers) != 4 or min(numbers[0], numbers[3]) < _LEAST_WINDOW or max(numbers) > _MOST_STATED:
        return None
    size, threshold, patience, least = numbers
    return Window(
        size=float(size), threshold=threshold or math.inf, patience=patience * 1e-6 or math.inf, least=float(least)
    )


def _numbers(header: str) -> list[int]:
    """The numbers that a header consists of; none where it is not there, or says something else."""
    words = header.split()
    return [int(word) for word in words] if all(map(_NUMBER.fullmatch, words)) else []
