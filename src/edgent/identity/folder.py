"""Where keys lie: folders and files that only their owner can open, and that are whole or absent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from edgent.errors import InputError
from edgent.files import read_bytes, user_folder

_MOST = 64 << 10  # bytes; a chain of certificates has some three thousand


def data_folder() -> Path:
    """Where identities lie: what they hold cannot be made again, so it is not in the cache.

    Raises:
        InputError: neither XDG_DATA_HOME is set, nor has the user a home.
    """
    folder = user_folder("XDG_DATA_HOME", ".local/share")
    if folder is None:
        raise InputError("this user has no home folder; name a folder for keys with XDG_DATA_HOME")
    return folder


def private_folder(path: Path) -> Path:
    """Makes a folder that is closed to others, where there is none.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made ({error.strerror}); name a folder of yours for keys") from None
    return path


def write_private(path: Path, content: bytes) -> None:
    """Writes a file for its owner's eyes alone, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    # Each thread has a draft of its own: several devices of one program may renew one certificate at once.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.unfinished")
    try:
        draft.unlink(missing_ok=True)
        # The rights are set as the file is made: one that is closed afterwards has been open for a moment.
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror}); make room, or name another folder") from None


def read_private(path: Path) -> bytes:
    """Reads a file that `write_private` wrote, or a certificate that somebody gave.

    Raises:
        InputError: it is missing, unreadable or too large.
    """
    try:
        return read_bytes(path, _MOST)
    except InputError as error:
        raise InputError(f"{path}: {error}; name a file that is there and yours to read") from None
