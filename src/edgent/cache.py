"""The cache: files that can be made again, kept in XDG_CACHE_HOME/edgent, else in ~/.cache/edgent.

An *entry* is a folder KIND/NAME. Four rules hold for each:

- It is believed for its content. Whoever asks for it says how to tell whether it is right; that is done once a process,
  and again only when its files are other ones than before (by inode, size and time of change).
- Its files are written into a draft beside it, brought to the disk, and moved to their names one by one. So a file is
  whole or absent, and two processes that write an entry at once write the same files over each other.
- Whoever uses it holds a shared lock on its folder, which the system takes back when the process ends, however it ends.
- All entries together take at most 4 GB, or a tenth of the disk where that is less. When one is written, those that lay
  unused for longest go, but never one that is in use: an entry larger than the bound stays until its users have ended.

An index of records (`growing_entry`) is an entry whose user writes it in place: it is a database, which checks itself.

Measurements (profiles, calibrations) are files of a few kilobytes that took somebody's time: they are never removed.
Nor are the lists of what was fetched from which edge, of which a device lives while that is away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgent.errors import CacheError, EdgentError
from edgent.files import user_folder

MOST_BYTES = 4_000_000_000
_SHARE = 10  # of the disk: a tenth
_KINDS = ("models", "records", "weights")
_DRAFT = ".draft-"
_STALE = 3600.0  # seconds; a younger draft may be one that its process has not locked yet
_ATTEMPTS = 3  # others may damage or remove what was just written; nobody does it again and again

_Signature = tuple[tuple[str, int, int, int], ...]

_right: dict[Path, _Signature] = {}
"""The entries that this process has found right, and the files that they had."""


class Entry:
    """A folder of the cache in use: nobody removes it while this object lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        # The lock is the handle's: it ends when this object does, or with the process, and never has to be cleaned up.
        weakref.finalize(self, os.close, handle)
        with suppress(OSError):  # a file system without locks is one on which nothing is removed
            fcntl.flock(handle, fcntl.LOCK_SH)

    def __repr__(self) -> str:
        return f"<Entry {self.path}>"


def entry(kind: str, name: str, is_right: Callable[[Path], bool], write: Callable[[Path], None]) -> Entry:
    """An entry, right by its content; where it is absent or damaged, it is written.

    Args:
        kind: "weights" or "models".
        name: of its folder.
        is_right: whether a folder holds what it should.
        write: fills a folder with it.

    Raises:
        InputError: the cache cannot be written.
    """
    path = cache_folder() / kind / name
    with _explained(path):
        # Held first and looked at then: what is found right cannot be removed between the two.
        for _ in range(_ATTEMPTS):
            if (held := _held(path)) is not None and _is_right(path, is_right):
                return held
            _write(path, write)
    raise EdgentError(f"{path}: what is written there is not what is read back; check the disk, or set XDG_CACHE_HOME")


def growing_entry(kind: str, name: str) -> Entry:
    """An entry that its user writes in place, and looks after.

    Raises:
        CacheError: the cache cannot be written.
    """
    path = cache_folder() / kind / name
    with _explained(path):
        for _ in range(_ATTEMPTS):
            path.mkdir(parents=True, exist_ok=True)
            if (held := _held(path)) is not None:
                os.utime(path)  # the time of use
                _tidy()
                return held
    raise EdgentError(f"{path}: is removed as soon as it is there; look who does that, or set XDG_CACHE_HOME")


def file_of(kind: str, digest: str) -> Path:
    """Where a small file is kept: mostly what was measured of a model, by the model's digest."""
    return cache_folder() / kind / f"{digest[:32]}.json"


def keep(kind: str, digest: str, text: str) -> Path:
    """Keeps a small file in the place of `file_of`, whole or as it was even where the power fails meanwhile.

    Returns:
        The file.

    Raises:
        CacheError: the cache cannot be written.
    """
    file = file_of(kind, digest)
    with _explained(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=_DRAFT) as draft:
            (Path(draft) / file.name).write_text(text, encoding="utf-8")
            _move(Path(draft), file.parent)
    return file


