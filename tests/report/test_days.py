"""Hours, cameras and misses are what counting the records one by one gives."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.report.days import Group, hours, misses, sections
from edgent.report.records import RecordsReport
from edgent.report.rows import Rows
from edgent.report.selection import Selection
from edgent.telemetry import Record
from edgent.units import Seconds

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC).timestamp()
WHOLE = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")

PLAIN = Record(
    input="", label=None, exit=0, by="edge", deadline_met=True, total=Seconds(0.01), stages=Stages(), plan=None
)


def plan(meets_deadline: bool) -> Plan:
    return Plan(configuration=WHOLE, accuracy=0.9, meets_deadline=meets_deadline, stages=Stages(uplink=0.05))


records = st.builds(
    Record,
    input=st.just("frame"),
    label=st.none(),
    exit=st.one_of(st.none(), st.integers(0, 4)),
    by=st.sampled_from(["edge", "device"]),
    deadline_met=st.booleans(),
    total=st.integers(1, 1000).map(lambda number: Seconds(number / 1024)),
    stages=st.integers(1, 1000).map(lambda number: Stages(uplink=number / 1024)),
    plan=st.sampled_from([None, plan(True), plan(False)]),
    why=st.sampled_from(["", "", "edge late", "edge lost"]),
    at=st.one_of(st.none(), st.integers(0, 3 * 86_400).map(lambda second: MIDNIGHT + second)),
    source=st.sampled_from(["door", "yard", ""]),
    model=st.just("yolo"),
    device=st.sampled_from(["porch", "shed"]),
)


def several(**sizes) -> st.SearchStrategy[list[Record]]:
    """Records of which no two are the same answer."""
    return st.lists(records, unique_by=lambda one: (one.at, one.total, one.source, one.device), **sizes)


def reason(record: Record) -> str:
    if record.why:
        return record.why
    if record.plan is None:
        return "no plan"
    return "it took longer than planned" if record.plan.meets_deadline else "no plan was in time"


def check(group: Group, members: list[Record]) -> None:
    assert group.count == len(members)
    assert group.met == pytest.approx(statistics.fmean(one.deadline_met for one in members))
    assert group.edge == pytest.approx(statistics.fmean(one.by == "edge" for one in members))
    totals = [one.total * 1e3 for one in members]
    assert group.p50_ms == pytest.approx(statistics.median(totals), rel=1e-6)
    assert group.p95_ms == pytest.approx(float(np.percentile(totals, 95)), rel=1e-6)
    assert group.misses == Counter(reason(one) for one in members if not one.deadline_met)


@settings(max_examples=40)
@given(several(max_size=40), st.sampled_from([0, 330, 345, -210]))
def test_an_hour_has_the_records_that_counting_finds_on_the_clocks_of_any_zone(
    some: list[Record], minutes: int
) -> None:
    zone = timezone(timedelta(minutes=minutes))
    by_hour = hours(Rows.of(some), zone)
    counted: dict[datetime, list[Record]] = {}
    for one in some:
        if one.at is not None:
            hour = datetime.fromtimestamp(one.at, zone).replace(minute=0, second=0, microsecond=0)
            counted.setdefault(hour, []).append(one)
    assert sorted(counted) == list(by_hour)
    for hour, members in counted.items():
        check(by_hour[hour], members)


@settings(max_examples=40)
@given(several(min_size=1, max_size=40))
def test_cameras_and_misses_of_the_document_are_what_counting_finds(some: list[Record]) -> None:
    document = RecordsReport(source="day", rows=Rows.of(some)).document()
    assert document["misses"] == Counter(reason(one) for one in some if not one.deadline_met)
    cameras = Counter(one.source or "not noted" for one in some)
    shown = document.get("by_camera", {})
    assert {name: group["count"] for name, group in shown.items()} == (cameras if len(cameras) > 1 else {})


@settings(max_examples=40)
@given(several(max_size=40), st.integers(1, 4))
def test_several_files_are_one_report_in_the_order_of_time(some: list[Record], files: int) -> None:
    parts = [some[k::files] for k in range(files)]
    merged = Rows.merged([Rows.of(part) for part in parts])
    every = [one for part in parts for one in part]
    in_order = sorted(every, key=lambda one: float("inf") if one.at is None else one.at)
    said = [
        (merged.words[row["source"]], merged.words[row["why"]], merged.words[row["device"]], float(row["total"]))
        for row in merged.values
    ]
    assert sorted(said) == sorted((one.source, one.why, one.device, one.total) for one in every)
    np.testing.assert_array_equal(merged.values["at"], [np.nan if one.at is None else one.at for one in in_order])


@settings(max_examples=40)
@given(several(max_size=30), st.integers(0, 80), st.integers(0, 80))
def test_a_selection_is_what_was_asked_for(some: list[Record], first: int, last: int) -> None:
    start, end = MIDNIGHT + first * 3600, MIDNIGHT + last * 3600
    kept = [
        one
        for one in some
        if one.at is not None and start <= one.at < end and one.source == "door" and one.device == "shed"
    ]
    asked = Selection(start=start, end=end, source="door", device="shed")
    try:
        assert len(asked.of(Rows.of(some))) == len(kept)
    except InputError as error:
        assert not kept and ("found no such records" in str(error) or "found no records of that time" in str(error))


def test_a_name_that_no_record_has_is_answered_with_those_that_there_are() -> None:
    rows = Rows.of([replace(PLAIN, source="door"), replace(PLAIN, source="yard"), PLAIN])
    with pytest.raises(InputError, match=r"--source 'dor'.* door, yard") as refusal:
        Selection(source="dor").of(rows)
    assert "records without one" in str(refusal.value)
    with pytest.raises(InputError, match="bear no time"):
        Selection(start=0.0).of(rows)
    timed = Rows.of([replace(PLAIN, at=MIDNIGHT)])
    with pytest.raises(InputError, match=r"are from 2026-11-30T00:00:00.000\+00:00 to 2026"):
        Selection(end=MIDNIGHT).of(timed)


def test_the_hour_that_comes_twice_when_clocks_are_put_back_is_two_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    rows = Rows.of([replace(PLAIN, at=first.timestamp()), replace(PLAIN, at=first.timestamp() + 3600)])
    assert [hour.isoformat() for hour in hours(rows, zone)] == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
    ]


def test_records_without_times_and_names_have_no_section_of_their_own() -> None:
    assert sections(Rows.of([PLAIN] * 3), UTC) == ()
    assert misses(Rows.of([PLAIN])) == {}
    (only,) = sections(Rows.of([replace(PLAIN, at=MIDNIGHT), PLAIN]), UTC)
    assert only.title == "Hours of days" and "1 records bear no time" in "".join(only.parts)


def test_an_hour_in_which_one_of_many_was_late_is_not_shown_as_all_in_time() -> None:
    many = [replace(PLAIN, at=MIDNIGHT + number, deadline_met=number > 0) for number in range(1000)]
    page = RecordsReport(source="day", rows=Rows.of(many)).page().to_html()
    assert ">99</td>" in page and ">100</td>" not in page
