from __future__ import annotations

from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.planning import Conditions, Planner
from edgent.planning.plan import Stages
from edgent.replay.records import is_records, load_records, trace_of
from edgent.telemetry import Record, write_records
from edgent.units import BitsPerSecond, Seconds
from replay.machines import candidates


def record(bandwidth: float) -> Record:
    link = TransferModel(bandwidth=BitsPerSecond(bandwidth))
    plan = Planner(candidates()).plan(Conditions(uplink=link, downlink=link), Seconds(0.060))
    return Record(
        input="x",
        label=None,
        exit=plan.configuration.exit,
        by="device" if plan.configuration.device_only else "edge",
        deadline_met=plan.meets_deadline,
        total=plan.stages.total,
        stages=plan.stages,
        plan=plan,
    )


def test_the_bandwidth_that_was_there_comes_back(tmp_path: Path) -> None:
    made = [record(bandwidth) for bandwidth in (5e6, 2e6, 8e6)]
    file = tmp_path / "records.jsonl"
    write_records(file, made)
    assert is_records(file)
    found = load_records(file, candidates())
    assert found.bandwidths == pytest.approx([5e6, 2e6, 8e6], rel=1e-4)
    assert found.duration == pytest.approx(sum(each.total for each in made), rel=1e-4)


def test_what_the_device_did_alone_tells_nothing() -> None:
    alone = record(1e3)
    assert alone.by == "device"
    found = trace_of([record(5e6), alone, record(2e6)], candidates(), "mixed")
    assert found.bandwidths == pytest.approx([5e6, 2e6])
    assert found.starts[1] == pytest.approx(record(5e6).total + alone.total)


def test_records_that_tell_no_bandwidth_are_refused() -> None:
    with pytest.raises(InputError, match="found 0 records"):
        trace_of([record(1e3), record(1e3)], candidates(), "alone")
    with pytest.raises(InputError, match="found 1 records"):
        trace_of([record(5e6)], candidates(), "one")


def test_stages_without_an_uplink_tell_nothing() -> None:
    blank = Record(
        input="x", label=None, exit=0, by="edge", deadline_met=True, total=Seconds(0.1), stages=Stages(), plan=None
    )
    with pytest.raises(InputError, match="found 0 records"):
        trace_of([blank, blank], candidates(), "blank")
