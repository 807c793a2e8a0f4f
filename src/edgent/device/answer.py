"""What the device gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edgent.telemetry import Record


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Answer:
    """An answer and its record.

    Attributes:
        outputs: the exit's tensors by name; a sequence or a map is as the engine gives it, a list.
        label: the class of the highest score, where the model names its classes.
        record: what happened.
    """

    outputs: dict[str, NDArray[Any]]
    label: str | None
    record: Record

    @property
    def scores(self) -> NDArray[Any]:
        """The exit's first output, flat."""
        return next(iter(self.outputs.values())).ravel()

    def __repr__(self) -> str:
        record = self.record
        return f"<Answer {self.label!r} by the {record.by}, exit {record.exit}, in {record.total * 1e3:.1f} ms>"
