"""Sinks on this machine: a file of lines, and a folder of pictures with what was answered beside each."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from edgent.errors import InputError
from edgent.files import append, is_folder, is_there, write_whole
from edgent.sinks.addresses import FileAddress
from edgent.sinks.lines import EventLine
from edgent.sinks.sink import Receipt

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME = 60  # characters of a camera's name, and of an id, in the name of a file
_TAIL = 20  # of those, what an id ends with: its number, and whether it is of a better answer


class LinesFile:
    """Appends a line an event to a file; another program may move the file away at any time.

    Args:
        address: of the file.
    """

    with_pictures = False

    def __init__(self, address: FileAddress) -> None:
        self._path, self.name = address.path, address.name

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        """See `Sink.deliver`."""
        append(self._path, "".join(f"{event.line}\n" for event in events))  # all of them or none
        yield from (Receipt(event=event) for event in events)

    def close(self) -> None:
        """See `Sink.close`."""


class PictureFolder:
    """Writes SOURCE/DAY/TIME-ID.jpg and .json of each event below a folder.

    Args:
        address: of the folder.
    """

    with_pictures = True

    def __init__(self, address: FileAddress) -> None:
        self._path, self.name = address.path, address.name

    def deliver(self, events: Sequence[EventLine]) -> Iterator[Receipt]:
        """See `Sink.deliver`."""
        for event in events:
            self._write(event)
            yield Receipt(event=event)

    def close(self) -> None:
        """See `Sink.close`."""

    def _write(self, event: EventLine) -> None:
        path = self._path / file_name(event)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent}: cannot be made ({error.strerror})") from None
        # The line comes last: who waits for it finds the picture there.
        if event.picture is not None:
            write_whole(path.with_name(f"{path.name}.jpg"), event.picture)
        write_whole(path.with_name(f"{path.name}.json"), f"{event.line}\n")


def check_place(address: FileAddress) -> None:
    """Refuses a place where nothing can ever be written, as it is now; a folder that is missing may still be made.

    Raises:
        InputError: a file stands where a folder is needed, or the other way round, or it is not this user's to write.
    """
    path = address.path
    there = next(place for place in (path, *path.parents) if is_there(place))
    if there == path and not address.is_folder:
        if is_folder(path):
            raise InputError(f"{path}: found a folder, expected a file; name a file in it")
        writable = os.access(path, os.W_OK)
    elif not is_folder(there):
        raise InputError(f"{there}: found a file, expected a folder; name another")
    else:
        writable = os.access(there, os.W_OK | os.X_OK)
    if not writable:
        raise InputError(f"{there}: found no right to write there; grant it to this user, or name another place")


def file_name(event: EventLine) -> Path:
    """Where an event is kept, below the folder and without its ending; the same each time it is delivered."""
    # Written by `Event.to_json`: 2026-05-01T12:30:00.250+00:00. A folder a day, so that no folder becomes too long,
    # and old days are deleted by their names.
    day, _, time = str(json.loads(event.line)["captured_at"]).partition("T")
    moment = time.partition("+")[0].replace(":", "").replace(".", "-")
    return Path(_fit(event.source)) / day / f"{moment}-{_fit(event.id)}"


def _fit(text: str) -> str:
    """A text from outside as a part of a path: no folder above, none that is hidden, and no two texts have the same."""
    fit = _UNFIT.sub("_", text).strip(".")
    if fit == text and 0 < len(fit) <= _MOST_NAME:
        return fit
    # What is left out or replaced is what tells a camera from another one, or an answer from the better one.
    digest = sha256(text.encode()).hexdigest()[:8]
    begin, end = fit[: _MOST_NAME - _TAIL - len(digest) - 2], fit[-_TAIL:]
    return f"{begin}_{digest}_{end}" if len(fit) > _MOST_NAME else f"{fit}_{digest}"