def writable_folder(kind: str) -> Path:
    """The folder for files of a kind, which can be written to.

    Raises:
        InputError: it cannot.
    """
    folder = cache_folder() / kind
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Whether it can be written to shows by writing: permissions alone do not tell of a full or read-only disk.
        with tempfile.TemporaryFile(dir=folder):
            return folder


def bound() -> int:
    """Bytes that all entries together may take."""
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    return min(MOST_BYTES, shutil.disk_usage(folder).total // _SHARE)


def cache_folder() -> Path:
    """Where all of this lies.

    Raises:
        CacheError: neither XDG_CACHE_HOME is set, nor has the user a home.
    """
    folder = user_folder("XDG_CACHE_HOME", ".cache")
    if folder is None:
        raise CacheError("this user has no home folder; name a folder for caches with XDG_CACHE_HOME")
    return folder


def trim(root: Path, most: int, now: float) -> None:
    """Removes what exceeds the bound, longest unused first, and the drafts of processes that died.

    Args:
        root: as `cache_folder`.
        most: bytes that all entries may take.
        now: seconds since the epoch.
    """
    for draft in root.glob(f"*/{_DRAFT}*"):
        if now - draft.stat().st_mtime > _STALE:
            _remove(draft)
    folders = [folder for kind in _KINDS for folder in root.glob(f"{kind}/*")]
    entries = [folder for folder in folders if folder.is_dir() and not folder.name.startswith(_DRAFT)]
    sizes = {folder: sum(size for _, _, size, _ in _signature(folder)) for folder in entries}
    excess = sum(sizes.values()) - most
    # Its time of change is when an entry was last used (`_is_right` sets it): file systems often keep no time of
    # reading.
    for folder in sorted(entries, key=lambda folder: folder.stat().st_mtime_ns):
        if excess > 0 and _remove(folder):
            excess -= sizes[folder]


def _held(path: Path) -> Entry | None:
    try:
        return Entry(path)
    except FileNotFoundError:
        return None


def _is_right(path: Path, is_right: Callable[[Path], bool]) -> bool:
    files = _signature(path)
    # Hashing gigabytes once a process is enough: whoever changes a file changes its inode, size or time.
    if _right.get(path) != files and not is_right(path):
        return False
    _right[path] = files
    with suppress(OSError):  # the time of use, where a folder is ours to write; others may fill the cache for us
        os.utime(path)
    return True


def _signature(path: Path) -> _Signature:
    """The files of an entry; what begins with a dot is an engine's own, for a moment."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    stats = [(file.relative_to(path).as_posix(), file.stat()) for file in files]
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _write(path: Path, write: Callable[[Path], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the folder of the entry itself: only within one file system is moving a file one step.
    draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=_DRAFT))
    # Locked while it is written, or another process would tidy it away once it is an hour old.
    in_use = Entry(draft)
    try:
        write(draft)
        _move(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    del in_use
    written = _held(path)  # what others hold may fill the cache by itself; the new entry must not make the room
    _tidy()
    del written


def _tidy() -> None:
    with suppress(OSError):  # another process tidies up at the same time
        trim(cache_folder(), bound(), time.time())


def _move(draft: Path, path: Path) -> None:
    """Files first, folders last: what a name leads to is on the disk before the name is."""
    # A power cut may lose what was not brought to the disk, in any order: a name without its content would look whole.
    folders = {path, path.parent}
    for file in sorted(file for file in draft.rglob("*") if file.is_file()):
        target = path / file.relative_to(draft)
        target.parent.mkdir(parents=True, exist_ok=True)
        folders.add(target.parent)
        _sync(file)
        os.replace(file, target)
    for folder in sorted(folders, reverse=True):
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(folder: Path) -> bool:
    """Whether it is gone; one that is in use stays."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Not waited for: who uses an entry may do so for days.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            return True
        finally:
            os.close(handle)
    return False


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except EdgentError:
        raise
    except OSError as error:
        raise CacheError(
            f"the cache folder {path} cannot be used ({error.strerror}): free it for writing, or name another one with "
            "XDG_CACHE_HOME"
        ) from error
