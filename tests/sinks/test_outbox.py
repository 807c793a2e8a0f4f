"""What waits: in order, through restarts, within bounds, and where the disk takes nothing."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from edgent.errors import InputError
from edgent.sinks.outbox import MOST_IN_MEMORY, Outbox
from sinks.telling import lines, numbers_of


def waiting(outbox: Outbox, most: int = 1000) -> list[int]:
    return numbers_of(outbox.oldest(most))


def test_the_oldest_comes_first_and_leaves_when_it_is_done(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0, 1))
    outbox.put(lines(2, 3))
    assert waiting(outbox, most=3) == [0, 1, 2]
    outbox.done(outbox.oldest(3))
    assert waiting(outbox) == [3] and len(outbox) == 1


def test_what_waits_is_there_after_a_restart_with_its_picture(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0, 1, picture=b"jpeg"))
    outbox.close()
    again = Outbox(tmp_path / "o")
    assert waiting(again) == [0, 1] and len(again) == 2
    assert [event.picture for event in again.oldest(9)] == [b"jpeg"] * 2
    assert (tmp_path / "o").stat().st_mode & 0o077 == 0


def test_a_process_that_is_killed_leaves_what_it_was_told(tmp_path: Path) -> None:
    killed = Outbox(tmp_path / "o")
    killed.put(lines(0, 1))
    killed.done(killed.oldest(1))
    for file in tmp_path.iterdir():  # as the files are when nobody closes them
        file.with_name(file.name.replace("o", "p", 1)).write_bytes(file.read_bytes())
    assert waiting(Outbox(tmp_path / "p")) == [1]


WRITING = """
import sys
from pathlib import Path
from edgent.sinks.lines import EventLine
from edgent.sinks.outbox import Outbox
outbox, number = Outbox(Path(sys.argv[1])), int(sys.argv[2])
while True:
    outbox.put([EventLine(id=str(number), source="door", line="{}", picture=bytes(50_000))])
    print(number, flush=True)
    if number % 10 == 0:
        outbox.done(outbox.oldest(3))
    number += 1
"""


def test_a_process_that_is_killed_in_the_midst_of_writing_has_kept_all_that_it_said(tmp_path: Path) -> None:
    kept, said = set(), -1
    for _ in range(3):
        command = [sys.executable, "-c", WRITING, str(tmp_path / "o"), str(said + 1)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writing:
            for line in itertools.islice(writing.stdout, 40):
                said = int(line)
            writing.kill()
            said = max([said, *map(int, writing.stdout.read().split())])
        outbox = Outbox(tmp_path / "o")
        assert not outbox.problem and not outbox.dropped
        numbers = [int(event.id) for event in outbox.oldest(1000)]
        # The one that was being written may be there or not; and no older one that was done comes back.
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[-1] in (said, said + 1)
        kept |= set(numbers)
        said = numbers[-1]
        outbox.close()
    assert min(kept) > 0


def test_of_more_than_the_most_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", most_events=3)
    for number in range(5):
        outbox.put(lines(number))
    assert waiting(outbox) == [2, 3, 4] and outbox.dropped == 2 and len(outbox) == 3


def test_bytes_have_a_bound_as_well(tmp_path: Path) -> None:
    (small,) = lines(0)
    outbox = Outbox(tmp_path / "o", most_bytes=2 * small.size + 2510)
    outbox.put(lines(0, 1))
    outbox.put(lines(2, picture=bytes(2500)))
    assert waiting(outbox) == [1, 2] and outbox.dropped == 1
    outbox.put(lines(3, picture=bytes(100_000)))
    assert waiting(outbox) == [] and outbox.dropped == 4  # larger than all there may be: it goes as well


def test_after_many_events_the_file_is_small_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(*range(50), picture=bytes(20_000)))
    outbox.done(outbox.oldest(100))
    outbox.close()
    assert (tmp_path / "o").stat().st_size < 100_000


def test_an_event_that_is_delivered_again_has_the_same_place_and_no_other_gets_it(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0))
    (first,) = outbox.oldest(1)
    assert outbox.oldest(1) == [first]
    outbox.done([first])
    outbox.put(lines(1))
    assert outbox.oldest(1)[0].place > first.place


def full(outbox: Outbox, pages: int | None) -> None:
    """A disk that takes no page more, or so many as it likes: SQLite's own limit fails as a full disk does."""
    database = outbox._database
    limit = database.execute("PRAGMA page_count").fetchone()[0] if pages is None else pages
    database.execute(f"PRAGMA max_page_count = {limit}")


