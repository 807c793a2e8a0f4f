"""Records as rows of numbers: what a report counts and an index keeps, 75 bytes of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgent.planning.plan import STAGES
from edgent.telemetry import Record

ROW = np.dtype(
    [
        ("at", "<f8"),  # seconds since 1970-01-01 UTC; NaN: not noted
        ("exit", "<i8"),  # -1: nothing answered
        ("total", "<f4"),  # seconds, as all that follow
        ("stages", "<f4", (len(STAGES),)),
        ("predicted", "<f4"),  # the plan's total; NaN: there was none
        ("promised", "?"),  # whether the plan was to be in time
        ("met", "?"),
        ("by_edge", "?"),
        ("why", "<u4"),  # numbers of words, as all that follow
        ("source", "<u4"),
        ("model", "<u4"),
        ("device", "<u4"),
    ]
)
WORDS = ("why", "source", "model", "device")
_OF_A_MOMENT = 64  # rows of one millisecond among which a repeated one is looked for
_LONGEST = 1e30  # seconds; a record may claim more than such a number holds


class Words:
    """Texts by number, each once; the text of number 0 is empty."""

    def __init__(self, texts: Iterable[str] = ("",)) -> None:
        self.texts = list(texts)
        self._numbers = {text: number for number, text in enumerate(self.texts)}

    def number(self, text: str) -> int:
        """The number of a text, which gets one if it has none."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]

    def __repr__(self) -> str:
        return f"<Words: {len(self.texts)}>"


def rows_of(records: Iterable[Record], words: Words) -> NDArray[Any]:
    """Records as rows of the type `ROW`."""
    return np.array([_row(record, words) for record in records], dtype=ROW)


def _row(record: Record, words: Words) -> tuple[Any, ...]:
    plan = record.plan
    return (
        math.nan if record.at is None else record.at,
        -1 if record.exit is None else record.exit,
        min(record.total, _LONGEST),
        tuple(min(getattr(record.stages, stage), _LONGEST) for stage in STAGES),
        math.nan if plan is None else min(plan.stages.total, _LONGEST),
        plan is not None and plan.meets_deadline,
        record.deadline_met,
        record.by == "edge",
        *(words.number(getattr(record, name)) for name in WORDS),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Records as rows, in the order of time; those without a time come last.

    Attributes:
        values: of the type `ROW`.
        words: texts by number.
    """

    values: NDArray[Any] = field(repr=False)
    words: Sequence[str] = field(repr=False)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """Rows of records."""
        words = Words()
        return cls.merged([cls(values=rows_of(records, words), words=words.texts)])

    @classmethod
    def merged(cls, parts: Sequence[Rows]) -> Self:
        """The rows of several in one, in the order of time, and each once.

        The records of a run and what its sink wrote are the same answers, and a sink may write an event twice.
        """
        words = Words()
        together = np.concatenate([part.values for part in parts]) if parts else np.empty(0, ROW)
        ends = np.cumsum([len(part) for part in parts])
        for part, end in zip(parts, ends, strict=True):
            _renumber(together[end - len(part) : end], part.words, words)
        at = together["at"]
        if np.any(np.diff(at) < 0) or np.any(np.isnan(at[:-1]) & ~np.isnan(at[1:])):
            together = together[np.argsort(at, kind="stable")]
        repeated = _repeated(together)
        return cls(values=together[~repeated] if repeated.any() else together, words=tuple(words.texts))

    def where(self, chosen: NDArray[np.bool_] | slice) -> Rows:
        """Some of them."""
        return Rows(values=self.values[chosen], words=self.words)

    def counted(self, key: str, chosen: NDArray[np.bool_] | slice = slice(None)) -> dict[str, int]:
        """How many of some rows have each text of a key, the most frequent first."""
        counts = np.bincount(self.values[key][chosen], minlength=len(self.words))
        named = {self.words[number]: int(counts[number]) for number in map(int, np.flatnonzero(counts))}
        return dict(sorted(named.items(), key=lambda pair: (-pair[1], pair[0])))

    def having(self, key: str, text: str) -> NDArray[np.bool_]:
        """Whether each row has this text."""
        number = self.words.index(text) if text in self.words else len(self.words)
        having: NDArray[np.bool_] = self.values[key] == number
        return having

    def __len__(self) -> int:
        return len(self.values)


def _renumber(values: NDArray[Any], texts: Sequence[str], words: Words) -> None:
    """Gives rows the numbers that their texts have among others' words."""
    numbers = np.array([words.number(text) for text in texts], dtype="<u4")
    if np.array_equal(numbers, np.arange(len(numbers))):
        return
    for key in WORDS:
        values[key] = numbers[values[key]]


def _repeated(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row is another of its moment once more, to the last digit; not where nobody noted when it was."""
    repeated, at, total = np.zeros(len(values), np.bool_), values["at"], values["total"]
    for apart in range(1, min(_OF_A_MOMENT, len(values))):
        later = np.flatnonzero(at[apart:] == at[:-apart]) + apart
        if not len(later):
            break
        alike = later[total[later] == total[later - apart]]
        for k in alike:
            repeated[k] |= values[k].tobytes() == values[k - apart].tobytes()
    return repeated
