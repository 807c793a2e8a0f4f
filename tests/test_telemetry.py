"""A record is one line, whenever it was written."""

import json
from dataclasses import replace

import pytest

from edgent.errors import InputError
from edgent.files import LONGEST_LINE
from edgent.planning.plan import Stages
from edgent.telemetry import Record, read_records
from edgent.units import Seconds

PLAIN = Record(
    input="1.png",
    label="cat",
    exit=1,
    by="edge",
    deadline_met=True,
    total=Seconds(0.02),
    stages=Stages(head=0.02),
    plan=None,
)
NOTED = replace(PLAIN, at=1_700_000_000.25, source="door\n2", model="yolo", device="porch")


@pytest.mark.parametrize("record", [PLAIN, NOTED], ids=["plain", "noted"])
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    line = record.to_json()
    assert "\n" not in line
    assert Record.from_json(line) == record


def test_what_is_not_noted_is_not_written() -> None:
    assert not {"at", "source", "model", "device"} & json.loads(PLAIN.to_json()).keys()


def test_a_line_of_an_older_release_lacks_what_came_later() -> None:
    older = json.loads(PLAIN.to_json())
    del older["result"]
    assert Record.from_json(json.dumps(older)) == PLAIN


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("at", "noon", "record.at 'noon' is no time"), ("at", 17, "expected some text"), ("source", None, "found null")],
)
def test_what_is_noted_is_read_as_strictly_as_the_rest(key: str, value: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Record.from_json(json.dumps({**json.loads(NOTED.to_json()), key: value}))


def test_an_unknown_key_is_refused_still() -> None:
    with pytest.raises(InputError, match="unknown key 'camera'"):
        Record.from_json(json.dumps({**json.loads(NOTED.to_json()), "camera": "door"}))


@pytest.mark.parametrize("refined", [False, True])
def test_a_record_that_refines_another_says_so_and_is_read_back(refined: bool) -> None:
    record = replace(PLAIN, refined=refined)
    assert Record.from_json(record.to_json()) == record
    assert ("kind" in json.loads(record.to_json())) is refined


def test_a_record_of_another_kind_is_refused() -> None:
    document = json.loads(PLAIN.to_json()) | {"kind": "guess"}
    with pytest.raises(InputError, match=r"record\.kind: found 'guess'"):
        Record.from_json(json.dumps(document))


def test_lines_that_are_no_records_are_left_out_and_told_in_one_warning(tmp_path, caplog) -> None:
    line, file = PLAIN.to_json().encode(), tmp_path / "day.jsonl"
    long = b"\0" * (LONGEST_LINE + 2)
    file.write_bytes(b"\n".join([line, long, line, b"\xff", b"", b"{}", line]) + b"\n" + line[:-5])
    assert list(read_records(file)) == [PLAIN] * 3
    (warning,) = caplog.messages
    assert warning.startswith(f"{file}, line 2: found a line that is too long; 4 such lines")


def test_a_file_of_nothing_but_other_lines_is_refused_and_the_first_is_named(tmp_path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("time,label\n1,cat\n")
    with pytest.raises(InputError, match=r"day\.csv, line 1: .*expected lines that edgent run --records"):
        list(read_records(file))


def test_an_empty_file_has_no_records_and_a_missing_one_is_named(tmp_path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_records(tmp_path / "empty")) == []
    with pytest.raises(InputError, match="gone: "):
        list(read_records(tmp_path / "gone"))
