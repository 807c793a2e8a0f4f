"""The benchmark of reports: what it makes up is what is reported, and that it can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def report():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import report

    yield report
    sys.path.remove(str(ROOT / "benchmarks"))
    for name in ("report", "provenance", "programs"):
        sys.modules.pop(name, None)


def test_each_way_is_of_the_records_that_it_asks_for(report, tmp_path: Path) -> None:
    runs = {run.what: run for run in report.measured(400, tmp_path)}
    counts = {what: run.records for what, run in runs.items()}
    morning = counts.pop("one camera, one morning")
    assert counts == {"one record": 1, "the first time": 400, "the second time": 400, "1,000 more in one file": 1400}
    # A quarter of the cameras, a twelfth of the time, of some fourteen hundred records.
    assert 10 < morning < 60
    assert all(run.processor_seconds > 0 and run.seconds > 0 and run.most_bytes > 10_000_000 for run in runs.values())


def test_records_are_made_up_alike_by_a_seed_and_spread_over_the_days(report) -> None:
    some = list(report.made_up(50, "porch", 3))
    assert some == list(report.made_up(50, "porch", 3)) != list(report.made_up(50, "porch", 4))
    assert some[0].at == report.START and some[-1].at == pytest.approx(report.START + 3 * 86_400 * 49 / 50)


@pytest.mark.parametrize(("seconds", "passes"), [(2.9, True), (3.0, False)])
def test_it_fails_where_the_second_time_takes_too_long(report, seconds: float, passes: bool) -> None:
    rows = [{"what": "the first time", "seconds": 99.0}, {"what": "the second time", "seconds": seconds}]
    assert report.passes({"rows": rows}) is passes
