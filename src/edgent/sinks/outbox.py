"""What waits for one sink: in SQLite, with a bound; in memory where the disk takes nothing.

A place in an outbox is never given twice, and events are delivered in the order of their places. So one number says
what was delivered, and it holds where the disk is too full even to delete.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

from edgent.errors import InputError
from edgent.sinks.lines import EventLine

_log = logging.getLogger("edgent.sinks")

MOST_EVENTS = 100_000
"""Events that wait for a sink: at ten a second, nearly three hours of an outage."""

MOST_BYTES = 200 << 20
"""Bytes that they take; pictures are most of it."""

MOST_IN_MEMORY = 500
"""Events that wait where the disk takes none."""

_SETTINGS = (
    # Held until this process ends: two that deliver the same events would deliver each of them twice.
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA auto_vacuum = FULL",  # an outage of hours leaves no large file behind
    "PRAGMA journal_mode = WAL",
    # A killed process loses nothing by it, a cut of the power the last moments; and a card wears out less.
    "PRAGMA synchronous = NORMAL",
)
# AUTOINCREMENT, so that no place is given twice.
_TABLE = (
    "CREATE TABLE waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, "
    "source TEXT NOT NULL, line TEXT NOT NULL, size INTEGER NOT NULL, picture BLOB) STRICT"
)
_WAITS = 0.5  # seconds for another process that is about to end


class Outbox:
    """Events that wait for a sink, the oldest first; safe between threads, and one process's.

    Args:
        path: the SQLite file; it is made where there is none, for its owner's eyes alone.
        most_events: that wait; of more the oldest are dropped.
        most_bytes: that they take.

    Attributes:
        dropped: events that were given up for newer ones.
        problem: why the disk takes nothing, in one line; empty: it does.

    Raises:
        InputError: another process has it.
    """

    def __init__(self, path: Path, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self.path, self._most_events, self._most_bytes = path, most_events, most_bytes
        self._guard = threading.Lock()
        opened = _opened(path)
        self._database, self._no_disk = opened.database, opened.no_disk
        self._count, self._bytes = opened.count, opened.bytes
        if self._no_disk:
            self._most_events = min(most_events, MOST_IN_MEMORY)
        self.dropped, self.problem = 0, self._no_disk
        self._gone_to = 0  # what has this place or a lower one waits no more, whether it could be deleted or not
        self._memory: dict[int, EventLine] = {}
        self._numbers = count(-1, -1)  # places in memory
        self._moved: dict[int, int] = {}  # places on disk of what was in memory when it was asked for

    def __len__(self) -> int:
        return int(self._count) + len(self._memory)

    def put(self, events: Sequence[EventLine]) -> None:
        """Keeps these behind those that wait."""
        with self._guard:
            before = self._count, self._bytes, self.dropped, self._gone_to
            try:
                with self._database:
                    moved = self._move()
                    self._insert(events)
                    self._drop_oldest()
                    self._delete()
                self._memory.clear()
                self._moved |= moved
                self.problem = self._no_disk
            except sqlite3.Error as error:
                self._count, self._bytes, self.dropped, self._gone_to = before
                self.problem = f"{self.path}: {error}"
                self._remember(events)

    def oldest(self, most: int) -> list[EventLine]:
        """Those that wait longest; what is on disk comes before what is in memory."""
        with self._guard:
            self._moved.clear()
            rows: list[EventLine] = []
            with contextlib.suppress(sqlite3.Error):
                rows = self._read(most)
            return rows or list(islice(self._memory.values(), most))

    def done(self, events: Sequence[EventLine]) -> None:
        """These need not be delivered any more: the oldest ones, as `oldest` gave them."""
        with self._guard:
            for event in events:
                self._memory.pop(event.place, None)
                self._leave(self._moved.get(event.place, event.place), event.size)
            # Where the disk is too full even to delete, what stays there is delivered again after the next start.
            with contextlib.suppress(sqlite3.Error), self._database:
                self._delete()

    def close(self) -> None:
        """Tries once more to keep what is in memory."""
        with self._guard:
            lost = len(self._memory)
            with contextlib.suppress(sqlite3.Error), self._database:
                self._move()
                lost = 0
            self.dropped += lost
            self._memory.clear()
            self._database.close()

    def __repr__(self) -> str:
        return f"<Outbox {self.path.name}: {len(self)} wait, {self.dropped} dropped>"

    def _move(self) -> dict[int, int]:
        """Writes what waits in memory behind what is on disk, and so before all that comes; returns its new places."""
        if not self._memory:
            return {}
        self._insert(list(self._memory.values()))
        (last,) = self._database.execute("SELECT max(place) FROM waiting").fetchone()
        return dict(zip(self._memory, range(last - len(self._memory) + 1, last + 1), strict=True))

    def _insert(self, events: Sequence[EventLine]) -> None:
        rows = [(event.id, event.source, event.line, event.size, event.picture) for event in events]
        self._database.executemany("INSERT INTO waiting (id, source, line, size, picture) VALUES (?, ?, ?, ?, ?)", rows)
        self._count += len(rows)
        self._bytes += sum(event.size for event in events)

    def _drop_oldest(self) -> None:
        while self._count > self._most_events or self._bytes > self._most_bytes:
            oldest = "SELECT place, size FROM waiting WHERE place > ? ORDER BY place LIMIT 1"
            self._leave(*self._database.execute(oldest, (self._gone_to,)).fetchone())
            self.dropped += 1

    def _leave(self, place: int, size: int) -> None:
        """What has this place waits no more; one that was dropped while it was delivered has left already."""
        if place > self._gone_to:
            self._gone_to, self._count, self._bytes = place, self._count - 1, self._bytes - size

    def _delete(self) -> None:
        self._database.execute("DELETE FROM waiting WHERE place <= ?", (self._gone_to,))

    def _remember(self, events: Sequence[EventLine]) -> None:
        self._memory |= {
            place: replace(event, place=place) for event, place in zip(events, self._numbers, strict=False)
        }
        for place in list(islice(self._memory, max(0, len(self._memory) - MOST_IN_MEMORY))):
            del self._memory[place]
            self.dropped += 1

    def _read(self, most: int) -> list[EventLine]:
        rows = self._database.execute(
            "SELECT id, source, line, picture, place FROM waiting WHERE place > ? ORDER BY place LIMIT ?",
            (self._gone_to, most),
        )
        return [
            EventLine(id=name, source=source, line=line, picture=picture, place=place)
            for name, source, line, picture, place in rows
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A database, what waits in it, and why it is one in memory; empty: it is on disk."""

    database: sqlite3.Connection
    count: int
    bytes: int
    no_disk: str


