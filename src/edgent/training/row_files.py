"""Arrays on disk that are filled row by row, and go on where a process that was killed had come to.

They are mapped and not read, so that features of any number of pictures take no more memory than the rows in use. A
file beside them says how many rows are whole; it is written after the rows have been.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import EdgentError, InputError
from edgent.files import read_text, write_whole
from edgent.profiling.timing import Progress

_KEPT_EVERY = 64  # rows: so many are computed again at most

Row = Mapping[str, NDArray[Any]]


class RowFiles:
    """Some arrays with as many rows each.

    Args:
        folder: where they lie; made if missing.
        rows: of each.
        shapes: of a row of each array, by name.
        dtype: in which they are kept; what is larger than it can say becomes its largest number.

    Raises:
        InputError: arrays of other shapes lie there.
        EdgentError: the folder cannot be written to, or the disk is full.
    """

    def __init__(self, folder: Path, rows: int, shapes: Mapping[str, tuple[int, ...]], dtype: str = "float16") -> None:
        self.rows, self._most = rows, np.finfo(dtype).max
        self._count = folder / "rows.txt"
        folder.mkdir(parents=True, exist_ok=True)
        self.done = _whole_rows(self._count)
        try:
            self.arrays = {
                name: _mapped(folder / f"{number}.npy", (rows, *shape), dtype, self.done > 0)
                for number, (name, shape) in enumerate(shapes.items())
            }
        except OSError as error:
            raise EdgentError(f"{folder}: cannot be written ({error.strerror}); make room there") from None
        except ValueError as error:
            raise InputError(f"{folder}: cannot be used ({error}); remove it to begin anew") from None

    def fill(self, row_of: Callable[[int], Row], progress: Progress | None = None) -> None:
        """Computes the rows that are missing.

        Args:
            row_of: makes a row of each array, by name.
            progress: called with the rows done and their number.
        """
        for row in range(self.done, self.rows):
            for name, values in row_of(row).items():
                self.arrays[name][row] = np.clip(values, -self._most, self._most)
            if (row + 1) % _KEPT_EVERY == 0 or row + 1 == self.rows:
                self._keep(row + 1)
            if progress:
                progress(row + 1, self.rows)

    def _keep(self, done: int) -> None:
        try:
            for array in self.arrays.values():
                array.flush()
        except OSError as error:
            raise EdgentError(f"{self._count.parent}: cannot be written ({error.strerror}); make room") from None
        write_whole(self._count, str(done))
        self.done = done


def _whole_rows(path: Path) -> int:
    try:
        return int(read_text(path))
    except (InputError, ValueError):
        return 0


def _mapped(path: Path, shape: tuple[int, ...], dtype: str, is_begun: bool) -> np.memmap[Any, Any]:
    if not is_begun:
        created = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        # Room is taken now: a process that maps a file for which there is none ends without a word when it writes.
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return created
    array = np.lib.format.open_memmap(path, mode="r+")
    if (array.shape, array.dtype) != (shape, np.dtype(dtype)):
        raise ValueError(f"found {array.dtype} {list(array.shape)}, expected {dtype} {list(shape)}")
    return array
