"""What was to be shown, beside what was: a target that was missed is a row that says so. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from edgent.lab.cameras.plans import CASCADE, JPEG, ORACLE, OURS
from edgent.lab.cameras.verdicts import Floats, Ranged, ahead, best_single, times_as_many
from edgent.lab.reproduction.figure import Column, Table, Value

TIMES_JPEG, TIMES_CASCADE, POINTS = 4.0, 1.3, 0.01


def targets_of(most: Mapping[str, Floats], pooled: Mapping[str, Floats]) -> Table:
    """Each target as a row.

    Args:
        most: how many cameras each method carries, in each draw.
        pooled: accuracy in time of each method, likewise.
    """
    best = best_single({name: drawn for name, drawn in pooled.items() if name not in (OURS, ORACLE)})
    lead = ahead(pooled[OURS], pooled[best])
    rows = (
        *(
            _row(f"{goal:g} times the cameras of: {name}", times_as_many(most[OURS], most[name]), _times, goal)
            for name, goal in ((JPEG, TIMES_JPEG), (CASCADE, TIMES_CASCADE))
        ),
        _row(f"a point ahead of the best single method: {best}", lead, _points, POINTS, surely=True),
    )
    columns = (
        Column(key="target", title="target"),
        Column(key="measured", title="measured"),
        Column(key="verdict", title=""),
    )
    return Table(title="Targets", columns=columns, rows=rows)


def _row(
    target: str, measured: Ranged, show: Callable[[float], str], goal: float, surely: bool = False
) -> tuple[Value, ...]:
    met = measured.value >= goal and not (surely and measured.low <= 0)
    text = f"{show(measured.value)} ({show(measured.low)} .. {show(measured.high)})"
    return target, text, "met" if met else "MISSED"


def _times(value: float) -> str:
    return "beyond what was tried" if math.isinf(value) else f"{value:.1f} times"


def _points(share: float) -> str:
    return f"{share * 100:+.1f} points"