def _opened(path: Path) -> _Opened:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _on_disk(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            # Somebody wrote over it, the power was cut, or another release has made it: what waited cannot be read,
            # and what comes must not be lost too.
            aside = path.with_suffix(".broken")
            path.replace(aside)
            _log.warning("%s: cannot be read (%s); it was put aside as %s", path, error, aside.name)
            return _on_disk(path)
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise InputError(f"{path}: another process delivers to this sink; end it, or name another sink") from None
        return _connected(":memory:", no_disk=f"{path}: {error}")
    except OSError as error:
        return _connected(":memory:", no_disk=f"{path}: cannot be written ({error.strerror})")


def _on_disk(path: Path) -> _Opened:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would make one that everybody can read
    return _connected(path)


def _connected(path: Path | str, *, no_disk: str = "") -> _Opened:
    database = sqlite3.connect(path, timeout=_WAITS, check_same_thread=False)
    try:
        for setting in _SETTINGS:
            database.execute(setting)
        _has_table(database)
        # It reads every page but those of long texts and pictures, so it finds most of what may be damaged.
        events, size = database.execute("SELECT count(*), total(size) FROM waiting WHERE place > 0").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return _Opened(database=database, count=events, bytes=int(size), no_disk=no_disk)


def _has_table(database: sqlite3.Connection) -> None:
    """Makes the table where there is none; one of another release has columns that nobody here knows.

    Raises:
        sqlite3.DatabaseError: there is another one of its name.
    """
    made_by = database.execute("SELECT sql FROM sqlite_master WHERE name = 'waiting'").fetchone()
    if made_by is None:
        database.execute(_TABLE)
    elif made_by[0] != _TABLE:
        raise sqlite3.DatabaseError("another release's table")
