"""Files that users name: read within bounds, written whole or not at all, and one line where that cannot be."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

from edgent.errors import EdgentError, InputError
from edgent.units import format_bytes

MOST = 64 << 20  # bytes of a file that is read at once; its values may take thirty times that
LONGEST_LINE = 1 << 20
"""Bytes of a line that is read as one; a record has some 700."""

_SHORT_NAME = 40  # characters of a name, so that an unfinished file's is not too long where the file's is not
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def user_folder(variable: str, usual: str) -> Path | None:
    """This program's folder for files of a kind, by the XDG base directory rules; None: this user has no home.

    Args:
        variable: The environment's variable that names the folder of all programs: "XDG_CACHE_HOME".
        usual: Where that is, from the user's home on, if the variable is not set: ".cache".
    """
    if base := os.environ.get(variable):
        return Path(base).absolute() / "edgent"
    try:
        return Path.home() / usual / "edgent"
    except RuntimeError:
        return None


def is_file(path: Path) -> bool:
    """Whether there is a file of that name; not where its name is too long, or its folder closed."""
    with contextlib.suppress(OSError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder of that name; not where its name is too long, or its folder closed."""
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False


def is_there(path: Path) -> bool:
    """Whether there is anything of that name; not where its name is too long, or its folder closed."""
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def read_bytes(path: Path, most: int = MOST) -> bytes:
    """Reads a file, and no more of it than may be; also of one that never ends.

    Raises:
        InputError: it is missing, unreadable or larger.
    """
    with _reading(), path.open("rb") as file:
        return _within(file, most)


def read_regular(path: Path, most: int = MOST) -> bytes:
    """Reads a file that was found in a folder: whoever may write there may also put a pipe there, or a device.

    A user who names a pipe means it, and waits for its writer; for one that lies in a folder there may never be one.

    Raises:
        InputError: it is missing, unreadable, larger, or something else than a file.
    """
    with _reading(), os.fdopen(_open_regular(path), "rb") as file:
        return _within(file, most)


def _within(file: BinaryIO, most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise InputError(f"found more than {format_bytes(most)}")
    return content


def _open_regular(path: Path) -> int:
    # Without waiting: a pipe is opened only once somebody writes to it. Looked at when it is open, not before: what has
    # a name may be changed in between.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise InputError("is no file that can be read, expected neither a pipe, a device nor a folder")


def read_text(path: Path) -> str:
    """Reads a text file.

    Raises:
        InputError: it is missing, unreadable, too large or no text.
    """
    return text_in(read_bytes(path)).replace("\r\n", "\n")


def text_in(data: bytes) -> str:
    """The text that bytes are, in UTF-8.

    Raises:
        InputError: they are none.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("found no text") from None


def read_lines(path: Path) -> Generator[str, None, None]:
    """Reads a text file of any length, a line at a time, each without its end.

    Raises:
        InputError: it is missing, unreadable or no text, or a line is too long.
    """
    with _reading(), path.open("rb") as file:
        for line in lines_of(file):
            yield text_in(line).rstrip("\r\n")


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file from where it stands, each with its end.

    Raises:
        InputError: a line is too long.
        OSError: it cannot be read.
    """
    for line in parts_of(file):
        if len(line) > LONGEST_LINE:
            raise InputError(f"found a line of more than {format_bytes(LONGEST_LINE)}")
        yield line


def parts_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an open file; one longer than `LONGEST_LINE` comes in parts, all but its last one longer than that.

    Raises:
        OSError: it cannot be read.
    """
    while part := file.readline(LONGEST_LINE + 1):
        yield part


def whole_lines(path: Path) -> Iterator[bytes | None]:
    """The lines of a file of any length; None for one that is too long, which is passed over and never held.

    Raises:
        InputError: it is missing or unreadable.
    """
    within = False
    with _reading(), path.open("rb") as file:
        for part in parts_of(file):
            ends = part.endswith(b"\n")
            if not within:
                yield None if len(part) > LONGEST_LINE else part
            within = not ends and (within or len(part) > LONGEST_LINE)


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it.

    Raises:
        InputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: no folder can be made there ({error.strerror}); name another place") from None


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file beside its final place and moves it there, so that no reader ever sees a part of it.

    Raises:
        InputError: the folder is missing or cannot be written to, or something else than a file has that name;
            nothing was changed.
        EdgentError: the disk is full; nothing was changed.
    """
    with _writing(path):
        target = path.resolve()  # a link stays, and leads to the new content
        if target.exists() and not target.is_file():  # os.replace would put a file in place of one like /dev/stdout
            raise InputError(f"{path}: is there and no file; name another")
        unfinished = target.parent / f".{target.name[:_SHORT_NAME]}.{os.getpid()}.unfinished"
        try:
            unfinished.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
            unfinished.replace(target)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()  # what a failed write left


def append(path: Path, text: str) -> None:
    """Writes at the end of a file, all of the text or nothing; what stands there stays.

    Raises:
        InputError: the folder is missing, or the file cannot be written to.
        EdgentError: the disk is full.
    """
    with _writing(path), path.open("ab", buffering=0) as file:
        before = os.fstat(file.fileno())
        content = memoryview(text.encode("utf-8"))
        try:
            while content:
                content = content[file.write(content) :]
        except OSError:
            if stat.S_ISREG(before.st_mode):
                file.truncate(before.st_size)
            raise


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Says in one line what the operating system has against reading."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Says in one line what the operating system has against writing there."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        reason = getattr(error, "strerror", None) or "links lead nowhere"
        if getattr(error, "errno", None) in _FULL:
            raise EdgentError(f"{path}: cannot be written ({reason}); make room, or name a file elsewhere") from None
        raise InputError(
            f"{path}: cannot be written ({reason}); name a file in a folder that exists and is yours to write"
        ) from None
