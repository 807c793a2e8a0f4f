"""Answers drawn on their pictures, by Pillow."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edgent.cli.answers.words import in_words
from edgent.codec import decode_pixels
from edgent.model.tasks.results import NOT_SEEN, Box, in_a_word
from edgent.text import one_line

if TYPE_CHECKING:
    from edgent.device.answer import Answer

_Color = tuple[int, int, int]

_GOLDEN = 0.618034  # of the colour circle between one class and the next: neighbours are never alike
_VEIL = 0.5  # of a mask over the picture
_LARGEST_SIDE = 60  # parts of the picture's longer side that a letter is high


def draw(answer: Answer, source: bytes) -> Image.Image:
    """The picture with boxes, a mask or the best class on it.

    Raises:
        CodecError: the source is no picture.
    """
    pixels = decode_pixels(source)
    if answer.metadata.task == "segmentation":
        pixels = _veiled(pixels, answer.mask)
    picture = Image.fromarray(pixels)
    pen = _Pen(picture)
    if answer.metadata.task == "detection":
        for box in reversed(list(answer.boxes)):  # the best on top
            pen.box(box)
    else:
        pen.label((0, 0), in_words(answer.document()), (32, 32, 32))
    return picture


def color_of(number: int) -> _Color:
    """A bright colour for a class."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.8, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


class _Pen:
    """Draws in a size that suits the picture."""

    def __init__(self, picture: Image.Image) -> None:
        self.canvas = ImageDraw.Draw(picture)
        self.size = picture.size
        height = max(10, max(picture.size) // _LARGEST_SIDE)
        self.font = ImageFont.load_default(height)
        self.width = max(2, height // 6)

    def box(self, box: Box) -> None:
        """A frame with its label above it."""
        color = color_of(box.cls)
        self.canvas.rectangle(box.xyxy, outline=color, width=self.width)
        self.label((box.xyxy[0], box.xyxy[1]), f"{in_a_word(box.name, box.cls)} {box.score:.2f}", color, above=True)

    def label(self, corner: tuple[float, float], text: str, color: _Color, *, above: bool = False) -> None:
        """Text on a patch of colour, wholly inside the picture where there is room."""
        text = one_line(text)
        left, top, right, bottom = self.canvas.textbbox((0, 0), text, font=self.font)
        pad = self.width
        width, height = right - left + 2 * pad, bottom - top + 2 * pad
        x = max(0.0, min(corner[0], self.size[0] - width))
        y = max(0.0, corner[1] - height if above else corner[1])
        self.canvas.rectangle((x, y, x + width, y + height), fill=color)
        dark = sum(color) > 3 * 128
        self.canvas.text((x + pad - left, y + pad - top), text, font=self.font, fill=(0, 0, 0) if dark else (255,) * 3)


def _veiled(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture under the colours of its mask; class 0, the background of most, and what was not seen stay clear."""
    colors = np.array([color_of(number) for number in range(256)], np.float32)
    veil = np.where((mask == 0) | (mask == NOT_SEEN), 0, _VEIL)[:, :, None]
    mixed: np.ndarray = (pixels * (1 - veil) + colors[mask] * veil).astype(np.uint8)
    return mixed
