from __future__ import annotations

import json
import statistics
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from edgent.cli import app
from edgent.errors import InputError
from edgent.events import Event
from edgent.planning.plan import Configuration, Plan, Stages
from edgent.report import write
from edgent.report.records import RecordsReport
from edgent.report.rows import Rows
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
    numbers = RecordsReport(source="day", rows=Rows.of(records)).document()
    assert {name: group["count"] for name, group in numbers["answers"].items()} == {"all": 5, "edge": 4, "device": 1}
    assert numbers["answers"]["all"]["deadlines_met"] == 0.8
    assert numbers["answers"]["edge"]["p50_ms"] == pytest.approx(37.5)
    assert numbers["exits"] == {"2": 1, "4": 4}
    assert numbers["why"] == {"edge late": 1}
    errors = [abs(a - b) / a for a, b in zip(TAKEN[:3], PROMISED[:3], strict=True)]
    assert numbers["prediction_median_ape"] == pytest.approx(statistics.median(errors))
    assert (numbers["promises"], numbers["promises_kept"]) == (4, 0.75)


def test_records_without_a_plan_make_a_report_too(records, tmp_path):
    rest = RecordsReport(source="day", rows=Rows.of(records[4:]))
    assert rest.document()["prediction_median_ape"] is None
    write(rest.page(), tmp_path / "report.html")
    assert "No plan with a prediction was followed." in (tmp_path / "report.html").read_text()


def test_of_many_records_not_every_one_is_drawn(records):
    many = records * 1000
    page = RecordsReport(source="day", rows=Rows.of(many)).page().to_html()
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


def days(folder, records):
    for number, name in enumerate(["a", "b"]):
        (folder / name).mkdir(parents=True)
        noted = [replace(one, at=1.7e9 + k, source=name, device="porch") for k, one in enumerate(records)]
        write_records(folder / name / "day.jsonl", noted[number:])
    (folder / "b" / "empty.jsonl").touch()
    (folder / "b" / "notes.txt").write_text("no records")


def test_files_and_folders_are_one_report_and_each_file_counts_once(records, tmp_path):
    days(tmp_path / "in", records)
    arguments = [
        "report",
        str(tmp_path / "in"),
        str(tmp_path / "in" / "a" / "day.jsonl"),
        "-o",
        str(tmp_path / "o.html"),
    ]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.exception
    document = json.loads(done.stdout)
    assert {name: group["count"] for name, group in document["by_camera"].items()} == {"a": 5, "b": 4}
    assert sum(group["count"] for group in document["hours"].values()) == 9
    assert "9 records of 3 files" in (tmp_path / "o.html").read_text()
    chosen = CliRunner().invoke(app, [*arguments, "--json", "--source", "b", "--from", "2023-11-14T22:13:22Z"])
    assert json.loads(chosen.stdout)["answers"]["all"]["count"] == 3


def test_a_folder_without_records_and_an_hour_that_is_none_are_refused(records, tmp_path):
    (tmp_path / "in").mkdir()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "in"), "-o", str(tmp_path / "o.html")])
    assert "found no file *.jsonl there" in str(done.exception)
    write_records(tmp_path / "in" / "day.jsonl", records)
    done = CliRunner().invoke(app, ["report", str(tmp_path / "in"), "-o", str(tmp_path / "o.html"), "--to", "noon"])
    assert isinstance(done.exception, InputError) and "--to 'noon'" in str(done.exception)


def test_a_line_that_a_power_cut_left_costs_a_warning_and_no_day(records, tmp_path):
    path = tmp_path / "day.jsonl"
    write_records(path, records)
    path.write_text(path.read_text() + '{"input": "6.p\n')
    write_records(path, records)
    done = CliRunner().invoke(app, ["report", str(path), "-o", str(tmp_path / "o.html"), "--json"])
    assert json.loads(done.stdout)["answers"]["all"]["count"] == 10
    assert (
        "line 6: found no complete JSON" in " ".join(done.stderr.split()) and "1 such lines are left out" in done.stderr
    )


def test_what_refined_another_answer_is_not_counted(records, tmp_path):
    refined = [replace(one, refined=True) for one in records]
    write_records(tmp_path / "day.jsonl", [*records, *refined])
    arguments = ["report", str(tmp_path / "day.jsonl"), "-o", str(tmp_path / "out.html"), "--json"]
    done = CliRunner().invoke(app, arguments)
    assert json.loads(done.stdout)["answers"]["all"]["count"] == len(records)


def test_the_records_and_the_sink_of_one_run_are_counted_once(records, tmp_path):
    noted = [replace(one, at=1e9 + k // 2, source="door") for k, one in enumerate(records)]
    events = [
        Event(id=f"run-{k}", source="door", number=k, captured_at=one.at, kind="answer", record=one)
        for k, one in enumerate(noted)
    ]
    write_records(tmp_path / "day.jsonl", noted)
    (tmp_path / "sink.jsonl").write_text("".join(event.to_json() + "\n" for event in [*events, events[0]]))
    typed = ["report", str(tmp_path), "-o", str(tmp_path / "report.html"), "--json"]
    document = json.loads(CliRunner().invoke(app, typed).stdout)
    assert document["answers"]["all"]["count"] == len(records)


def test_answers_that_are_alike_are_counted_each(records):
    noted = replace(records[0], at=1e9, source="door")
    apart = [replace(noted, at=1e9 + 1), replace(noted, source="yard"), replace(noted, total=noted.total + 0.001)]
    untimed = [records[0]] * 2
    assert len(Rows.of([noted, *apart, noted, *untimed])) == 1 + len(apart) + len(untimed)