def test_on_a_full_disk_events_wait_in_memory_and_nothing_is_lost(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0))
    full(outbox, None)
    outbox.put(lines(1, 2, picture=bytes(50_000)))
    assert "full" in outbox.problem and len(outbox) == 3
    outbox.done(outbox.oldest(9))
    assert waiting(outbox) == [1, 2]
    outbox.done(outbox.oldest(1))
    assert waiting(outbox) == [2] and outbox.dropped == 0
    full(outbox, 1 << 20)
    outbox.put(lines(3))
    assert outbox.problem == "" and waiting(outbox) == [2, 3] and len(outbox) == 2


def test_what_waited_in_memory_comes_after_what_was_on_disk_and_before_what_comes(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0))
    for number in (1, 3, 5):  # full, and not, three times
        full(outbox, None)
        outbox.put(lines(number, picture=bytes(50_000)))
        assert "full" in outbox.problem
        full(outbox, 1 << 20)
        outbox.put(lines(number + 1))
        assert outbox.problem == ""
    assert waiting(outbox) == list(range(7)) and len(outbox) == 7
    outbox.close()
    assert waiting(Outbox(tmp_path / "o")) == list(range(7))


def test_what_moves_to_the_disk_while_it_is_delivered_is_not_delivered_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    full(outbox, None)
    outbox.put(lines(0, 1, 2, picture=bytes(50_000)))
    in_flight = outbox.oldest(2)
    full(outbox, 1 << 20)
    outbox.put(lines(3))
    outbox.done(in_flight)
    assert waiting(outbox) == [2, 3] and len(outbox) == 2
    outbox.done(outbox.oldest(9))
    assert len(outbox) == 0 and outbox._bytes == 0


