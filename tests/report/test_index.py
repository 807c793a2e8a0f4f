"""The index of a file says what the file says, whatever becomes of either."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.events import Event
from edgent.planning.plan import Stages
from edgent.report import index
from edgent.report.index import ReadSoFar, indexed
from edgent.report.rows import Rows
from edgent.telemetry import Record, write_records
from edgent.units import Seconds

pytestmark = pytest.mark.usefixtures("empty_cache")


def record(number: int, **more: object) -> Record:
    plain = Record(
        input=f"{number}.png",
        label=None,
        exit=number % 3,
        by="edge" if number % 2 else "device",
        deadline_met=number % 5 > 0,
        total=Seconds(number / 1000),
        stages=Stages(head=number / 1000),
        plan=None,
        why=f"reason {number % 4}" if number % 4 else "",
        at=1_700_000_000.0 + number,
        source=f"camera {number % 3}",
    )
    return replace(plain, **more)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    write_records(tmp_path / "day.jsonl", map(record, range(100)))
    return tmp_path / "day.jsonl"


class Watch:
    """Notes how far a file is read."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, whole: int) -> None:
        self.calls.append((done, whole))


def read(path: Path) -> tuple[Rows, ReadSoFar, Watch]:
    watch = Watch()
    return *indexed(path, watch), watch


def seen(rows: Rows) -> list[tuple[object, ...]]:
    """Rows with their words, as one can compare them."""
    return [
        (float(row["at"]), int(row["exit"]), float(row["total"]), rows.words[row["why"]], rows.words[row["source"]])
        for row in rows.values
    ]


def expected(records: list[Record]) -> list[tuple[object, ...]]:
    return [(one.at, one.exit, float(np.float32(one.total)), one.why, one.source) for one in records]


def place(cache: Path) -> Path:
    (folder,) = (cache / "records").iterdir()
    return folder / "index.sqlite"


@pytest.mark.parametrize("piece", [7, 100, 1 << 14])
def test_the_index_has_the_records_of_the_file_in_their_order(day, piece, monkeypatch) -> None:
    monkeypatch.setattr(index, "_PIECE", piece)
    assert seen(read(day)[0]) == expected(list(map(record, range(100))))
    assert seen(read(day)[0]) == expected(list(map(record, range(100))))


def test_a_file_is_read_once_and_then_only_what_came_to_it(day) -> None:
    size = day.stat().st_size
    assert read(day)[2].calls == [(size, size)]
    assert read(day)[2].calls == []
    write_records(day, [record(100, source="new camera")])
    rows, reading, watch = read(day)
    assert len(watch.calls) == 1 and reading.lines == 101
    assert seen(rows) == expected([*map(record, range(100)), record(100, source="new camera")])


def test_another_time_of_change_alone_does_not_have_it_read_again(day) -> None:
    read(day)
    os.utime(day, (1, 1))
    rows, _, watch = read(day)
    assert watch.calls == [] and len(rows) == 100
    assert read(day)[2].calls == []


@pytest.mark.parametrize("kept", [0, 40])
def test_a_file_that_does_not_begin_as_it_did_is_read_anew(day, kept) -> None:
    read(day)
    day.unlink()
    others = [record(number, source="other") for number in range(kept, kept + 150)]
    write_records(day, [*map(record, range(kept)), *others])
    assert seen(read(day)[0]) == expected([*map(record, range(kept)), *others])


def test_a_change_of_one_byte_at_the_old_size_is_seen(day) -> None:
    read(day)
    day.write_bytes(day.read_bytes().replace(b'"camera 0"', b'"camera X"', 1))
    assert seen(read(day)[0])[0][-1] == "camera X"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no database at all" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(b""),
        lambda path: execute(path, "DROP TABLE piece"),
        lambda path: execute(path, "DELETE FROM reading"),
        lambda path: execute(path, "DELETE FROM word WHERE number > 1"),
        lambda path: execute(path, "UPDATE piece SET rows = x'00'"),
        lambda path: execute(path, "PRAGMA user_version = 99"),
        lambda path: execute(path, "PRAGMA application_id = 7"),
    ],
    ids=["text", "half", "empty", "a table less", "no reading", "words", "a piece", "another release", "another's"],
)
def test_an_index_that_is_broken_or_foreign_is_made_again(day, damage, empty_cache) -> None:
    read(day)
    damage(place(empty_cache))
    assert seen(read(day)[0]) == expected(list(map(record, range(100))))
    assert read(day)[2].calls == []


def execute(path: Path, command: str) -> None:
    base = sqlite3.connect(path)
    base.execute(command)
    base.commit()
    base.close()


