"""Which records a report is of: from when to when, of which camera, model and device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.report.rows import Rows
from edgent.text import one_line
from edgent.units import format_moment

_SHOWN = 20  # names that a message has


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for; None: all.

    Attributes:
        start: Seconds since 1970-01-01 UTC, from which on.
        end: The same, before which.
        source: Name of a camera.
        model: Name of a model.
        device: Name of a machine.
    """

    start: float | None = None
    end: float | None = None
    source: str | None = None
    model: str | None = None
    device: str | None = None

    def of(self, rows: Rows) -> Rows:
        """The rows that are asked for.

        Raises:
            InputError: there are none; the message says what there is instead.
        """
        for key in ("source", "model", "device"):
            rows = _having(rows, key, getattr(self, key))
        return self._within(rows)

    def _within(self, rows: Rows) -> Rows:
        at = rows.values["at"]
        if self.start is not None:
            rows = rows.where(at >= self.start)
        if self.end is not None:
            rows = rows.where(rows.values["at"] < self.end)
        if len(at) and not len(rows):
            raise InputError(f"--from, --to: found no records of that time; {_span(at[~np.isnan(at)])}")
        return rows


def _span(times: NDArray[Any]) -> str:
    if not len(times):
        return "those that there are bear no time"
    return f"those that there are, are from {format_moment(times.min())} to {format_moment(times.max())}"


def _having(rows: Rows, key: str, text: str | None) -> Rows:
    if text is None or not len(rows):
        return rows
    chosen = rows.where(rows.having(key, text))
    if not len(chosen):
        names = [one_line(name) or "records without one" for name in list(rows.counted(key))[:_SHOWN]]
        raise InputError(f"--{key} {text!r}: found no such records, expected one of {', '.join(names)}")
    return chosen
