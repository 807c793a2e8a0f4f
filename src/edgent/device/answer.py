"""What the device gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.telemetry import Record
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.device.execution import Outcome
    from edgent.device.plan_source import ChosenPlan


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
        made = self.record
        return f"<Answer {self.label!r} by the {made.by}, exit {made.exit}, in {made.total * 1e3:.1f} ms>"


def answer_of(choice: ChosenPlan, outcome: Outcome, labels: Sequence[str], *, name: str, deadline: Seconds) -> Answer:
    """An inference's outcome beside what it was to be.

    Args:
        choice: what was planned.
        outcome: what came of it.
        labels: of the model's classes.
        name: of the input.
        deadline: that it had.
    """
    label = _label(outcome.outputs, labels)
    record = Record(
        input=name,
        label=label,
        exit=outcome.delivered.exit,
        by=outcome.delivered.by,
        deadline_met=outcome.total <= deadline,
        total=outcome.total,
        stages=outcome.stages,
        plan=choice.plan,
        why=outcome.delivered.why or choice.why,
    )
    return Answer(outputs=outcome.outputs, label=label, record=record)


def _label(outputs: dict[str, NDArray[Any]], labels: Sequence[str]) -> str | None:
    """The class of the highest score; None where the first output is no score per class."""
    first = next(iter(outputs.values()))
    if not isinstance(first, np.ndarray) or first.dtype.kind not in "fiu":
        return None  # a sequence, a map or text
    return labels[int(np.argmax(first))] if labels and first.size == len(labels) else None
