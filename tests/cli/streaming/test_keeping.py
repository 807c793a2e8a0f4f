"""What is said and kept of events, and how outcomes become events."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgent.address import machine_name
from edgent.cli.answers.folder import AnswerFolder
from edgent.cli.streaming.event_maker import EventMaker
from edgent.cli.streaming.keeping import Keeping
from edgent.cli.streaming.watching import Telling
from edgent.codec import encode_image
from edgent.device.answer import Answer
from edgent.device.streams.outcomes import FrameOutcome
from edgent.errors import EdgentError, InputError
from edgent.events import Event, Frame
from edgent.model.metadata import Metadata
from edgent.planning.plan import Stages
from edgent.telemetry import Record, read_records
from edgent.units import Seconds

JPEG = encode_image("jpeg-90", np.zeros((8, 8, 3), np.uint8))
RECORD = Record(
    input="door-3",
    label=None,
    exit=1,
    by="device",
    deadline_met=True,
    total=Seconds(0.02),
    stages=Stages(head=0.02),
    plan=None,
)


def answer(record=RECORD, source=JPEG) -> Answer:
    return Answer(outputs={"y": np.zeros(3, np.float32)}, label=None, record=record, metadata=Metadata(), source=source)


def outcome(kind="answer", number=3, **fields) -> FrameOutcome:
    frame = Frame(read=lambda: JPEG, source="door", number=number, at=Seconds(10.0))
    return FrameOutcome(frame=frame, kind=kind, **fields)


@pytest.fixture
def events() -> EventMaker:
    return EventMaker("run", lambda at: 1_700_000_000.0 + at, "yolo")


def test_an_answers_event_has_its_record_with_the_result_its_picture_and_its_moment(events):
    event = events.event(outcome(answer=answer()))
    assert (event.source, event.number, event.kind, event.captured_at) == ("door", 3, "answer", 1_700_000_010.0)
    assert event.picture == JPEG
    record = event.record
    noted = (record.at, record.source, record.model, record.device)
    assert noted == (1_700_000_010.0, "door", "yolo", machine_name())
    assert event.record.result == {"outputs": {"y": {"dtype": "float32", "shape": [3], "values": [0.0, 0.0, 0.0]}}}


def test_no_two_events_have_one_id(events):
    better = answer(replace(RECORD, refined=True))
    made = [
        events.event(outcome(answer=answer())),
        events.event(outcome(number=4, answer=answer())),
        events.event(outcome("refined", answer=better)),
        EventMaker("another run", float, "yolo").event(outcome(answer=answer())),
    ]
    assert len({event.id for event in made}) == 4


def test_what_was_not_answered_has_no_picture_and_says_why(events):
    replaced = events.event(outcome("replaced"))
    failed = events.event(outcome("failed", error=InputError("is broken off")))
    assert (replaced.record, replaced.picture, replaced.error) == (None, None, "")
    assert (failed.record, failed.picture, failed.error) == (None, None, "is broken off")


def test_a_file_is_named_by_its_frame_its_event_and_what_is_kept_of_it(events, tmp_path):
    frame = replace(outcome().frame, source="yard", file="cat.jpg", keeps=True)
    assert frame.name == "yard/cat.jpg"
    failed = events.event(FrameOutcome(frame=frame, kind="failed", error=InputError("found no picture")))
    assert failed.error == "yard/cat.jpg: found no picture"
    assert json.loads(failed.to_json())["file"] == "cat.jpg"
    named = InputError("pictures/cat.jpg: is gone")
    assert events.event(FrameOutcome(frame=frame, kind="failed", error=named)).error == str(named)
    answered = events.event(FrameOutcome(frame=frame, kind="answer", answer=answer()))
    Keeping(None, AnswerFolder(tmp_path, annotate=False), print).keep(answered, answer())
    assert [file.stem.rpartition("-")[2] for file in tmp_path.glob("*.json")] == ["cat"]


def test_a_file_of_many_wide_letters_is_kept_as_well(events, tmp_path):
    frame = replace(outcome().frame, source="yard", file=f"{'猫' * 83}.jpg", keeps=True)
    keeping = Keeping(None, AnswerFolder(tmp_path, annotate=True), print)
    keeping.keep(events.event(FrameOutcome(frame=frame, kind="answer", answer=answer())), answer())
    (document,) = (json.loads(file.read_text()) for file in tmp_path.glob("*.json"))
    assert document["files"].keys() == {"tensors", "picture"}


def test_an_event_of_a_camera_names_no_file(events):
    assert "file" not in json.loads(events.event(outcome("replaced")).to_json())


def test_a_picture_of_another_kind_becomes_a_jpeg(events):
    png = encode_image("png", np.full((8, 8, 3), 90, np.uint8))
    picture = Image.open(io.BytesIO(events.event(outcome(answer=answer(source=png))).picture))
    assert picture.format == "JPEG" and abs(int(np.asarray(picture).mean()) - 90) <= 1


def test_arrays_have_no_picture(events):
    assert events.event(outcome(answer=answer(source=None))).picture is None


def made(kind="answer", number=3, record=RECORD, error="") -> Event:
    record = record if kind in ("answer", "refined") else None
    if record is not None:
        record = replace(answer(record).kept(), refined=kind == "refined")
    return Event(
        id=f"{kind}{number}", source="door", number=number, captured_at=1e9, kind=kind, record=record, error=error
    )


def keep(keeping, *events):
    for event in events:
        keeping.keep(event, None if event.record is None else answer(event.record))


def test_answers_are_said_and_kept_and_what_refines_another_is_marked(tmp_path, capsys):
    keeping = Keeping(tmp_path / "day.jsonl", AnswerFolder(tmp_path / "out", annotate=False), print)
    keep(keeping, made(), made("replaced", 4), made("refined"))
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith(", refined") for line in said] == [False, True]
    assert [record.refined for record in read_records(tmp_path / "day.jsonl")] == [False, True]
    names = sorted(file.name for file in (tmp_path / "out").glob("*.json"))
    assert names == ["door-20010909T014640000000-3-refined.json", "door-20010909T014640000000-3.json"]
    assert json.loads((tmp_path / "out" / names[0]).read_text())["kind"] == "refined"


def test_what_became_of_a_sources_frames_is_told_in_the_end():
    keeping = Keeping(None, None, print)
    late = replace(RECORD, deadline_met=False)
    keep(keeping, made(), made(number=4, record=late), made("refined", 4), made("replaced", 5), made("failed", 6))
    assert keeping.summary() == ["door: 2 frames answered, 1 of them in time; 1 replaced, 1 failed, 1 refined"]


def test_a_source_that_fails_is_one_line_until_it_is_well_again(capsys):
    keeping = Keeping(None, None, print)
    failed = [made("failed", number, error=f"door-{number} is no picture") for number in range(5)]
    keep(keeping, *failed, made(number=5), *failed)
    said = capsys.readouterr().err.splitlines()
    assert said == ["edgent: door-0 is no picture"] * 2


def test_of_files_each_that_fails_is_said(capsys):
    keeping = Keeping(None, None, print)
    keep(keeping, *(replace(made("failed", error=f"door/{name} is no picture"), file=name) for name in ("a", "b")))
    assert capsys.readouterr().err.splitlines() == ["edgent: door/a is no picture", "edgent: door/b is no picture"]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], ""),
        (["answer", "failed"], ""),
        (["replaced"], ""),
        (["failed", "replaced"], "none of its frames was answered"),
        (["answer", "failed file"], "1 file was not answered"),
        (["failed file", "failed file"], "2 files were not answered"),
    ],
)
def test_a_source_has_failed_where_a_file_or_no_frame_was_answered(events, why):
    keeping = Keeping(None, None, print)
    for kind, _, file in (event.partition(" ") for event in events):
        keep(keeping, replace(made(kind, error="no picture"), file=file))
    assert keeping.failed("door") == why and not keeping.failed("yard")


@pytest.mark.parametrize("problem", [EdgentError("the disk is full"), OSError("gone")])
def test_what_cannot_be_written_is_one_line_and_the_rest_goes_on(tmp_path, capsys, monkeypatch, problem):
    def full(path, records):
        raise problem

    monkeypatch.setattr("edgent.cli.streaming.keeping.write_records", full)
    keeping = Keeping(tmp_path / "day.jsonl", AnswerFolder(tmp_path / "out", annotate=False), print)
    keep(keeping, *(made(number=number) for number in range(4)))
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [f"edgent: --records: {problem}"]
    assert len(captured.out.splitlines()) == 4 and len(list((tmp_path / "out").glob("*.json"))) == 4


@pytest.mark.parametrize("end", [BrokenPipeError(), SystemExit(1)])
def test_where_nobody_reads_the_lines_any_more_the_run_is_done(monkeypatch, end):
    done = []

    def closed(*args, **settings):
        raise end

    monkeypatch.setattr("edgent.cli.terminal.show.out.print", closed)
    keep(Keeping(None, None, lambda: done.append(True)), made())
    assert done == [True]


class SlowDisk:
    """In place of `Keeping`: takes a minute for each."""

    def __init__(self, clock) -> None:
        self._clock, self.kept = clock, []

    def keep(self, event, answer) -> None:
        self._clock.sleep(60.0)
        self.kept.append((event.number, event.picture))


@pytest.fixture
def disk(clock) -> SlowDisk:
    return SlowDisk(clock)


@pytest.fixture
def telling(disk, clock, events) -> Telling:
    return Telling(events, disk, [], clock)


HELD = 30 << 20
LARGE = {
    "a picture": answer(source=JPEG + bytes(HELD)),
    "tensors": replace(answer(), outputs={"mask": np.zeros(HELD, np.uint8)}),
}


@pytest.mark.parametrize("kind", LARGE)
def test_of_large_answers_few_wait_for_a_slow_disk_and_more_are_dropped(telling, disk, caplog, kind):
    behind = []
    for number in range(8):
        telling(outcome(number=number, answer=LARGE[kind]))
        behind.append(telling.is_behind)
    telling.close()
    assert disk.kept == [(number, None) for number in range((128 << 20) // HELD)]  # the picture is the answer's alone
    assert behind == [False, False, *[True] * 6]
    assert sum("dropped" in line for line in caplog.messages) == 4


def test_of_small_answers_hundreds_wait(telling, disk):
    for number in range(300):
        telling(outcome(number=number, answer=answer()))
    telling.close()
    assert [number for number, _ in disk.kept] == list(range(200))
