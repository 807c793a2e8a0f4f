"""How a user says what a file does not: which column, of what unit, how far apart its lines are."""

from __future__ import annotations

from dataclasses import dataclass

from edgent.link.trace_files.units import Unit
from edgent.units import Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceReading:
    """What a file does not say of itself.

    Attributes:
        column: Title of the column of bandwidths, or its number from 1; "": the one whose title names a unit.
        unit: Of that column; None: what its title says.
        step: Seconds between lines; None: a column says when.
    """

    column: str = ""
    unit: Unit | None = None
    step: Seconds | None = None

    @property
    def says(self) -> bool:
        """Whether it says anything, so that the file is read as lines of columns."""
        return self != TraceReading()
