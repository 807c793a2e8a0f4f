"""The edge's list of tokens and devices, in one SQLite file.

`edgent token` and `edgent devices` write it while the edge reads it, and SQLite is what keeps several processes from
spoiling one file.

A device is known by its certificates' serial numbers, not by its name: who was removed and joins anew has the old name
and a new certificate, and the old one stays worthless.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgent.errors import EdgentError, InputError, RefusedError
from edgent.identity.certificates import Bearer
from edgent.identity.token import digest_of

_NEWEST = 8  # certificates of a device that are kept beside the one that it shows
_WAITS = 5.0  # seconds for another process to end its change
_TABLES = (
    "CREATE TABLE IF NOT EXISTS tokens (digest TEXT PRIMARY KEY, uses INTEGER NOT NULL, ends_at REAL NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS devices (name TEXT PRIMARY KEY, joined_at REAL NOT NULL, "
    "requests_per_second REAL, may_fetch INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS certificates (serial TEXT PRIMARY KEY, "
    "device TEXT NOT NULL REFERENCES devices (name) ON DELETE CASCADE, ends_at REAL NOT NULL) STRICT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device that joined.

    Attributes:
        name: its own, once in a register.
        joined_at: when.
        ends_at: until when its newest certificate is good.
        requests_per_second: the most that it may ask; None: as many as it likes.
        may_fetch: whether it may fetch models.
    """

    name: str
    joined_at: datetime
    ends_at: datetime
    requests_per_second: float | None
    may_fetch: bool


