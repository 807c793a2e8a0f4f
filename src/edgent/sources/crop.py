"""A part of each picture: what the camera sees of the door, and not of the street."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgent.codec import decode_pixels, encode_image
from edgent.errors import InputError

_TEXT = re.compile(r"(\d{1,5})x(\d{1,5})\+(\d{1,5})\+(\d{1,5})")

QUALITY = "jpeg-90"
"""Of pictures that are made here: sinks and pages get a tenth of the pixels' bytes."""

_JPEG = b"\xff\xd8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A rectangle, in pixels from the left upper corner."""

    width: int
    height: int
    left: int
    top: int

    @classmethod
    def parse(cls, text: str) -> Crop:
        """Reads WIDTHxHEIGHT+LEFT+TOP, as X and ImageMagick write it.

        Raises:
            InputError: it is something else, or has no pixel.
        """
        match = _TEXT.fullmatch(text)
        if match is None or not (int(match[1]) and int(match[2])):
            raise InputError(f"--crop {text}: expected WIDTHxHEIGHT+LEFT+TOP in pixels, for example 640x480+100+50")
        width, height, left, top = map(int, match.groups())
        return cls(width=width, height=height, left=left, top=top)

    def of(self, picture: bytes) -> bytes:
        """The part of a picture, as JPEG; of one that is too small, what there is of it.

        Raises:
            InputError: nothing of the picture lies in it, or it is none.
        """
        pixels = decode_pixels(picture)
        part = pixels[self.top : self.top + self.height, self.left : self.left + self.width]
        if not part.size:
            height, width = pixels.shape[:2]
            raise InputError(f"--crop {self}: lies outside of a picture of {width} x {height}")
        return encode_image(QUALITY, part)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}+{self.left}+{self.top}"


def as_jpeg(picture: bytes | None) -> bytes | None:
    """A picture as JPEG: most are, but what was put into a folder, or posted, may be anything that can be decoded."""
    if picture is None or picture.startswith(_JPEG):
        return picture
    return encode_image(QUALITY, decode_pixels(picture))
