"""JPEG pictures from standard input, one after another, as cameras' own programs and ffmpeg write them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from edgent.engine.jpeg_stream import pictures
from edgent.sources.source import Read
from edgent.units import Seconds


class StandardInput:
    """Pictures from a pipe; when that is closed there will be no more.

    Args:
        stream: is read to its end.
        silence: see `FrameSource`.
    """

    comes_back = False

    def __init__(self, stream: BinaryIO, silence: Seconds) -> None:
        self._stream, self.silence = stream, silence

    def pictures(self) -> Iterator[Read]:
        """See `FrameSource.pictures`."""
        for picture in pictures(self._stream):
            yield partial(bytes, picture)
