"""A picture as it is, and changed in ways that leave what it shows: mirrored, and cut out of.

The features of each view are computed once and kept, so there are a few of them and not a new one for each time that
the picture is learned from. What is right about a view is what is right about the picture, and what the network itself
says of the view.
"""

from __future__ import annotations

import math

import numpy as np

from edgent.evaluation.data.examples import Pixels

_LEAST_AREA = 0.35  # of the picture
_WIDEST = 4 / 3  # side by side
_ATTEMPTS = 10


def view_of(pixels: Pixels, number: int, random: np.random.Generator) -> Pixels:
    """A view: 0 is the picture, 1 its mirror image, others are parts, every second one mirrored.

    Args:
        pixels: shape [height, width, 3].
        number: of the view.
        random: draws the part.
    """
    part = pixels if number < 2 else _part(pixels, random)
    return np.ascontiguousarray(part[:, ::-1]) if number % 2 else part


def _part(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A rectangle out of a picture, of other proportions (C. Szegedy et al., "Going deeper", CVPR 2015, section 6)."""
    height, width = pixels.shape[:2]
    for _ in range(_ATTEMPTS):
        area = height * width * random.uniform(_LEAST_AREA, 1)
        proportion = math.exp(random.uniform(-math.log(_WIDEST), math.log(_WIDEST)))
        rows, columns = round(math.sqrt(area / proportion)), round(math.sqrt(area * proportion))
        if 0 < rows <= height and 0 < columns <= width:
            top, left = random.integers(0, height - rows + 1), random.integers(0, width - columns + 1)
            return np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
    return pixels
