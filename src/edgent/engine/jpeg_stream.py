"""JPEG pictures one after another in a stream, as cameras and ffmpeg write them.

A picture is walked through segment by segment (ITU-T T.81, annex B), so a preview that lies inside another segment ends
nothing. Between a scan's header and the next marker lie coded bytes, in which 0xFF is followed by 0 or by a restart
marker.

One that a camera broke off ends where the next begins: it comes out as it is, for its reader to refuse, and costs no
other its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from edgent.errors import InputError
from edgent.units import format_bytes

MOST = 256 << 20
"""Bytes of one picture."""

_BEGIN, _END, _SCAN = 0xD8, 0xD9, 0xDA
_BEGINNING = b"\xff\xd8"
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers that no length follows
_PIECE = 1 << 16


def pictures(stream: BinaryIO, most: int = MOST) -> Iterator[bytes]:
    """The pictures of a stream, each as soon as it is there; what is damaged, with all up to the next, is one of them.

    Args:
        stream: is read to its end, no more than one picture ahead.
        most: bytes of one picture.

    Raises:
        InputError: the stream is empty, begins or ends with something else, ends within a picture, or one is too large.
    """
    reader, count = _Reader(stream, most), 0
    while reader.skip_padding():
        count += 1
        try:
            yield reader.picture()
        except InputError as error:
            raise InputError(f"picture {count}: {error}") from None
    if not count:
        raise InputError("found nothing, expected JPEG pictures, one after another")


class _Reader:
    """Bytes from a stream, looked at as they come."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._most = most
        self._read = getattr(stream, "read1", stream.read)  # what is there, without waiting for more
        self._ahead, self._at = bytearray(), 0
        self._is_first = True

    def skip_padding(self) -> bool:
        """Goes on behind zeros and ends of lines; whether anything is left."""
        while self._has(1):
            if self._ahead[self._at] not in b"\0\r\n":
                return True
            self._at += 1
        return False

    def picture(self) -> bytes:
        """The bytes of the next picture."""
        del self._ahead[: self._at]
        self._at = 0
        try:
            self._walk()
        except InputError:
            # A stream that begins with anything else is no stream of pictures: not to be searched to its end for one.
            if (self._is_first and self._ahead[:2] != _BEGINNING) or not self._find_next():
                raise
        self._is_first = False
        return bytes(self._ahead[: self._at])

    def _walk(self) -> None:
        if not self._has(2) or self._ahead[:2] != _BEGINNING:
            raise InputError(f"found {bytes(self._ahead[:4])!r}, expected a JPEG (FF D8)")
        self._at = 2
        while (marker := self._marker()) != _END:
            if marker == _BEGIN:
                self._at -= 2
                raise InputError(f"is broken off after {self._at} bytes, where another begins")
            if marker not in _ALONE:
                self._skip_segment()
            if marker == _SCAN:
                self._skip_coded()

    def _find_next(self) -> bool:
        """Goes to where a picture begins; whether one does."""
        while (place := self._ahead.find(_BEGINNING + b"\xff", self._at)) < 0:
            self._at = max(self._at, len(self._ahead) - 2)  # the last bytes may be the first of a beginning
            if not self._has(3):
                return False
        self._at = place
        return True

    def _marker(self) -> int:
        self._need(2)
        if self._ahead[self._at] != 0xFF:
            raise InputError(f"found {self._ahead[self._at]:#04x} at byte {self._at}, expected a marker (0xff)")
        while self._ahead[self._at + 1] == 0xFF:  # any number of fill bytes
            self._at += 1
            self._need(2)
        self._at += 2
        return self._ahead[self._at - 1]

    def _skip_segment(self) -> None:
        self._need(2)
        length = int.from_bytes(self._ahead[self._at : self._at + 2], "big")
        self._need(max(length, 2))
        self._at += max(length, 2)

    def _skip_coded(self) -> None:
        while True:
            marker = self._ahead.find(0xFF, self._at)
            self._at = len(self._ahead) if marker < 0 else marker
            self._need(2)
            if self._ahead[self._at] == 0xFF and self._ahead[self._at + 1] not in {0, *_ALONE}:
                return
            self._at += 2 if self._ahead[self._at] == 0xFF else 1

    def _need(self, count: int) -> None:
        if not self._has(count):
            raise InputError(f"ends after {len(self._ahead)} bytes, before its last marker (FF D9)")

    def _has(self, count: int) -> bool:
        while len(self._ahead) - self._at < count:
            if len(self._ahead) > self._most:
                raise InputError(f"found more than {format_bytes(self._most)}, expected a picture")
            if not (piece := self._read(_PIECE)):
                return False
            self._ahead += piece
        return True
