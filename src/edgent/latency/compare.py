"""Two machines, or two engines on one, side by side: two profiles of one model, or two latency models."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from edgent.errors import InputError
from edgent.files import read_text
from edgent.latency.latency_model_file import MachineModel, is_machine_model
from edgent.latency.profile import Profile
from edgent.latency.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What both machines took for one exit or one family of kernels, in seconds."""

    name: str
    a: float
    b: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two machines, side by side.

    Attributes:
        names: the two machines, with their engines.
        what: what the rows are: "exits" of a model, or "families" of kernels.
        rows: at least one.
    """

    names: tuple[str, str]
    what: str
    rows: tuple[Row, ...]

    @property
    def ratio(self) -> float:
        """How many times as long B takes: the geometric mean over the rows."""
        return geometric_mean(row.b / row.a for row in self.rows)

    def document(self) -> dict[str, Any]:
        """The comparison as JSON has it, in milliseconds."""
        rows = [{"name": r.name, "a_ms": r.a * 1e3, "b_ms": r.b * 1e3, "ratio": r.b / r.a} for r in self.rows]
        return {"a": self.names[0], "b": self.names[1], "ratio": self.ratio, self.what: rows}


def compared(a: Path, b: Path) -> Compared:
    """Compares two files of one kind.

    Raises:
        InputError: a damaged file, two kinds, two models, or nothing in common.
    """
    texts = [read(path) for path in (a, b)]
    kinds = Counter(map(is_machine_model, texts))
    if len(kinds) > 1:
        raise InputError(f"{a} and {b}: one is a profile and one a latency model; compare two of a kind")
    comparison = _machines(a, b, *texts) if kinds[True] else _profiles(a, b, *texts)
    if not comparison.rows:
        raise InputError(f"{a} and {b} have nothing in common to compare")
    return comparison


def read(path: Path) -> str:
    """A file's text.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return read_text(path)
    except InputError as error:
        raise InputError(f"{path}: {error}, expected a profile or a latency model; make one: edgent profile") from None


def _profiles(a: Path, b: Path, text_a: str, text_b: str) -> Compared:
    left, right = Profile.from_json(text_a, str(a)), Profile.from_json(text_b, str(b))
    if left.digest != right.digest:
        raise InputError(f"{a} is of {left.model} {left.digest[:12]}, {b} of {right.model} {right.digest[:12]}")
    return compared_profiles(left, right)


def compared_profiles(left: Profile, right: Profile) -> Compared:
    """Compares two profiles of one model by the whole of each exit that both have."""
    exits = sorted({one.exit for one in left.branches} & {one.exit for one in right.branches})
    rows = [(f"exit {n}", left.branch(n).whole.median, right.branch(n).whole.median) for n in exits]
    return Compared(names=(_name(left), _name(right)), what="exits", rows=_rows(rows))


def _machines(a: Path, b: Path, text_a: str, text_b: str) -> Compared:
    """Compares each family by what both predict for one kernel: the middle of those that A was fitted to."""
    left, right = MachineModel.from_json(text_a, str(a)), MachineModel.from_json(text_b, str(b))
    rows = []
    for name in sorted(left.fit.families.keys() & right.fit.families.keys()):
        pair = left.fit.families[name], right.fit.families[name]
        if len(pair[0].centre) == len(pair[1].centre):
            # The families' own middle kernel: predictions there rest on many samples, at the edges of the sweep they
            # would compare two extrapolations. Families whose fits describe a kernel by different properties cannot be
            # compared at all.
            middle = Traits(family=name, work=tuple(pair[0].usual), form=tuple(pair[0].centre))
            ours, theirs = (float(family.predict([middle])[0][0]) for family in pair)
            rows.append((name, ours, theirs))
    return Compared(names=(_name(left), _name(right)), what="families", rows=_rows(rows))


def _rows(times: list[tuple[str, float, float]]) -> tuple[Row, ...]:
    # A time of 0 (an exit too short for the clock) has no ratio.
    return tuple(Row(name=name, a=a, b=b) for name, a, b in times if a > 0 and b > 0)


def _name(one: Profile | MachineModel) -> str:
    return f"{one.machine}, {one.engine} x{one.threads}"
