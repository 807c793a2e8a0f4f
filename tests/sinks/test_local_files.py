"""Files of this machine: whole lines, whole pictures, and names that lead nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import EdgentError
from edgent.sinks.addresses import FileAddress
from edgent.sinks.lines import EventLine
from edgent.sinks.local_files import LinesFile, PictureFolder, file_name
from sinks.telling import event, lines


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("before\n")
    sink = LinesFile(FileAddress(path=path, is_folder=False))
    assert len(list(sink.deliver(lines(0, 1)))) == 2
    path.rename(tmp_path / "yesterday")
    list(sink.deliver(lines(2)))
    assert len((tmp_path / "yesterday").read_text().splitlines()) == 3
    assert json.loads(path.read_text())["number"] == 2


def test_a_frame_and_what_was_answered_stand_beside_each_other_by_camera_and_day(tmp_path: Path) -> None:
    sink = PictureFolder(FileAddress(path=tmp_path / "frames", is_folder=True))
    list(sink.deliver(lines(1, picture=b"jpeg")))
    list(sink.deliver(lines(2)))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == [
        "frames/door/2027-01-15/080001-250-run-door-1.jpg",
        "frames/door/2027-01-15/080001-250-run-door-1.json",
        "frames/door/2027-01-15/080002-250-run-door-2.json",
    ]
    assert (tmp_path / found[0]).read_bytes() == b"jpeg"
    assert json.loads((tmp_path / found[1]).read_text())["id"] == "run-door-1"


def test_an_event_that_is_delivered_twice_is_there_once(tmp_path: Path) -> None:
    sink = PictureFolder(FileAddress(path=tmp_path, is_folder=True))
    for _ in range(2):
        list(sink.deliver(lines(1, picture=b"jpeg")))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


def test_a_clock_that_is_set_back_loses_no_event(tmp_path: Path) -> None:
    folder = PictureFolder(FileAddress(path=tmp_path / "frames", is_folder=True))
    file = LinesFile(FileAddress(path=tmp_path / "lines", is_folder=False))
    # The third was captured when the second was, by a clock that somebody set back; the last one before 1970.
    moments = (1_800_000_000.0, 1_800_000_001.0, 1_800_000_001.0, 1_700_000_000.0, -1.0)
    told = [EventLine.of_event(event(number, captured_at=at, picture=b"jpeg")) for number, at in enumerate(moments)]
    assert len(list(folder.deliver(told))) == len(list(file.deliver(told))) == len(moments)
    assert len(list((tmp_path / "frames").rglob("*.jpg"))) == len(moments)
    assert [json.loads(line)["number"] for line in (tmp_path / "lines").read_text().splitlines()] == [0, 1, 2, 3, 4]


@given(st.text(max_size=100), st.text(min_size=1, max_size=100))
def test_no_name_from_outside_leads_out_of_the_folder(source: str, name: str) -> None:
    path = PurePosixPath(file_name(EventLine.of_event(event(source=source, id=name))))
    assert len(path.parts) == 3 and not path.is_absolute()
    assert not any(part.startswith(".") or len(part) > 100 for part in path.parts)


def named(source: str, name: str) -> Path:
    return file_name(EventLine.of_event(event(source=source, id=name)))


@pytest.mark.parametrize("length", [1, 30, 52, 60, 100, 300])
@pytest.mark.parametrize("letter", ["a", "б", "/", "."])
def test_an_answer_and_the_better_one_are_two_files_however_long_the_name_of_the_camera(
    length: int, letter: str
) -> None:
    source = letter * length
    names = [named(source, f"5f0c1a-{source}-{end}") for end in ("7", "7-refined", "17", "17-refined", "1234567")]
    assert len(set(names)) == 5
    assert all(len(part) <= 100 for path in names for part in path.parts)


def test_what_an_id_ends_with_can_be_read_in_the_name_of_its_file() -> None:
    source = "the camera that looks at the door beside the old stable"
    assert named(source, f"5f0c1a-{source}-1234-refined").name.endswith("-1234-refined")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("двор", "вход"),
        ("двор", "_"),
        ("front door", "front_door"),
        ("a/b", "a_b"),
        (".hidden", "hidden"),
        ("x" * 70 + "1", "x" * 70 + "2"),
        ("x" * 40 + "1" + "x" * 40, "x" * 40 + "2" + "x" * 40),
        ("x" * 100, "x" * 60),
    ],
)
def test_two_cameras_have_two_folders(one: str, other: str) -> None:
    assert named(one, "1").parts[0] != named(other, "1").parts[0]


@given(st.text(max_size=150), st.text(max_size=150))
def test_no_two_names_have_the_same_folder(one: str, other: str) -> None:
    same = EventLine.of_event(event(source=one)).source == EventLine.of_event(event(source=other)).source
    assert same == (named(one, "1").parts[0] == named(other, "1").parts[0])


@pytest.mark.parametrize("kind", [LinesFile, PictureFolder])
def test_what_cannot_be_written_is_one_line_and_nothing_was_taken(tmp_path: Path, kind: type) -> None:
    (tmp_path / "file").write_text("")
    sink = kind(FileAddress(path=tmp_path / "file" / "below", is_folder=True))
    taken = []
    with pytest.raises(EdgentError) as failure:
        taken.extend(sink.deliver(lines(0, picture=b"jpeg")))
    assert not taken and "\n" not in str(failure.value)


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="there is no /dev/full")
def test_a_full_disk_takes_no_line(tmp_path: Path) -> None:
    sink = LinesFile(FileAddress(path=Path("/dev/full"), is_folder=False))
    with pytest.raises(EdgentError, match="make room"):
        list(sink.deliver(lines(0)))
