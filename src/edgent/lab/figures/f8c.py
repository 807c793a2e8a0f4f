"""F8c: the exit and the partition chosen at 500 kbit/s, by deadline; run live."""

from __future__ import annotations

from collections.abc import Sequence

from edgent.lab.figures.f8 import ChosenPoint, chosen_and_run, exits, interior, panels, table
from edgent.lab.figures.machines import setting
from edgent.lab.figures.rig import Rig
from edgent.lab.reproduction.figure import Figure, Lab, Ordering, Result
from edgent.report import Axis

BANDWIDTH = 500e3
DEADLINES = (0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.12, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_PAPERS = 0.1  # the paper's first deadline, seconds; those below show what happens before


def run(lab: Lab) -> Result:
    """Chooses on what the device measures of the link, and runs what was chosen."""
    papers = [setting(lab, name) for name in ("paper-pi3", "paper-pi3-resident")]
    today = [setting(lab, name, coded=True) for name in ("paper-pi3-resident", "pi-3b+")]
    points: list[ChosenPoint] = []
    notes = []
    for one in (*papers, *today):
        with Rig(one) as rig:
            points += chosen_and_run(lab, rig, [(BANDWIDTH, deadline) for deadline in DEADLINES])
            notes.append(str(rig))
    return result(points, tuple(notes))


def result(points: Sequence[ChosenPoint], notes: tuple[str, ...]) -> Result:
    """The figure."""
    settings = dict.fromkeys((point.setting, point.method) for point in points)
    return Result(
        orderings=tuple(_ordering(points, setting, method) for setting, method in settings),
        tables=(table("500 kbit/s", points),),
        panels=panels(points, Axis(label="deadline, ms", log=True), lambda point: 1e3 * point.deadline),
        notes=(f"{interior(points)} of {len(points)} choices leave work to both machines", *notes),
    )


def _ordering(points: Sequence[ChosenPoint], setting: str, method: str) -> Ordering:
    chosen = exits(points, setting, method)
    papers = exits([point for point in points if point.deadline >= _PAPERS], setting, method)
    rises, in_range = _rises(chosen), _rises(papers)
    if in_range:
        why = "each later exit takes a little longer"
    elif rises:
        why = "the exit does rise, at deadlines below 100 ms: this device is done with the whole network by then"
    else:
        why = "once the input fits through the link all exits do: the edge needs next to nothing for the last one"
    return Ordering(
        reported="the exit rises as the deadline relaxes from 100 to 1000 ms",
        ours=f"{setting}, {method}: exits {' '.join('-' if exit < 0 else str(exit) for exit in chosen)}",
        reproduced=in_range,
        why=why,
    )


def _rises(chosen: Sequence[int]) -> bool:
    """Whether exits never fall, and more than one answers."""
    return list(chosen) == sorted(chosen) and len({exit for exit in chosen if exit >= 0}) > 1


FIGURE = Figure(id="F8c", title="exit and partition at 500 kbit/s, by deadline", minutes=2, run=run)
