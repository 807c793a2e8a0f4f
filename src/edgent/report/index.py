"""An index of a file of records: its rows in SQLite, in the user's cache, so that a file is read once.

- The index of a file is found by the file's path, and believed if it was made of what the file begins with: where size
  and time of change are as they were, that is taken for granted, else the digest of what was read tells.
- A file that has grown is read from there on; any other change has it read anew.
- Rows are kept in pieces, some thousands in one: each comes with how far the file was read, in one transaction. So a
  reading that was interrupted goes on where it was, and of two that read a file at once one gives way.
- An index that is broken, or of another release, is removed and made again: all of it can be read from the file.
- Lines that are no records are counted, and the first one is kept for whoever asks. A power cut leaves such lines, and
  no day must be lost for one; some file systems leave megabytes of zeros, which are one line, and never held whole.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgent.cache import Entry, growing_entry
from edgent.document import parse
from edgent.errors import CacheError, InputError
from edgent.files import LONGEST_LINE, is_file, parts_of, text_in
from edgent.files import MOST as LARGEST
from edgent.report.rows import ROW, WORDS, Rows, Words, rows_of
from edgent.telemetry import Record
from edgent.units import format_bytes

_APPLICATION, _SCHEMA = 0x45647274, 1
_PIECE = 1 << 14  # lines
_LARGEST_PIECE = 16 << 20  # bytes
_BLOCK = 1 << 20  # bytes
_PATIENCE = 60.0  # seconds for another process to write its piece
_IN_MEMORY = ":memory:"
_EXPECTED = "expected lines that edgent run --records FILE wrote"
_TABLES = (
    "reading (bytes INTEGER, digest TEXT, changed INTEGER, lines INTEGER,"
    " records INTEGER, refused INTEGER, refusal TEXT)",
    "word (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "piece (number INTEGER PRIMARY KEY, rows BLOB NOT NULL)",
)
MOST = 10_000_000
"""Records of a report: they take some three gigabytes while it is made."""

OnRead = Callable[[int, int], None]
"""Told how many bytes of a file are read, and how many it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSoFar:
    """How far a file was read.

    Attributes:
        bytes: that were read.
        digest: of them.
        changed: the file's time of change then, in nanoseconds.
        lines: that were read.
        records: in these lines.
        refused: lines among them that are no records.
        refusal: what the first of those is; empty: there is none.
    """

    bytes: int = 0
    digest: str = hashlib.blake2b().hexdigest()
    changed: int = 0
    lines: int = 0
    records: int = 0
    refused: int = 0
    refusal: str = ""


def indexed(path: Path, on_read: OnRead) -> tuple[Rows, ReadSoFar]:
    """The records of a file as rows, by way of its index, which is made or continued.

    Args:
        path: The file; what is none, such as a pipe, is read without an index.
        on_read: Told while the file is read.

    Raises:
        InputError: the file cannot be read.
    """
    place, entry = _place(path)
    try:
        return _through(place, path, on_read)
    except sqlite3.Error:
        # Whatever is wrong with it, the file tells it again; if that fails too (a full disk), it is not kept this time.
        _remove(place)
    try:
        return _through(place, path, on_read)
    except sqlite3.Error:
        return _through(_IN_MEMORY, path, on_read)
    finally:
        del entry


def check_count(count: int) -> None:
    """Refuses more records than a report can be of.

    Raises:
        InputError: there are more.
    """
    if count > MOST:
        raise InputError(f"found more than {MOST:,} records; keep a file a day, and name fewer of them at once")


def record_in(line: bytes) -> Record | None:
    """The record of a line; None where it has none that counts.

    It is empty, an event of a frame without an answer, or a better answer that followed one in time: counted as well,
    that would be a deadline missed by nobody.

    Raises:
        InputError: it is something else.
    """
    if not (text := text_in(line).strip()):
        return None
    document = parse(text)
    # What a sink wrote are events, with their records inside; an event knows of what it is, its record may.
    if isinstance(document, dict) and {"captured_at", "source", "record"} <= document.keys():
        event, document = document, document["record"]
        if document is None:
            return None
        if isinstance(document, dict):
            document = {"at": event["captured_at"], "source": event["source"], **document}
    record = Record.from_document(document)
    return None if record.refined else record


def _place(path: Path) -> tuple[str, Entry | None]:
    """Where the index of a file is, and what holds it there."""
    if not is_file(path):
        return _IN_MEMORY, None
    try:
        entry = growing_entry("records", hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32])
    except CacheError:  # a user without a home, or a full disk: it takes longer, and that is all
        return _IN_MEMORY, None
    return str(entry.path / "index.sqlite"), entry


def _remove(place: str) -> None:
    if place == _IN_MEMORY:
        return
    for name in (place, f"{place}-journal"):
        with suppress(OSError):  # it is not there, or not ours to remove
            Path(name).unlink()


def _through(place: str, path: Path, on_read: OnRead) -> tuple[Rows, ReadSoFar]:
    with closing(sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None)) as base:
        _prepare(base)
        try:
            with path.open("rb") as file:
                reading = None
                while reading is None:
                    reading = _follow(base, file, on_read)
                return _rows(base, reading.records), reading
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}), {_EXPECTED}") from None
        except InputError as error:
            raise InputError(f"{path}: {error}, {_EXPECTED}") from None


