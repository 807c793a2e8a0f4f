"""Live runs as parts of a reproduction: the configurations, the state of the link, and the measured times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgent.lab.figures.rig import ROUND_TRIP, Rig
from edgent.lab.processes.live_runs import LiveRuns
from edgent.lab.reproduction.figure import Lab
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration, Stages


def measured_conditions(lab: Lab, rig: Rig, bandwidth: float) -> Conditions:
    """Link and edge as the device finds them over a link of this bandwidth."""

    def measured() -> dict[str, Any]:
        lab.progress(f"{rig.setting.name}: the link at {bandwidth / 1e3:g} kbit/s", 0, 1)
        return _without_infinity(asdict(rig.at(bandwidth)))

    depends = {**rig.setting.document(), "bandwidth": bandwidth, "round_trip": ROUND_TRIP}
    return _conditions(lab.parts.part("conditions", depends, measured))


def live_runs(
    lab: Lab, rig: Rig, bandwidth: float | None, configurations: Sequence[Configuration], rounds: int
) -> dict[Configuration, LiveRuns]:
    """Runs configurations live, in turn.

    Args:
        lab: Keeps what is finished.
        rig: What they run on.
        bandwidth: Of the link; None: the device is alone.
        configurations: Each is run equally often; only those that use the link, or only those that do not.
        rounds: How often.
    """
    if not configurations:
        return {}

    def run() -> dict[str, Any]:
        where = "alone" if bandwidth is None else f"at {bandwidth / 1e3:g} kbit/s"
        lab.progress(f"{rig.setting.name}: {len(configurations)} plans {where}", 0, 1)
        rig.alone() if bandwidth is None else rig.at(bandwidth)
        before = rig.overruns()
        measured = rig.run(configurations, rounds)
        pieces, late = (after - then for after, then in zip(rig.overruns(), before, strict=True))
        return {"runs": list(map(_measured_document, measured)), "pieces": pieces, "late": late}

    depends = {
        **rig.setting.document(),
        "bandwidth": bandwidth,
        "round_trip": ROUND_TRIP,
        "configurations": [asdict(configuration) for configuration in configurations],
        "rounds": rounds,
    }
    part = lab.parts.part("runs", depends, run)
    rig.count(part["pieces"], part["late"])
    return dict(zip(configurations, map(_measured, part["runs"]), strict=True))


def _measured_document(measured: LiveRuns) -> dict[str, Any]:
    """The runs as JSON has them, in seconds; None where nobody answered."""
    totals = [total if total < math.inf else None for total in measured.totals]
    return {"totals": totals, "stages": None if measured.stages is None else asdict(measured.stages)}


def _measured(document: dict[str, Any]) -> LiveRuns:
    totals = tuple(math.inf if total is None else total for total in document["totals"])
    stages = document["stages"]
    return LiveRuns(totals=totals, stages=None if stages is None else Stages(**stages))


def _conditions(document: dict[str, Any]) -> Conditions:
    def link(fields: dict[str, Any]) -> TransferModel:
        return TransferModel(**fields | {"window": math.inf if fields["window"] is None else fields["window"]})

    both = {way: link(document[way]) for way in ("uplink", "downlink")}
    return Conditions(**document | both | {"handling": Stages(**document["handling"])})


def _without_infinity(document: dict[str, Any]) -> dict[str, Any]:
    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(inner) for key, inner in value.items()}
        return None if value == math.inf else value

    return {key: finite(value) for key, value in document.items()}
