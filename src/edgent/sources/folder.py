"""A folder that is watched: each picture that is put there is a frame."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgent.errors import InputError
from edgent.sources.source import PictureFile
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.clock import Clock

_LOOKS_EVERY = 0.1  # seconds: an inotify would be quicker by half of that, and is not on every file system
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm"}

_Stamp = tuple[int, int]  # when it was written, and its size


class WatchedFolder:
    """Pictures that are put into a folder from now on, or written anew there; what is no file is passed over.

    A file counts once it has been the same at two looks, for whoever writes it may not be done at the first one. Files
    that wait for their turn do so in the folder, however many they are.

    Args:
        path: the folder.
        clock: what looks are waited for by.
    """

    comes_back = True
    silence = Seconds(math.inf)

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock

    def pictures(self) -> Iterator[PictureFile]:
        """See `FrameSource.pictures`."""
        last = taken = self._stamps()
        while True:
            self._clock.sleep(_LOOKS_EVERY)
            now = self._stamps()
            ready = [file for file, stamp in now.items() if last.get(file) == stamp != taken.get(file)]
            yield from (PictureFile(file) for file in sorted(ready, key=now.__getitem__))
            taken = {file: stamp for file, stamp in taken.items() if file in now} | {file: now[file] for file in ready}
            last = now

    def _stamps(self) -> dict[Path, _Stamp]:
        """Every picture with its stamp."""
        try:
            files = [file for file in self._path.iterdir() if file.suffix.lower() in _ENDINGS and file.name[0] != "."]
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read ({error.strerror})") from None
        return {file: stamp for file in files if (stamp := _stamp(file)) is not None}


def _stamp(file: Path) -> _Stamp | None:
    try:
        state = file.stat()
    except OSError:  # gone between two looks
        return None
    return (state.st_mtime_ns, state.st_size) if stat.S_ISREG(state.st_mode) else None