def _prepare(base: sqlite3.Connection) -> None:
    with _writing(base):
        marks = tuple(base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if marks == (_APPLICATION, _SCHEMA):
            return
        if base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise sqlite3.DatabaseError("the index is another program's, or another release's")
        base.execute(f"PRAGMA application_id = {_APPLICATION}")
        base.execute(f"PRAGMA user_version = {_SCHEMA}")
        for table in _TABLES:
            base.execute(f"CREATE TABLE {table}")
        _empty(base)


@contextmanager
def _writing(base: sqlite3.Connection) -> Iterator[None]:
    """A transaction, which another process waits for."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")


def _empty(base: sqlite3.Connection) -> None:
    for table in ("word", "piece"):
        base.execute(f"DELETE FROM {table}")
    _note(base, ReadSoFar())
    base.execute("INSERT INTO word VALUES (0, '')")


def _follow(base: sqlite3.Connection, file: BinaryIO, on_read: OnRead) -> ReadSoFar | None:
    """Reads on to the end of the file; None where another process reads it and was quicker."""
    state, reading = os.fstat(file.fileno()), _reading(base)
    if (reading.bytes, reading.changed) == (state.st_size, state.st_mtime_ns):
        return reading
    digest = _digest_of(file, reading.bytes)
    if digest.hexdigest() != reading.digest:
        with _writing(base):
            _empty(base)
        reading, digest = ReadSoFar(), _digest_of(file, 0)
    words = Words(text for (text,) in base.execute("SELECT text FROM word ORDER BY number"))
    within = 0
    for piece in _pieces(file):
        records, after, within = _read(piece, reading, digest, within)
        if within > max(state.st_size, LARGEST):  # no file, for that has an end
            raise InputError(f"found a line of more than {format_bytes(LARGEST)}")
        if not _add(base, reading, after, rows_of(records, words), words):
            return None
        reading = after
        on_read(reading.bytes, max(reading.bytes, state.st_size))
    # Last: as long as it is not there, the file was not read to its end.
    base.execute("UPDATE reading SET changed = ? WHERE bytes = ?", (state.st_mtime_ns, reading.bytes))
    return replace(reading, changed=state.st_mtime_ns)


def _note(base: sqlite3.Connection, reading: ReadSoFar) -> None:
    base.execute("DELETE FROM reading")
    base.execute("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(reading))


def _reading(base: sqlite3.Connection) -> ReadSoFar:
    row = base.execute("SELECT * FROM reading").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the index does not say how far the file was read")
    return ReadSoFar(**dict(zip((one.name for one in fields(ReadSoFar)), row, strict=True)))


def _digest_of(file: BinaryIO, size: int) -> hashlib.blake2b:
    """Of so many bytes that a file begins with, which is read that far."""
    digest = hashlib.blake2b()
    if file.seekable():  # a pipe is not, and stands at its beginning
        file.seek(0)
    left = size
    while left and (block := file.read(min(left, _BLOCK))):
        digest.update(block)
        left -= len(block)
    return digest


def _pieces(file: BinaryIO) -> Iterator[list[bytes]]:
    """Lines and parts of lines, as many at a time as memory should be taken for."""
    piece, size = [], 0
    for part in parts_of(file):
        piece.append(part)
        size += len(part)
        if len(piece) >= _PIECE or size >= _LARGEST_PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _read(
    parts: list[bytes], before: ReadSoFar, digest: hashlib.blake2b, within: int
) -> tuple[list[Record], ReadSoFar, int]:
    """The records of the next lines of a file, and how far it is read then.

    Args:
        parts: the lines, or parts of those that are too long.
        before: how far it was read.
        digest: of what was read.
        within: bytes of a line too long that lie before; returned as they are after the parts.
    """
    records, lines, refused, refusal = [], before.lines, before.refused, before.refusal
    for part in parts:
        begins, ends = not within, part.endswith(b"\n")
        try:
            if within or len(part) > LONGEST_LINE:
                within = 0 if ends else within + len(part)
                raise InputError(f"found a line of more than {format_bytes(LONGEST_LINE)}")
            record = record_in(part)
        except InputError as error:
            if not (ends or within):  # somebody is writing it: it is read when it is whole
                parts = parts[:-1]
                break
            if begins:
                refused, refusal = refused + 1, refusal or f"line {lines + 1}: {error}"
        else:
            records += [] if record is None else [record]
        lines += begins
    content = b"".join(parts)
    digest.update(content)
    reading = ReadSoFar(
        bytes=before.bytes + len(content),
        digest=digest.hexdigest(),
        lines=lines,
        records=before.records + len(records),
        refused=refused,
        refusal=refusal,
    )
    return records, reading, within


def _add(base: sqlite3.Connection, before: ReadSoFar, after: ReadSoFar, rows: NDArray[Any], words: Words) -> bool:
    """Whether the rows of a piece were added; not where the index has come further meanwhile."""
    with _writing(base):
        if _reading(base) != replace(before, changed=_reading(base).changed):
            return False
        base.execute("INSERT INTO piece (rows) VALUES (?)", (rows.tobytes(),))
        known = base.execute("SELECT count(*) FROM word").fetchone()[0]
        base.executemany("INSERT INTO word VALUES (?, ?)", enumerate(words.texts[known:], start=known))
        _note(base, after)
    return True


def _rows(base: sqlite3.Connection, count: int) -> Rows:
    words = [text for (text,) in base.execute("SELECT text FROM word ORDER BY number")]
    check_count(count)
    values, filled = np.empty(count, ROW), 0
    for (blob,) in base.execute("SELECT rows FROM piece ORDER BY number"):
        piece = np.frombuffer(blob, ROW, len(blob) // ROW.itemsize)
        values[filled : filled + len(piece)] = piece[: max(0, count - filled)]
        filled += len(piece)
    if filled != count or any(values[key].max(initial=0) >= len(words) for key in WORDS):
        raise sqlite3.DatabaseError("the index is damaged: it has other records, or other words, than it says")
    return Rows(values=values, words=words)