class Register:
    """Tokens and devices of one edge; safe between threads and processes.

    Args:
        path: the SQLite file; it is made where there is none, for its owner's eyes alone.

    Raises:
        InputError: the file cannot be written, or is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with self._open() as database:
            for table in _TABLES:
                database.execute(table)

    def add_token(self, secret: str, *, uses: int, lifetime: timedelta, now: datetime) -> None:
        """Lets `uses` devices join with a secret, for a time; tokens that ended are forgotten."""
        with self._open() as database:
            database.execute("DELETE FROM tokens WHERE ends_at <= ? OR uses = 0", (now.timestamp(),))
            ends_at = (now + lifetime).timestamp()
            database.execute("INSERT INTO tokens VALUES (?, ?, ?)", (digest_of(secret), uses, ends_at))

    def check_token(self, secret: str, now: datetime) -> None:
        """Raises RefusedError where `join` would: no work is done for strangers before it is known that they may."""
        with self._open(writes=False) as database:
            good = "SELECT 1 FROM tokens WHERE digest = ? AND uses > 0 AND ends_at > ?"
            if database.execute(good, (digest_of(secret), now.timestamp())).fetchone() is None:
                raise _no_token()

    def join(self, secret: str, bearer: Bearer, now: datetime) -> None:
        """Spends one use of a token for a device, which is known from then on.

        Both happen or neither: a name that is taken costs no use, and a token is never spent twice for its last use.

        Raises:
            RefusedError: no such token, or it has ended or is used up; or the name is another device's.
        """
        with self._open() as database:
            spent = database.execute(
                "UPDATE tokens SET uses = uses - 1 WHERE digest = ? AND uses > 0 AND ends_at > ?",
                (digest_of(secret), now.timestamp()),
            )
            if spent.rowcount != 1:
                raise _no_token()
            taken = database.execute("SELECT 1 FROM devices WHERE name = ?", (bearer.name,)).fetchone()
            if taken:
                raise RefusedError(
                    f"a device named {bearer.name!r} has joined already; join by another --name, or remove that one "
                    "with `edgent devices remove` on the edge"
                )
            database.execute("INSERT INTO devices VALUES (?, ?, NULL, 1)", (bearer.name, now.timestamp()))
            self._add_certificate(database, bearer)

    def renew(self, old_serial: str, bearer: Bearer, now: datetime) -> None:
        """Adds a newer certificate of a device; the one before stays good until it ends, for it is still in use.

        Of those that were made since, only the last ones are kept: a device may lose answers, but it may also ask for
        certificates all day, and the edge has all of them in its memory.

        Raises:
            RefusedError: the device was removed.
        """
        with self._open() as database:
            row = database.execute("SELECT device FROM certificates WHERE serial = ?", (old_serial,)).fetchone()
            if row is None or row[0] != bearer.name:
                raise RefusedError(f"{bearer.name!r} is no device of this edge any more; join again with a new token")
            database.execute("DELETE FROM certificates WHERE ends_at <= ?", (now.timestamp(),))
            self._add_certificate(database, bearer)
            newest = "SELECT serial FROM certificates WHERE device = ? ORDER BY rowid DESC LIMIT ?"
            database.execute(
                f"DELETE FROM certificates WHERE device = ? AND serial != ? AND serial NOT IN ({newest})",
                (bearer.name, old_serial, bearer.name, _NEWEST),
            )

    def members(self) -> tuple[Member, ...]:
        """All devices, by name."""
        with self._open(writes=False) as database:
            rows = database.execute(
                "SELECT name, joined_at, max(ends_at), requests_per_second, may_fetch FROM devices "
                "JOIN certificates ON device = name GROUP BY name ORDER BY name"
            ).fetchall()
        return tuple(
            Member(
                name=name,
                joined_at=_moment(joined_at),
                ends_at=_moment(ends_at),
                requests_per_second=rate,
                may_fetch=bool(may_fetch),
            )
            for name, joined_at, ends_at, rate, may_fetch in rows
        )

    def serials(self) -> dict[str, str]:
        """The names of devices by the serial numbers of their certificates."""
        with self._open(writes=False) as database:
            return dict(database.execute("SELECT serial, device FROM certificates").fetchall())

    def limit(self, name: str, *, requests_per_second: float | None, may_fetch: bool) -> None:
        """Sets what a device may do.

        Raises:
            InputError: no such device.
        """
        with self._open() as database:
            changed = database.execute(
                "UPDATE devices SET requests_per_second = ?, may_fetch = ? WHERE name = ?",
                (requests_per_second, int(may_fetch), name),
            )
            self._check_known(database, name, changed.rowcount)

    def remove(self, name: str) -> None:
        """Forgets a device: its certificates are worthless from the edge's next look at this list.

        Raises:
            InputError: no such device.
        """
        with self._open() as database:
            self._check_known(database, name, database.execute("DELETE FROM devices WHERE name = ?", (name,)).rowcount)

    def __repr__(self) -> str:
        return f"<Register {self.path}>"

    @staticmethod
    def _add_certificate(database: sqlite3.Connection, bearer: Bearer) -> None:
        row = (bearer.serial, bearer.name, bearer.ends_at.timestamp())
        database.execute("INSERT INTO certificates VALUES (?, ?, ?)", row)

    @staticmethod
    def _check_known(database: sqlite3.Connection, name: str, rows: int) -> None:
        if rows != 1:
            names = [row[0] for row in database.execute("SELECT name FROM devices ORDER BY name LIMIT 10")]
            raise InputError(f"no device {name[:64]!r} has joined here; there are: {', '.join(names) or 'none'}")

    @contextlib.contextmanager
    def _open(self, *, writes: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection for one look, or for one change, which is made whole or not at all."""
        with _explained(self.path):
            database = sqlite3.connect(self.path, timeout=_WAITS, isolation_level=None)
            try:
                # With a log ahead of the file nobody who reads waits for somebody who writes: the edge reads beside
                # its requests.
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA foreign_keys = ON")
                # A change takes its lock before it reads anything: what was read is still true when it is written.
                database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                yield database
                database.commit()
            finally:
                database.close()  # which takes back what was not committed


def _no_token() -> RefusedError:
    # What of it is wrong is not told to somebody who may be guessing.
    return RefusedError("the token is unknown here, used up or has ended; make another one with `edgent token create`")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise EdgentError(f"{path}: {error}; make room there, or end the command that is writing it") from None
    except sqlite3.DatabaseError:
        raise InputError(f"{path}: is no list of devices; move it away and let the devices join again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another folder with --identity") from None


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
