from __future__ import annotations

import json
import statistics
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.errors import InputError
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.report import write
from edgent.report.records import RecordsReport
from edgent.telemetry import Record, write_records

TAKEN = [0.030, 0.034, 0.041, 0.120, 0.090]
PROMISED = [0.031, 0.030, 0.040, 0.050, None]


def record(number: int, taken: float, promised: float | None) -> Record:
    whole = Configuration(exit=4, upload_cut=0, download_cut=22, codec="source")
    plan = None
    if promised is not None:
        plan = Plan(configuration=whole, accuracy=0.9, meets_deadline=True, stages=Stages(uplink=promised))
    return Record(
        input=f"{number}.png",
        label="<cat>",
        exit=4 if number else 2,
        by="device" if number == 4 else "edge",
        deadline_met=taken <= 0.1,
        total=taken,
        stages=Stages(uplink=taken),
        plan=plan,
        why="edge late" if number == 3 else "",
    )


@pytest.fixture
def records() -> tuple[Record, ...]:
    return tuple(record(k, *pair) for k, pair in enumerate(zip(TAKEN, PROMISED, strict=True)))


def test_a_report_counts_what_the_records_say(records):
    numbers = RecordsReport(source="day", records=records).document()
    assert {name: group["count"] for name, group in numbers["answers"].items()} == {"all": 5, "edge": 4, "device": 1}
    assert numbers["answers"]["all"]["deadlines_met"] == 0.8
    assert numbers["answers"]["edge"]["p50_ms"] == pytest.approx(37.5)
    assert numbers["exits"] == {"2": 1, "4": 4}
    assert numbers["why"] == {"edge late": 1}
    errors = [abs(a - b) / a for a, b in zip(TAKEN[:3], PROMISED[:3], strict=True)]
    assert numbers["prediction_median_ape"] == pytest.approx(statistics.median(errors))
    assert (numbers["promises"], numbers["promises_kept"]) == (4, 0.75)


def test_records_without_a_plan_make_a_report_too(records, tmp_path):
    rest = RecordsReport(source="day", records=records[4:])
    assert rest.document()["prediction_median_ape"] is None
    write(rest.page(), tmp_path / "report.html")
    assert "No plan with a prediction was followed." in (tmp_path / "report.html").read_text()


def test_of_many_records_not_every_one_is_drawn(records):
    many = records * 1000
    page = RecordsReport(source="day", records=many).page().to_html()
    assert page.count("<circle") < 5000
    assert "One record in 3 is drawn." in page


def test_the_command_writes_one_file_and_prints_one_document(records, tmp_path):
    write_records(tmp_path / "day.jsonl", records)
    target = tmp_path / "out.html"
    done = CliRunner().invoke(app, ["report", str(tmp_path / "day.jsonl"), "-o", str(target), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["answers"]["all"]["count"] == 5
    assert "80.0% of the deadlines were met" in target.read_text()


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be read"), ("", "no records"), ("{}\n", "line 1")])
def test_what_holds_no_records_is_refused(tmp_path, text, words):
    path = tmp_path / "day.jsonl"
    if text is not None:
        path.write_text(text)
    done = CliRunner().invoke(app, ["report", str(path), "-o", str(tmp_path / "out.html")])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception) and str(path) in str(done.exception)
    assert not (tmp_path / "out.html").exists()


def test_what_refined_another_answer_is_not_counted(records, tmp_path):
    refined = [replace(one, refined=True) for one in records]
    write_records(tmp_path / "day.jsonl", [*records, *refined])
    arguments = ["report", str(tmp_path / "day.jsonl"), "-o", str(tmp_path / "out.html"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout)["answers"]["all"]["count"] == len(records)
