"""Notes as the headers of a call's answer: the numbers of an exchange's reply, as text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgent.wire.exchange.messages import load_us, notes_from, times_us, window_numbers
from edgent.wire.messages import LOAD_US, NEWEST, TIMES_US, WINDOW
from edgent.wire.notes import Notes

# 18 digits are below 2**63: a header that states more is wrong, and is not made a number of.
_NUMBER = re.compile(r"[0-9]{1,18}")


def headers_of(notes: Notes) -> dict[str, str]:
    """The headers of a call's answer."""
    headers = {TIMES_US: " ".join(map(str, times_us(notes)))}
    if notes.window is not None:
        headers[WINDOW] = " ".join(map(str, window_numbers(notes.window)))
    if load := load_us(notes):
        headers[LOAD_US] = str(load)
    return headers | ({NEWEST: notes.newest} if notes.newest else {})


def notes_of(headers: Mapping[str, str]) -> Notes:
    """What the headers of a call's answer say; whatever makes no sense is passed over."""
    times = _numbers(headers.get(TIMES_US, ""))
    return notes_from(
        times_us=times if len(times) == 2 else (0, 0),
        load_us=next(iter(_numbers(headers.get(LOAD_US, ""))), 0),
        window=_numbers(headers.get(WINDOW, "")),
        newest=headers.get(NEWEST, ""),
    )


def _numbers(header: str) -> list[int]:
    """The numbers that a header consists of; none where it is not there, or says something else."""
    words = header.split()
    return [int(word) for word in words] if all(map(_NUMBER.fullmatch, words)) else []