def test_what_moves_to_the_disk_keeps_to_the_bounds(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", most_events=3)
    full(outbox, None)
    outbox.put(lines(*range(5), picture=bytes(50_000)))
    full(outbox, 1 << 20)
    outbox.put(lines(5))
    assert waiting(outbox) == [3, 4, 5] and outbox.dropped == 3


def test_what_is_in_memory_is_kept_at_the_end_if_there_is_room_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    full(outbox, None)
    outbox.put(lines(1, picture=bytes(50_000)))
    full(outbox, 1 << 20)
    outbox.close()
    assert waiting(Outbox(tmp_path / "o")) == [1]


def test_memory_has_a_bound_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    full(outbox, None)
    outbox.put(lines(*range(MOST_IN_MEMORY + 10), picture=bytes(5000)))
    assert len(outbox) == MOST_IN_MEMORY and outbox.dropped == 10
    assert waiting(outbox, most=1) == [10]


def test_where_nothing_can_be_deleted_nothing_is_delivered_twice_in_one_run(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(0, 1, 2))
    outbox._database.execute("PRAGMA query_only = ON")
    outbox.done(outbox.oldest(2))
    assert waiting(outbox) == [2] and len(outbox) == 1
    outbox.done(outbox.oldest(2))
    assert waiting(outbox) == [] and len(outbox) == 0  # or a delivery would look for it again and again


def test_an_event_that_is_dropped_while_it_is_delivered_leaves_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", most_events=2)
    outbox.put(lines(0, 1))
    in_flight = outbox.oldest(2)
    outbox.put(lines(2))
    outbox.done(in_flight)
    assert waiting(outbox) == [2] and len(outbox) == 1 and outbox.dropped == 1


def test_a_file_that_is_none_of_ours_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "o.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 100)
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(lines(0))
    assert waiting(outbox) == [0]
    assert (tmp_path / "o.broken").read_bytes().startswith(b"not a database")


@pytest.mark.parametrize("spared", [1, 2, 5])  # pages at the beginning, which hold the header and the tables' names
def test_a_file_of_which_pages_are_damaged_is_put_aside(tmp_path: Path, spared: int, caplog) -> None:
    path = tmp_path / "o.sqlite"
    outbox = Outbox(path)
    outbox.put(lines(*range(200)))
    outbox.close()
    content = path.read_bytes()
    path.write_bytes(content[: 4096 * spared] + b"\x5a" * (len(content) - 4096 * spared))
    again = Outbox(path)
    again.put(lines(7))
    assert waiting(again) == [7] and len(again) == 1 and again.problem == ""
    assert (tmp_path / "o.broken").stat().st_size == len(content)
    assert "put aside as o.broken" in caplog.text
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("harm", ["pages", "a text that is none"])
def test_damage_that_only_reading_finds_costs_what_waited_and_nothing_that_comes(
    tmp_path: Path, harm: str, caplog
) -> None:
    path = tmp_path / "o.sqlite"
    outbox = Outbox(path)
    outbox.put(lines(0, 1, picture=bytes(20_000)))
    if harm == "pages":
        outbox.close()
        content = bytearray(path.read_bytes())
        # A picture stands on pages of its own, each with the number of the next one before it.
        for page in range(4096, len(content), 4096):
            if not any(content[page + 4 : page + 4096]):
                content[page : page + 4] = b"\xff\xff\xff\xf0"
        path.write_bytes(content)
        outbox = Outbox(path)
    else:
        outbox._database.execute("UPDATE waiting SET line = CAST(x'ff' AS TEXT)")
    assert len(outbox) == 2
    assert waiting(outbox) == [] and len(outbox) == 0 and outbox.dropped == 2
    outbox.put(lines(2, 3))
    outbox.done(outbox.oldest(1))
    assert waiting(outbox) == [3] and len(outbox) == 1 and "put aside" in caplog.text
    assert (tmp_path / "o.broken").exists()


def test_who_still_asks_after_the_end_harms_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(lines(0))
    outbox.close()
    assert outbox.oldest(9) == []
    outbox.done([])
    assert not (tmp_path / "o.broken").exists() and waiting(Outbox(tmp_path / "o.sqlite")) == [0]


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE waiting (place INTEGER PRIMARY KEY, line TEXT)",
        "CREATE TABLE waiting (place INTEGER PRIMARY KEY, id TEXT, source TEXT, line TEXT, size INTEGER)",
        "CREATE TABLE waiting (place INTEGER PRIMARY KEY, id, source, line, size, picture, owner TEXT NOT NULL)",
        "CREATE VIEW waiting AS SELECT 1 AS place, 2 AS size",
        "CREATE TABLE other (x); CREATE INDEX waiting ON other (x)",
    ],
)
def test_a_file_of_another_release_is_put_aside(tmp_path: Path, schema: str) -> None:
    with sqlite3.connect(tmp_path / "o.sqlite") as database:
        database.executescript(schema)
    database.close()
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(lines(0))
    assert waiting(outbox) == [0] and outbox.problem == "" and (tmp_path / "o.broken").exists()


def test_a_damaged_file_that_cannot_be_put_aside_leaves_the_memory(tmp_path: Path) -> None:
    (tmp_path / "o.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 100)
    (tmp_path / "o.broken").mkdir()
    outbox = Outbox(tmp_path / "o.sqlite")
    outbox.put(lines(0))
    assert waiting(outbox) == [0] and "cannot be put aside" in outbox.problem


def test_a_file_that_an_earlier_release_made_alike_is_read(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "o") as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, "
            "source TEXT NOT NULL, line TEXT NOT NULL, size INTEGER NOT NULL, picture BLOB) STRICT"
        )
        (line,) = lines(3)
        database.execute("INSERT INTO waiting VALUES (9, ?, ?, ?, 1, NULL)", (line.id, line.source, line.line))
    database.close()
    assert waiting(Outbox(tmp_path / "o")) == [3]


def test_two_processes_do_not_deliver_the_same_events(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "o")
    with pytest.raises(InputError, match="another process"):
        Outbox(tmp_path / "o")
    first.close()
    Outbox(tmp_path / "o").close()


def test_without_a_folder_to_write_events_wait_in_memory_and_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outbox = Outbox(tmp_path / "file" / "o")
    assert "cannot be written" in outbox.problem
    outbox.put(lines(*range(MOST_IN_MEMORY + 1)))
    assert outbox.problem and len(outbox) == MOST_IN_MEMORY and outbox.dropped == 1
    outbox.done(outbox.oldest(2))
    assert waiting(outbox, most=1) == [3]


def test_what_is_stored_is_readable_by_sqlite_itself(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.put(lines(4))
    outbox.close()
    with sqlite3.connect(tmp_path / "o") as database:
        assert database.execute("SELECT id, source FROM waiting").fetchall() == [("run-door-4", "door")]
    database.close()
