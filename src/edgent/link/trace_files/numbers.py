"""What every format of traces asks of its numbers."""

from __future__ import annotations

import numpy as np

from edgent.errors import InputError
from edgent.link.trace import Floats, Trace
from edgent.units import Seconds

_LEAST, _MOST = 1e-30, 1e30  # in any unit what was measured lies between; products of such numbers are finite
RANGE = f"within {_LEAST:g} .. {_MOST:g}"


def is_number(cell: str) -> bool:
    """Whether a cell is a number that can have been measured."""
    try:
        return is_sane(float(cell))
    except ValueError:
        return False


def is_sane(value: float) -> bool:
    """Whether a number can have been measured, in whatever unit."""
    return value == 0 or _LEAST < abs(value) < _MOST


def check_rising(times: Floats) -> None:
    """Refuses times that go backwards.

    Raises:
        InputError: the first of them.
    """
    back = np.diff(times) < 0
    if back.any():
        at = int(back.argmax()) + 1
        raise InputError(
            f"sample {at + 1}: found {times[at]:.10g} after {times[at - 1]:.10g}, expected times that rise: "
            "where a file holds several runs, cut it up"
        )


def made_trace(name: str, starts: Floats, bandwidths: Floats, duration: float) -> Trace:
    """A trace that begins at 0.

    Raises:
        InputError: fewer than two samples.
    """
    if starts.size < 2:
        raise InputError(f"found {starts.size} samples, expected 2 or more")
    begin = float(starts[0])
    return Trace(name=name, starts=starts - begin, bandwidths=bandwidths, duration=Seconds(duration - begin))