def test_a_reading_that_was_interrupted_goes_on_where_it_was(day, monkeypatch) -> None:
    monkeypatch.setattr(index, "_PIECE", 30)

    def interrupt(done: int, whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        indexed(day, interrupt)
    rows, reading, watch = read(day)
    assert len(watch.calls) == 3 and reading.lines == 100
    assert seen(rows) == expected(list(map(record, range(100))))


def test_two_that_read_a_file_at_once_have_each_record_once(day, monkeypatch) -> None:
    monkeypatch.setattr(index, "_PIECE", 10)
    other: list[Rows] = []

    def meanwhile(done: int, whole: int) -> None:
        if not other:  # while the first one is between two pieces, another one reads all
            other.append(Rows.of([]))
            other[0] = indexed(day, Watch())[0]

    rows, _ = indexed(day, meanwhile)
    assert seen(rows) == seen(other[0]) == expected(list(map(record, range(100))))


def test_threads_that_begin_together_have_each_record_once(day, monkeypatch) -> None:
    monkeypatch.setattr(index, "_PIECE", 10)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(len(indexed(day, Watch())[0]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [100] * 4


def test_lines_that_are_no_records_are_counted_and_the_first_is_told(day) -> None:
    text = day.read_text().splitlines()
    text[10:10] = ["{}", "\x00\x00", "", "[1]"]
    day.write_bytes("\n".join(text).encode() + b"\n\xff\xfe\n")
    rows, reading, _ = read(day)
    assert len(rows) == 100 and reading.refused == 4 and reading.refusal.startswith("line 11: ")
    assert read(day)[1] == reading


def test_a_line_that_is_being_written_is_read_when_it_is_whole(day) -> None:
    line = record(100).to_json() + "\n"
    with day.open("a") as file:
        file.write(line[:50])
    rows, reading, _ = read(day)
    assert (len(rows), reading.refused) == (100, 0)
    with day.open("a") as file:
        file.write(line[50:])
    rows, reading, _ = read(day)
    assert (len(rows), reading.refused) == (101, 0)


def test_a_last_line_without_an_end_counts(day) -> None:
    day.write_text(day.read_text().rstrip("\n"))
    assert len(read(day)[0]) == 100
    with day.open("a") as file:
        file.write("\n" + record(100).to_json())
    rows, reading, _ = read(day)
    assert (len(rows), reading.refused) == (101, 0)


def test_events_are_read_as_their_records(day) -> None:
    answered = Event(id="1", source="door", number=1, captured_at=5.0, kind="answer", record=record(100))
    bare = replace(answered, id="2", record=record(101, at=None, source=""))
    replaced = Event(id="3", source="door", number=2, captured_at=6.0, kind="replaced")
    refined = replace(answered, id="4", kind="refined", record=record(102, refined=True))
    with day.open("a") as file:
        file.writelines(event.to_json() + "\n" for event in (answered, bare, replaced, refined))
    rows, reading, _ = read(day)
    # What is no answer to a request is none of a day's; what a record does not say, its event does.
    assert reading.refused == 0
    assert seen(rows)[100:] == expected([record(100), record(101, at=5.0, source="door")])


def test_without_a_cache_the_file_is_read_each_time(day, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    for _ in range(2):
        rows, _, watch = read(day)
        assert len(rows) == 100 and len(watch.calls) == 1


def test_a_pipe_is_read_to_its_end(day, empty_cache) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(day.read_bytes()[:30_000].rpartition(b"\n")[0])
    rows, _, _ = read(Path(f"/dev/fd/{reader}"))
    os.close(reader)
    assert 10 < len(rows) < 100
    assert not (empty_cache / "records").exists()


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_cannot_be_read_is_told_with_its_name(tmp_path, name) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / name)


@pytest.mark.parametrize("piece", [7, 1 << 14])
@pytest.mark.parametrize("size", [1000, 1 << 20, (1 << 20) + 1, (1 << 20) + 2, 5_000_000])
def test_zeros_that_a_power_cut_left_are_one_line_and_the_day_is_read(day, monkeypatch, piece, size) -> None:
    monkeypatch.setattr(index, "_PIECE", piece)
    lines = day.read_bytes().splitlines(keepends=True)
    day.write_bytes(b"".join([*lines[:10], b"\0" * size, b"\n", *lines[10:50], b"\0" * size, *lines[50:]]))
    rows, reading, _ = read(day)
    assert [row[2] for row in seen(rows)] == pytest.approx([n / 1000 for n in range(100) if n != 50])
    assert reading.refused == 2 and reading.refusal.startswith("line 11: ")
    assert (reading.lines, reading.bytes) == (101, day.stat().st_size)


def test_a_file_that_ends_in_zeros_is_read_on_when_it_has_grown(day) -> None:
    more = day.read_bytes()
    with day.open("ab") as file:
        file.write(b"\0" * 3_000_000)
    rows, reading, _ = read(day)
    assert len(rows) == 100 and reading.refused == 1
    with day.open("ab") as file:
        file.write(b"\n" + more)
    assert len(read(day)[0]) == 200


def test_of_a_long_line_little_is_held(day) -> None:
    with day.open("ab") as file:
        file.write(b"\0" * 150_000_000 + b"\n")
    tracemalloc.start()
    rows, reading, _ = read(day)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(rows), reading.refused) == (100, 1) and peak < 60_000_000


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(InputError, match=r"found a line of more than 67\.1 MB"):
        read(Path("/dev/zero"))


def test_more_records_than_memory_is_there_for_are_refused(day, monkeypatch) -> None:
    monkeypatch.setattr(index, "MOST", 99)
    with pytest.raises(InputError, match=r"more than 99 records; keep a file a day"):
        read(day)


def test_numbers_beyond_all_measure_are_rows_too(tmp_path) -> None:
    document = json.loads(record(1).to_json())
    document |= {"total_ms": 1e300, "exit": 2**62, "at": "8999-12-31T00:00:00+00:00"}
    (tmp_path / "odd.jsonl").write_text(json.dumps(document) + "\n")
    (row,) = read(tmp_path / "odd.jsonl")[0].values
    assert np.isfinite(row["total"]) and row["total"] > 1e29 and row["exit"] == 2**62
